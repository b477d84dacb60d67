"""Fits of cells with membrane noise and electrode noise, in plain Brian2.

``python -m benchmarks.fitting.membrane`` writes ``docs/results/membrane.json`` and the table of the
page as soon as each result is known: of each fit, without and with a Kalman gain, the distance of
each parameter from its true value, in standard errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import brian2 as b2
import numpy as np

import bioae
from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae.equations.declarations import parameter_values
from bioae.equations.model import NeuronModel
from bioae.files import write_text
from bioae.showing import markdown_table

_COMMAND = "python -m benchmarks.fitting.membrane"
_SEEDS = range(5)
#: Of the membrane, in mV per square root of a ms, and of the electrode, in mV.
_NOISES = ((0.0, 0.5), (0.05, 0.5), (0.3, 0.2), (0.3, 0.0), (1.0, 0.3))
_DT, _TRIALS, _SECONDS, _PULSE = 0.1 * b2.ms, 2, 2.0, 50

ADAPTING = NeuronModel(
    name="adapting",
    description="A leaky integrate-and-fire neuron that adapts, with an injected current.",
    equations="""
    dv/dt = (R*I - v - w)/tau : volt (unless refractory)
    dw/dt = -w/tau_w : volt
    I : amp
    """,
    threshold="v > theta",
    reset="v = v_r\nw += b",
    refractory="2*ms",
    method="euler",
    input="v",
    weight="1*mV",
    parameters={
        "R": "60*Mohm", "tau": "15*ms", "tau_w": "80*ms", "b": "2*mV", "theta": "15*mV",
        "v_r": "2*mV", "I": "0*nA",
    },
    trainable={
        "R": ("20*Mohm", "200*Mohm"), "tau": ("5*ms", "60*ms"), "b": ("0*mV", "10*mV"),
        "tau_w": ("20*ms", "300*ms"), "v_r": ("-5*mV", "8*mV"),
    },
)  # fmt: skip
#: Neuron models, their free parameters, and ranges of the current in nA.
_CELLS = {
    "adapting": (ADAPTING, [*ADAPTING.trainable], (0.1, 0.7)),
    "adex": (bioae.load_neuron("adex"), ["C", "g_L", "V_T", "b"], (0.2, 1.6)),
}


def record(model: NeuronModel, range_nA: tuple[float, float], noise: Any, seed: int) -> Any:
    """Return a recording of the cell in Brian2, and its number of spikes."""
    membrane, electrode = noise
    random = np.random.default_rng(seed)
    b2.seed(seed)
    steps = round(_SECONDS * b2.second / _DT)
    level = random.uniform(*range_nA, (_TRIALS, steps // _PULSE))
    current = np.repeat(level, _PULSE, axis=1) * b2.nA
    equations = re.sub(r"(dv/dt = .*?) : volt", r"\1 + sigma*xi : volt", model.equations)
    equations = re.sub(r"\n\s*(I|dI/dt =[^:]*) : amp", "\nI = timed(t, i) : amp", equations)
    values = {n: each for n, each in parameter_values(model).items() if n != "I"}
    values |= {"sigma": membrane * b2.mV / b2.ms**0.5, "timed": b2.TimedArray(current.T, dt=_DT)}
    group = b2.NeuronGroup(
        _TRIALS, equations, threshold=model.threshold, reset=model.reset, method="euler",
        refractory=model.refractory or False, namespace=values, dt=_DT,
    )  # fmt: skip
    for name, text in model.initial.items():
        setattr(group, name, text)
    spikes, states = b2.SpikeMonitor(group), b2.StateMonitor(group, "v", record=True)
    b2.Network(group, spikes, states).run(_SECONDS * b2.second)
    voltage = np.asarray(states.v) + random.normal(0, 1e-3 * electrode, states.v.shape)
    trains = [*spikes.spike_trains().values()]
    return bioae.Recording(current, dt=_DT, voltage=voltage * b2.volt, spikes=trains)


def run(name: str, noise: tuple[float, float], seed: int) -> dict[str, Any]:
    """Return the fits of one recording as plain data."""
    model, free, currents = _CELLS[name]
    recording = record(model, currents, noise, seed)
    true = [float(parameter_values(model)[each]) for each in free]
    row: dict[str, Any] = {
        "cell": name, "membrane": noise[0], "electrode": noise[1], "seed": seed, "free": free,
        "true": true, "spikes": sum(map(len, recording.spikes or ())),
    }  # fmt: skip
    for kind, names in (("without", free), ("with", [*free, "kalman_gain"])):
        fit = bioae.fit(model, recording, names, starts=4, seed=seed, progress=False)
        table = fit.table.sel(parameter=free)
        row[kind] = {
            "found": table.value.values.tolist(),
            "standard_errors": table.standard_error.values.tolist(),
            "residual_mV": 1e3 * fit.voltage_noise, "aic": fit.aic,
            "kalman_gain": float(fit.parameters.get("kalman_gain", 0.0)),
        }  # fmt: skip
    return row


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per cell and noise: distances from the true values without and with the gain."""
    rows, lines = list(rows), []
    for cell, membrane, electrode in dict.fromkeys(
        (row["cell"], row["membrane"], row["electrode"]) for row in rows
    ):
        noise = (cell, membrane, electrode)
        some = [r for r in rows if (r["cell"], r["membrane"], r["electrode"]) == noise]
        lines.append([f"`{cell}`", f"{membrane:g}", f"{electrode:g}"])
        for kind in ("without", "with"):
            off = np.array([np.subtract(r[kind]["found"], r["true"]) for r in some])
            z = off / np.array([r[kind]["standard_errors"] for r in some])
            largest = np.abs(off / np.array([r["true"] for r in some])).max()
            lines[-1] += [f"{np.sqrt(np.nanmean(z**2)):.2g}", f"{largest:.1%}"]
        gains = np.array([r["with"]["kalman_gain"] for r in some])
        electrodes = np.sqrt(1 - gains) * [r["with"]["residual_mV"] for r in some]
        lines[-1] += [f"{gains.mean():.2g}", f"{electrodes.mean():.2g}"]
    head = [
        "cell", "membrane (mV/√ms)", "electrode (mV)", "without: rms distance", "largest error",
        "with: rms distance", "largest error", "Kalman gain", "its electrode (mV)",
    ]  # fmt: skip
    return markdown_table(head, lines) + "\n"


def main() -> None:
    """Fit each cell at each noise, and write each result as soon as it is available."""
    chosen = parser(_COMMAND, __doc__).parse_args()
    b2.prefs.codegen.target = "numpy"
    stored = Stored(DOCS_RESULTS / "membrane.json", _COMMAND)
    keys = [
        {"cell": name, "membrane": noise[0], "electrode": noise[1], "seed": seed}
        for name, noise, seed in product(_CELLS, _NOISES, _SEEDS)
    ]
    for key in stored.pending(keys, resume=chosen.resume):
        stored.add(run(key["cell"], (key["membrane"], key["electrode"]), key["seed"]))
        write_text(DOCS_RESULTS / "membrane-table.inc", table(stored.rows), overwrite=True)


if __name__ == "__main__":
    main()
