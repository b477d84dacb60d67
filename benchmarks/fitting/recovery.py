"""Recovery of the parameters of library models from their own spikes and noisy traces.

``python -m benchmarks.fitting.recovery`` writes ``docs/results/recovery.json`` and the table of the
page as soon as each result is known. Times are processor times, without compilation.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from brian2 import Quantity, second
from brian2.units.fundamentalunits import get_dimensions
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

import bioae
from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae.equations.arrays.start import default_parameters
from bioae.equations.declarations import parameter_values
from bioae.equations.driven import potential, unit_of
from bioae.equations.library import available
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.program import INPUT
from bioae.equations.quantities import time_in_seconds
from bioae.files import write_text
from bioae.showing import markdown_table
from bioae.trainers.fitting.objective import CompiledObjective
from bioae.trainers.fitting.problem import problem
from bioae.trainers.fitting.settings import Settings
from bioae.trainers.mirror.derivatives import FastSigmoid
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.neuron import NeuronMirror
from bioae.trainers.mirror.population import Population

_COMMAND = "python -m benchmarks.fitting.recovery"
_SEEDS, _STARTS = range(5), 20
_TRIALS, _STEPS, _BLOCK = 4, 2000, 100
_RATE_HZ, _WIDTH, _NOISE = 25.0, 0.1, 0.05

#: Parameters count as identifiable whose standard error, expected at the truth, is at most this
#: part of the true value (of their range, if that is 0).
_IDENTIFIABLE = 0.1
_95 = 1.96

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Sampled:
    """Trials of a model with escape noise: input, spikes and potential (trial, time)."""

    signal: Signal
    spikes: NDArray[np.bool_]
    voltage: Signal


class Cell:
    """A library model that fires with escape noise, which the likelihood of a fit assumes."""

    def __init__(self, model: NeuronModel) -> None:
        self.model, self.dt = model, 1e-3
        if model.dt is not None:
            self.dt = time_in_seconds(model.dt, where=model.name)
        program = lower(model)
        self._neuron = NeuronMirror(
            Population(program, (1,), dt=self.dt), default_parameters(program),
            Backward(FastSigmoid()), dtype=torch.float64,
        )  # fmt: skip

    @torch.no_grad()
    def sample(self, signal: Signal, random: Generator) -> Sampled:
        """Return trials with an input in network weights (trial, time)."""
        trials, steps = signal.shape
        neuron, name = self._neuron, potential(self.model)
        values = neuron.start(trials)
        spikes, voltage = np.zeros((trials, steps), bool), np.zeros((trials, steps))
        fired = torch.zeros(trials, 1, dtype=torch.bool)

        def draw(now: dict[str, Tensor]) -> None:
            x = neuron.excess(now)
            x = torch.where(x > 0, torch.tanh(x), x)
            chance = torch.sigmoid(x / _WIDTH + np.log(self.dt / 1e-3))
            ready = now["not_refractory"] if neuron.program.refractory else True
            fired.copy_((torch.from_numpy(random.random((trials, 1))) < chance) & ready)

        for step in range(steps):
            voltage[:, step] = values[name].expand(trials, 1)[:, 0].numpy()
            values |= neuron.at(step)
            arriving = {INPUT: torch.from_numpy(signal[:, [step]])}
            neuron.step(values, arriving, at_threshold=draw, fired=fired)
            spikes[:, step] = fired[:, 0].numpy()
        return Sampled(signal, spikes, voltage)

    def record(self, seed: int) -> bioae.Recording:
        """Return spikes at about `_RATE_HZ`, and a potential with noise of 5 % of its deviation."""
        random = np.random.default_rng(seed)
        level = random.uniform(0, 2, (_TRIALS, _STEPS // _BLOCK)).repeat(_BLOCK, axis=1)
        signal = level * random.poisson(600 * self.dt, level.shape)
        found = self.sample(self._amplitude(signal, random) * signal, random)
        noise = _NOISE * found.voltage.std() * random.standard_normal(signal.shape)
        unit = unit_of(self.model, potential(self.model))
        return bioae.Recording(
            found.signal, dt=self.dt * second, name=self.model.name,
            voltage=Quantity(found.voltage + noise, dim=get_dimensions(unit)),
            spikes=[np.flatnonzero(row) * self.dt for row in found.spikes],
        )  # fmt: skip

    def _amplitude(self, signal: Signal, random: Generator) -> float:
        part, low, high, middle = signal[:, : _STEPS // 4], 0.0, np.inf, 0.05
        for _ in range(20):
            rate = self.sample(middle * part, random).spikes.mean() / self.dt
            if abs(rate / _RATE_HZ - 1) < 0.2:
                break
            low, high = (middle, high) if rate < _RATE_HZ else (low, middle)
            middle = 2 * middle if high == np.inf else (low + high) / 2
        return middle


def run(name: str, seed: int) -> dict[str, Any]:
    """Return one recovery as plain data."""
    model = bioae.load_neuron(name)
    recording = Cell(model).record(seed)
    known = {n: float(each) for n, each in parameter_values(model).items()}
    true = {n: known[n] for n in model.trainable}
    free = _identifiable(model, recording, true)
    options: dict[str, Any] = {"starts": _STARTS, "candidates": _STARTS, "seed": seed}
    began = time.process_time()
    fit = bioae.fit(model, recording, free, progress=False, **options)
    seconds = time.process_time() - began
    table = fit.table.sel(parameter=free)
    loss = fit.starts.loss.to_numpy()
    return {
        "model": name, "seed": seed, "spikes": sum(map(len, recording.spikes or ())),
        "free": free, "left_out": [n for n in true if n not in free],
        "true": [true[n] for n in free], "found": table.value.values.tolist(),
        "standard_errors": table.standard_error.values.tolist(),
        "range": (table.high - table.low).values.tolist(),
        "agree": int((loss <= loss.min() + 0.01 * abs(loss.min())).sum()),
        "seconds": round(seconds, 2),
    }  # fmt: skip


def _identifiable(
    model: NeuronModel, recording: bioae.Recording, true: Mapping[str, float]
) -> list[str]:
    """Return the parameters that the recording determines, by the information at the truth."""
    free = [*true]
    while free:
        try:
            settings = Settings.read({}, starts=1, seed=0)
            stated = problem(model, recording, free, place=None, voltage=None, settings=settings)
            noise = _NOISE * float(np.std(recording.voltage))
            function = CompiledObjective(
                stated.driven, stated.free, stated.drive(), potential=stated.potential,
                fixed=stated.fixed, voltage_noise=noise,
            )  # fmt: skip
            at = {**true, "noise width": _WIDTH}
            places = [each.place(at[each.name]) for each in stated.free]
            information = function(np.clip([places], 1e-6, 1 - 1e-6)).information[0]
        except bioae.errors.InputError:
            return []
        slopes = [
            float(each.slope(np.asarray(u))) for each, u in zip(stated.free, places, strict=True)
        ]
        scales = [abs(at[each.name]) or each.high - each.low for each in stated.free]
        errors = (_errors(information) * slopes / scales)[: len(free)]
        seen = [n for n, error in zip(free, errors, strict=True) if error <= _IDENTIFIABLE]
        if len(seen) == len(free):
            return free
        # The least determined one is known to the next fit.
        free.pop(int(np.argmax(errors)))
    return free


def _errors(information: Signal) -> Signal:
    blind = np.diag(information) <= 0
    matrix = information + np.diag(np.where(blind, 1e-12, 0.0))
    variances = np.diag(np.linalg.pinv(matrix, hermitian=True))
    return np.where(blind, np.inf, np.sqrt(np.maximum(variances, 0.0)))


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per model: errors, coverage and agreement of all its fits."""
    rows = list(rows)
    lines = []
    for name in dict.fromkeys(row["model"] for row in rows):
        each = [row for row in rows if row["model"] == name]
        free = dict.fromkeys(parameter for row in each for parameter in row["free"])
        errors, covered = _compared(each)
        lines.append([
            f"`{name}`", ", ".join(f"`{n}`" for n in free),
            f"{np.median(errors):.2%}", f"{np.max(errors):.2%}", f"{np.mean(covered):.0%}",
            f"{np.median([row['agree'] for row in each]):.0f} of {_STARTS}",
            f"{np.median([row['seconds'] for row in each]):.1f}",
        ])  # fmt: skip
    errors, covered = _compared(rows)
    lines.append(["all", "", f"{np.median(errors):.2%}", f"{np.max(errors):.2%}",
                  f"{np.mean(covered):.0%}", "", ""])  # fmt: skip
    head = ["model", "parameters", "median error", "largest", "covered", "starts", "seconds"]
    return markdown_table(head, lines) + "\n"


def _compared(rows: Sequence[Mapping[str, Any]]) -> tuple[Signal, NDArray[np.bool_]]:
    """Return the errors, relative to the true values, and whether 1.96 standard errors cover them.

    An error of a parameter whose true value is 0 is relative to its range.
    """
    names = ("true", "found", "standard_errors", "range")
    true, found, errors, ranges = (np.concatenate([row[name] for row in rows]) for name in names)
    distance = np.abs(found - true)
    return distance / np.where(true == 0, ranges, np.abs(true)), distance <= _95 * errors


def main() -> None:
    """Recover the parameters of each model, and write each result as soon as it is available."""
    options = parser(_COMMAND, __doc__)
    options.add_argument("models", nargs="*", help="neuron models; default: all that fire")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    names = chosen.models or [
        n for n in available() if (m := bioae.load_neuron(n)).threshold and not lower(m).draws
    ]
    stored = Stored(DOCS_RESULTS / "recovery.json", _COMMAND)
    keys = [{"model": name, "seed": seed} for seed, name in product(_SEEDS, names)]
    for key in stored.pending(keys, resume=chosen.resume):
        row = run(key["model"], key["seed"])
        stored.add(row)
        write_text(DOCS_RESULTS / "recovery-table.inc", table(stored.rows), overwrite=True)
        print(f"{row['model']}, seed {row['seed']}: {row['agree']} agree, {row['seconds']} s",
              dict(zip(row["free"], zip(row["true"], row["found"], strict=True), strict=True)),
              row["left_out"], flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
