"""Recordings, models, bounds and scores of the fits that are compared.

A model is driven by `I`. The other libraries get Brian2 equations made from the same model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2 import TimedArray, amp, ms, mV, nA, second
from numpy.random import Generator
from numpy.typing import NDArray

from bioae import NeuronModel, Recording
from bioae.analysis import coincidence_factor, explained_variance, psth
from bioae.equations import load_neuron
from bioae.equations.declarations import parameter_values
from bioae.equations.quantities import evaluate
from bioae.unit_text import unit_in_equations

Times = NDArray[np.float64]
Bounds = Mapping[str, tuple[str, str]]

#: The precisions of the coincidence factor.
DELTAS = (2 * ms, 4 * ms)
#: Per square volt.
SQUARE_MILLIVOLTS = 1e6
_TRAINED, _RATE_BIN = 7 * second, 5 * ms


@dataclass(frozen=True)
class Case:
    """A model to fit to a recording.

    Attributes
    ----------
    model
        The model, whose `trainable` has the free parameters and their bounds.
    recording
        The data to fit: potentials if it has some, else spikes.
    signal
        Bounds of ``gain``, ``offset`` and ``latency`` of the input, where they are free.
    tests
        Recordings to score, and the time from which each counts.
    """

    model: NeuronModel
    recording: Recording
    signal: Bounds = field(default_factory=dict)
    tests: Mapping[str, tuple[Recording, Any]] = field(default_factory=dict)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The bounds of all free parameters in base units."""
        bounds = {**self.model.trainable, **self.signal}
        return {n: (float(_value(low)), float(_value(high))) for n, (low, high) in bounds.items()}

    @property
    def initial(self) -> dict[str, Any]:
        """The initial values."""
        known = parameter_values(self.model)
        return {name: _value(text, known) for name, text in self.model.initial.items()}

    def start(self, generator: Generator) -> dict[str, float]:
        """Draw parameters: uniformly within their bounds, logarithmically where these allow."""
        values = {}
        for name, (low, high) in self.bounds.items():
            logarithmic = low > 0
            ends = np.log([low, high]) if logarithmic else (low, high)
            drawn = generator.uniform(*ends)
            values[name] = float(np.exp(drawn) if logarithmic else drawn)
        return values

    def equations(self, signal: str | None = None) -> str:
        """Return Brian2 equations that declare the free parameters and define the others.

        Parameters
        ----------
        signal
            An expression of the input; None: the equations do not define `I`.
        """
        lines = [self.model.equations]
        for name, value in parameter_values(self.model).items():
            unit = unit_in_equations(value)
            if name in self.model.trainable:
                lines.append(f"{name} : {unit} (constant)")
            elif name != "I":
                lines.append(f"{name} = {float(value)!r}*({unit}) : {unit}")
        for name, (low, _) in self.signal.items():
            lines.append(f"{name} : {unit_in_equations(_value(low))} (constant)")
        if signal is not None:
            lines.append(f"I = {signal} : amp")
        return "\n".join(lines)

    def fired(self, sets: Sequence[Mapping[str, float]], recording: Recording) -> list[Times]:
        """Return the spike times in seconds of the model with each set of parameters."""
        recorded = TimedArray(recording.input[0] * amp, dt=recording.dt)
        signal = "gain*recorded(t - latency) + offset" if self.signal else "recorded(t)"
        model = self.model
        group = brian2.NeuronGroup(
            len(sets), self.equations(signal), threshold=model.threshold, reset=model.reset,
            refractory=model.refractory or False, method=model.method, dt=recording.dt,
            namespace={"recorded": recorded},
        )  # fmt: skip
        names = [name for name in self.bounds if name in sets[0]]
        group.set_states({name: [each[name] for each in sets] for name in names}, units=False)
        for name, value in self.initial.items():
            setattr(group, name, value)
        spikes = brian2.SpikeMonitor(group)
        brian2.Network(group, spikes).run(recording.duration)
        trains = spikes.spike_trains()
        return [np.array(trains[k] / second) for k in range(len(sets))]

    def scores(
        self, sets: Sequence[Mapping[str, float]], *, held_out: bool = False
    ) -> list[dict[str, float]]:
        """Return Γ of the fitted spikes with each set of parameters.

        With `held_out`, of those left out, and the explained variance of their rate.
        """
        scores: list[dict[str, float]] = [{} for _ in sets]
        places = self.tests if held_out else {"fit": (self.recording, 0 * ms)}
        for place, (recording, begin) in places.items():
            assert recording.spikes is not None
            length, since = recording.duration - begin, float(begin)
            for found, train in zip(scores, self.fired(sets, recording), strict=True):
                both = [each[each >= since] - since for each in (recording.spikes[0], train)]
                for delta in DELTAS:
                    gamma = coincidence_factor(*both, delta=delta, duration=length)
                    found[f"{place}, gamma {delta / ms:g} ms"] = gamma
                if held_out:
                    rates = (psth(each, duration=length, width=_RATE_BIN) for each in both)
                    found[f"{place}, rate"] = explained_variance(*rates)
        return scores


def load_cases(folder: Path) -> dict[str, Case]:
    """Return the cases of a folder of recordings."""
    traces, cortical = _traces(folder), _cortical(folder)
    first, second_ = (_receptor(folder, number) for number in (1, 2))
    fit, _ = first.split(_TRAINED)
    tests = {"end": (first, _TRAINED), "other": (second_, 0 * ms)}
    cases = {name: Case(_squid(names), traces) for name, names in _SQUID.items()}
    for name, (model, slow, fast) in _integrate_and_fire().items():
        cases[f"cortical {name}"] = Case(_with_bounds(model, slow), cortical)
        cases[f"receptor {name}"] = Case(_with_bounds(model, fast), fit, _SIGNAL, tests)
    return cases


def _value(text: str, known: Mapping[str, Any] | None = None) -> Any:
    return evaluate(text, known or {}, where="case")


def _with_bounds(model: NeuronModel, bounds: Bounds) -> NeuronModel:
    return model.model_copy(update={"trainable": dict(bounds)})


# -- recordings -----------------------------------------------------------------------------------


def _traces(folder: Path) -> Recording:
    """Return currents and noisy potentials of a Hodgkin-Huxley cell, of the rival's examples."""
    current, potential = (
        np.genfromtxt(folder / f"hh_{name}.csv.gz", delimiter=",", skip_header=1)[:, 1:]
        for name in ("input", "output")
    )
    return Recording(current * amp, dt=0.01 * ms, voltage=potential * mV, name="traces")


def _cortical(folder: Path) -> Recording:
    """Return the current and the spikes of a cortical cell, of Brian's examples."""
    current, spikes = (
        np.loadtxt(folder / f"cortical_{name}.txt.gz") for name in ("current", "spikes")
    )
    return Recording(current * amp, dt=0.1 * ms, spikes=spikes * second, name="cortical")


def _receptor(folder: Path, number: int) -> Recording:
    """Return sound level and spikes of an auditory receptor of a grasshopper (Rokem et al. 2006).

    The file has the envelope of the sound. Receptors respond to its logarithm: the input is 1 nA
    per 20 dB, relative to a tenth of the largest amplitude.
    """
    amplitude = np.loadtxt(folder / f"grasshopper_stimulus{number}.txt.gz")[:, 1]
    spikes = np.loadtxt(folder / f"grasshopper_spike_times{number}.txt.gz")
    whole = Recording(
        (np.log10(amplitude) + 1) * nA, dt=0.05 * ms, spikes=spikes * 1e-6 * second,
        name=f"receptor {number}",
    )  # fmt: skip
    return whole.resampled(0.2 * ms)


# -- models ---------------------------------------------------------------------------------------

_SQUID = {
    "traces": ("g_L", "g_Na", "g_K"),
    "traces, 5 parameters": ("g_L", "g_Na", "g_K", "E_L", "C"),
}
#: The bounds of brian2modelfitting's example.
_SQUID_BOUNDS = {
    "g_L": ("1*nS", "100*nS"), "g_Na": ("2*uS", "200*uS"), "g_K": ("0.6*uS", "60*uS"),
    "E_L": ("-80*mV", "-50*mV"), "C": ("20*pF", "400*pF"),
}  # fmt: skip
_SIGNAL: Bounds = {
    "gain": ("0.02", "5"), "offset": ("-1*nA", "2*nA"), "latency": ("1*ms", "8*ms"),
}  # fmt: skip


def _driven(name: str, **changes: Any) -> NeuronModel:
    """Return a shipped model in which `I` is a parameter rather than a synaptic current."""
    model = load_neuron(name)
    lines = [line for line in model.equations.splitlines() if not line.startswith("dI/dt")]
    parameters = {n: text for n, text in model.parameters.items() if n != "tau_syn"}
    update = {
        "equations": "\n".join(lines), "parameters": parameters | {"I": "0*nA"},
        "input": "v", "weight": "1*mV", "trainable": {},
    }  # fmt: skip
    return model.model_copy(update=update | changes)


def _squid(free: tuple[str, ...]) -> NeuronModel:
    bounds = {name: _SQUID_BOUNDS[name] for name in free}
    initial = {"v": "-65*mV", "m": "0", "h": "0", "n": "0"}
    silent = {"threshold": None, "refractory": None, "surrogate": None, "dt": None}
    return _driven("hodgkin_huxley", initial=initial, trainable=bounds, **silent)


@cache
def _integrate_and_fire() -> dict[str, tuple[NeuronModel, Bounds, Bounds]]:
    """Return the models, with bounds for the cortical cell and for the receptor."""
    slow: Bounds = {
        "R": ("20*Mohm", "500*Mohm"), "tau": ("5*ms", "100*ms"), "v_r": ("-85*mV", "-56*mV"),
        "t_ref": ("0.5*ms", "10*ms"),
    }  # fmt: skip
    fast: Bounds = {
        "tau": ("0.5*ms", "30*ms"), "v_r": ("-85*mV", "-56*mV"), "t_ref": ("0.5*ms", "3*ms"),
    }  # fmt: skip
    rise = ("0*mV", "20*mV")
    shape = {"Delta_T": ("0.2*mV", "5*mV"), "a": ("0*nS", "20*nS"), "V_r": ("-85*mV", "-52*mV")}
    return {
        "lif": (_leaky("lif"), slow, fast),
        "alif": (
            _leaky("alif", "dtheta/dt = -theta/tau_theta : volt", "theta += jump"),
            {**slow, "jump": rise, "tau_theta": ("10*ms", "500*ms")},
            {**fast, "jump": rise, "tau_theta": ("2*ms", "200*ms")},
        ),
        "adex": (
            _driven(
                "adex", initial={"v": "E_L", "w": "0*amp"},
                parameters={
                    "C": "200*pF", "g_L": "10*nS", "E_L": "-70*mV", "V_T": "-55*mV",
                    "Delta_T": "2*mV", "a": "2*nS", "tau_w": "100*ms", "b": "50*pA",
                    "V_r": "-70*mV", "I": "0*nA",
                },
            ),
            {
                **shape, "C": ("50*pF", "1*nF"), "g_L": ("2*nS", "50*nS"),
                "tau_w": ("10*ms", "500*ms"), "b": ("0*pA", "300*pA"),
            },
            {
                **shape, "C": ("5*pF", "300*pF"), "tau_w": ("2*ms", "200*ms"),
                "b": ("0*pA", "300*pA"),
            },
        ),
    }  # fmt: skip


def _leaky(name: str, more: str = "", reset: str = "") -> NeuronModel:
    """Return a leaky integrate-and-fire model; its threshold, 15 mV above rest, sets the scale."""
    height = "V_th + theta" if more else "V_th"
    return NeuronModel(
        name=name,
        description="Leaky integrate-and-fire neuron that a current drives.",
        equations=f"dv/dt = (E_L - v + R*I)/tau : volt (unless refractory)\n{more}",
        threshold=f"v > {height}", reset=f"v = v_r\n{reset}", refractory="t_ref",
        method="exponential_euler", input="v", weight="1*mV",
        parameters={
            "tau": "20*ms", "R": "100*Mohm", "E_L": "-70*mV", "V_th": "-55*mV", "v_r": "-70*mV",
            "t_ref": "2*ms", "I": "0*nA",
            **({"jump": "5*mV", "tau_theta": "100*ms"} if more else {}),
        },
        initial={"v": "E_L"},
        surrogate={"distance": f"v - ({height})", "scale": "V_th - E_L"},
    )  # fmt: skip
