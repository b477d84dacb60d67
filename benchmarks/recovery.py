"""Recovery of the parameters of neuron models from their spikes.

``python -m benchmarks.recovery`` writes ``docs/results/recovery.json`` and the table of the page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from benchmarks.trained_population import Parameters, TrainedPopulation
from bioae.equations.library import load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.program import INPUT
from bioae.errors import ModelError
from bioae.files import write_text
from bioae.noise import Key
from bioae.progress import counted
from bioae.random import stream
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.neuron import NeuronMirror, PopulationRun

_COMMAND = "python -m benchmarks.recovery"
_SEEDS = range(3)
_FACTORS = (2.0, 0.5)


_BLOCK_SECONDS = 0.1
_ARRIVALS_HZ = 600.0
_HALVINGS = 12
_MOST_DOUBLINGS = 40

#: Successive widths of the escape noise: wide enough to converge, then narrow.
WIDTHS = (0.1, 0.03, 0.01, 0.003)


@dataclass(frozen=True)
class Case:
    """The parameters of a model to recover together: time constants, thresholds and adaptation.

    Attributes
    ----------
    parameters
        The trained parameters; the others are known.
    origins, options
        See `recover`.
    """

    parameters: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "lif": Case(("tau", "theta")),
    "cuba": Case(("tau", "tau_syn", "theta")),
    "alif": Case(("tau", "tau_adapt", "theta", "beta")),
    # With the leak known, the capacitance is the membrane's time constant.
    "adex": Case(("C", "tau_w", "tau_syn", "V_T"), {"V_T": "E_L"}),
}


def main() -> None:
    """Recover the parameters of each model, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("models", nargs="*", default=[*CASES], help="neuron models")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    stored = Stored(DOCS_RESULTS / "recovery.json", _COMMAND)
    keys = [
        {"model": model, "factor": factor, "seed": seed}
        for model, factor, seed in product(options.models, _FACTORS, _SEEDS)
    ]
    for key in stored.pending(keys, resume=options.resume):
        row = run(**key)
        stored.add(row)
        write_text(DOCS_RESULTS / "recovery-table.inc", table(stored.rows), overwrite=True)
        print(
            f"{row['model']} x {row['factor']:g}, seed {row['seed']}: {row['worst']:.2%}",
            flush=True,
        )


def run(model: str, factor: float, seed: int) -> dict[str, Any]:
    """Return one recovery as plain data."""
    case = CASES[model]
    started = time.perf_counter()
    loaded = load_neuron(model)
    recovery: Recovery = recover(
        loaded, case.parameters, factor=factor, origins=case.origins, seed=seed, **case.options
    )
    units = {name: lower(loaded).parameters[name].unit for name in case.parameters}
    return {
        "model": model,
        "factor": factor,
        "seed": seed,
        "options": dict(case.options),
        "units": units,
        **{
            name: getattr(recovery, name) for name in ("true", "start", "found", "origin", "errors")
        },
        "worst": recovery.worst,
        "spikes": recovery.spikes,
        "active_fraction": recovery.active_fraction,
        "agreement_before": recovery.agreement_before,
        "agreement": recovery.agreement,
        "evaluations": recovery.evaluations,
        "seconds": round(time.perf_counter() - started, 1),
    }


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per model and parameter: the largest errors over the seeds."""
    lines = [
        "| model | parameter | true (x 2; x 0.5) | base unit | from x 2 | from x 0.5 |",
        "| --- | --- | ---: | --- | ---: | ---: |",
    ]
    rows = list(rows)
    for model in CASES:
        matching = [row for row in rows if row["model"] == model]
        for name in matching[0]["true"] if matching else ():
            true = dict.fromkeys(row["true"][name] for row in matching)
            unit = matching[0]["units"][name]
            values = "; ".join(f"{value:.4g}" for value in true)
            errors = [_worst(matching, factor, name) for factor in _FACTORS]
            lines.append(f"| {model} | `{name}` | {values} | {unit} | {' | '.join(errors)} |")
    return "\n".join(lines) + "\n"


def _worst(rows: Iterable[Mapping[str, Any]], factor: float, name: str) -> str:
    errors = [row["errors"][name] for row in rows if row["factor"] == factor]
    return f"{max(errors):.2%}" if errors else ""


@dataclass(frozen=True)
class Recovery:
    """Result of a recovery; parameters are in base units.

    Attributes
    ----------
    true, start, found
        By parameter: the true, the initial and the fitted value.
    origin
        By parameter: the value from which it is measured.
    spikes
        The number of spikes in the data.
    active_fraction
        The fraction of neurons and examples with at least one spike.
    agreement_before, agreement
        The spikes that the freely running model shares with the data over those of either, before
        and after the fit.
    evaluations
        The number of gradients computed.
    """

    true: dict[str, float]
    start: dict[str, float]
    found: dict[str, float]
    origin: dict[str, float]
    spikes: int
    active_fraction: float
    agreement_before: float
    agreement: float
    evaluations: int

    @property
    def errors(self) -> dict[str, float]:
        """The error of each parameter, relative to its true distance from the origin."""
        return {
            name: abs((self.found[name] - true) / (true - self.origin[name]))
            for name, true in self.true.items()
        }

    @property
    def worst(self) -> float:
        """The largest of the errors."""
        return max(self.errors.values())


def recover(
    model: NeuronModel,
    parameters: Sequence[str],
    *,
    factor: float = 2.0,
    origins: Mapping[str, str] | None = None,
    dt: str = "1*ms",
    neurons: int = 64,
    examples: int = 4,
    steps: int = 200,
    rate_hz: float = 30.0,
    widths: Sequence[float] = WIDTHS,
    seed: int = 0,
) -> Recovery:
    """Train parameters from a start that is off by a factor, on spikes fired with the true ones.

    Input and spikes are known, states are not. The likelihood of the spikes under teacher forcing
    and logistic escape noise (see `ForcedNeuron`) is maximised by L-BFGS-B within the bounds of
    ``[trainable]``, for successively narrower noise; its gradient is that of the model's equations.
    If the likelihood does not rise as the noise narrows, the parameters do not explain the spikes:
    training then restarts about a tenth away from the start, and the best of several attempts is
    returned.

    Parameters
    ----------
    model
        The neuron model.
    parameters
        The trainable parameters to train, all together; the others are known.
    factor
        The factor between initial and true value. If the start would leave the bounds, the true
        value is changed so that both are within them.
    origins
        By parameter, an expression of the model's parameters from which it is measured; 0 by
        default. A threshold potential is measured from the resting potential.
    dt
        The time step.
    neurons, examples, steps
        The size of the data: unconnected neurons, presentations, steps of each.
    rate_hz
        The mean rate of the neurons; the input is scaled accordingly.
    widths
        The widths of the escape noise, in units of the surrogate's scale.
    seed
        The seed of the input.

    Raises
    ------
    InputError
        If a parameter is not trainable, or its bounds are narrower than the factor.
    ModelError
        If the model never fires.
    """
    population = TrainedPopulation(model, parameters, dt=dt, neurons=neurons, origins=origins or {})
    true, start = population.place(factor)
    seconds = population.dt
    truth = population.free(true)
    stimulus = _make_stimulus(
        stream(seed, 0),
        steps=steps,
        examples=examples,
        neurons=neurons,
        dt=seconds,
        lead_in=truth.schedule.lead_in,
    )
    key = Key(seed, np.arange(examples))
    amplitude = stimulus.amplitude(truth, rate_hz * seconds, key)
    spikes = stimulus.spikes(truth, amplitude, key)

    def agreement(values: Parameters) -> float:
        own = stimulus.spikes(population.free(values), amplitude, key)
        return ((own * spikes).sum() / torch.maximum(own, spikes).sum()).item()

    with counted("fitting", len(widths), unit="widths of noise") as report:
        arriving = stimulus.steps(amplitude)
        fitted, evaluations = population.descend(
            start, arriving, spikes, widths, key, report=report
        )

    def trained(values: Parameters) -> dict[str, float]:
        return {name: float(values[name]) for name in parameters}

    return Recovery(
        true=trained(true),
        start=trained(start),
        found=trained(fitted),
        origin=population.origins,
        spikes=int(spikes.sum()),
        active_fraction=spikes.any(0).double().mean().item(),
        agreement_before=agreement(start),
        agreement=agreement(fitted),
        evaluations=evaluations,
    )


class _Stimulus:
    """The input of a population (time, example, neuron), followed by steps without input."""

    def __init__(self, arriving: Tensor, lead_in: int) -> None:
        self._arriving = arriving
        self._lead_in = lead_in

    def steps(self, amplitude: float) -> list[Arrived | None]:
        """Return the input of each step; one arrival is `amplitude` network weights."""
        sums = (amplitude * self._arriving).unbind(0)
        return [*({INPUT: each} for each in sums), *[None] * self._lead_in]

    @torch.no_grad()
    def spikes(self, neuron: NeuronMirror, amplitude: float, key: Key) -> Tensor:
        """Return the spikes of a population on this input (time, example, neuron)."""
        run: PopulationRun = neuron(self.steps(amplitude), record=["_spike"], key=key)
        return run.recorded["_spike"]

    def amplitude(self, neuron: NeuronMirror, per_step: float, key: Key) -> float:
        """Return the amplitude at which the mean rate is `per_step` spikes per step.

        Raises
        ------
        ModelError
            If no amplitude reaches that rate.
        """

        def rate(amplitude: float) -> float:
            return self.spikes(neuron, amplitude, key).mean().item()

        low, high = 0.0, 2.0**-10
        for _ in range(_MOST_DOUBLINGS):
            if rate(high) >= per_step:
                break
            low, high = high, 2 * high
        else:
            raise ModelError(
                f"no input makes {neuron.program.model.name!r} fire at the requested rate",
                expected=f"{per_step:g} spikes per step",
                found=f"{rate(high):g} at an amplitude of {high:g}",
                hint="Ask for a lower rate",
            )
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if rate(middle) >= per_step else (middle, high)
        return high


def _make_stimulus(
    generator: Generator, *, steps: int, examples: int, neurons: int, dt: float, lead_in: int
) -> _Stimulus:
    """Draw Poisson arrivals whose rate differs between neurons and between blocks of time."""
    length = max(1, round(_BLOCK_SECONDS / dt))
    shape = (math.ceil(steps / length), examples, neurons)
    block = generator.uniform(0.0, 2.0, shape).repeat(length, axis=0)[:steps]
    level = generator.uniform(0.0, 1.0, shape[1:])
    arrivals = generator.poisson(_ARRIVALS_HZ * dt * level * block).astype(np.float64)
    return _Stimulus(torch.from_numpy(arrivals), lead_in)


if __name__ == "__main__":
    main()
