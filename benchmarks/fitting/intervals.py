"""Intervals over time of Γ at 2 ms on data left out: ``python -m benchmarks.fitting.intervals``.

Blocks of 0.5 s are drawn with replacement, the same ones for all equations; the intervals contain
95 % of the resamples. Values are medians over the seeds, those of a resample, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from brian2 import Quantity

from benchmarks.fitting.cases import DELTAS, Times, load_cases
from benchmarks.stored import DOCS_RESULTS, Stored
from bioae.analysis import coincidence_factor
from bioae.files import write_text

_FILES = DOCS_RESULTS / "fitting.json", DOCS_RESULTS / "fitting_intervals-table.inc"
_DELTA, _BLOCK, _RESAMPLES = DELTAS[0], 0.5, 1000
_METHODS, _EQUATIONS = ("bioae", "bioae, 2 ms", "evolution, 2 ms"), ("lif", "alif", "adex")


def main() -> None:
    """Write the table, with the differences from the leaky neuron."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.fitting.intervals")
    options.add_argument("folder", type=Path, help="the folder of the recordings")
    cases, rows = load_cases(options.parse_args().folder), Stored(_FILES[0], "").rows
    lines = ["| part | method | lif | alif | adex | alif - lif | adex - lif |", "| --- " * 7 + "|"]
    for place in ("end", "other"):
        for method in _METHODS:
            values = []
            for name in (f"receptor {each}" for each in _EQUATIONS):
                own = [r for r in rows if (r["case"], r["method"]) == (name, method)]
                score = np.median([row["held_out"][f"{place}, gamma 2 ms"] for row in own])
                recording, begin = cases[name].tests[place]
                trains = cases[name].fired([row["parameters"] for row in own], recording)
                trains.insert(0, (recording.spikes or ())[0])
                values.append(np.append(score, _resampled(trains, begin, recording.duration)))
            values += [each - values[0] for each in values[1:]]
            lines.append(f"| {place} | {method} | {' | '.join(map(_cell, values))} |")
    write_text(_FILES[1], "\n".join(lines) + "\n", overwrite=True)


def _resampled(trains: list[Times], begin: Quantity, end: Quantity) -> list[float]:
    """Return the median Γ of predicted trains, after the recorded one, of each resample."""
    edges = np.arange(float(begin), float(end) - _BLOCK / 2, _BLOCK)
    cut = [[t[(t >= at) & (t < at + _BLOCK)] - at for at in edges] for t in trains]
    found: list[float] = []
    for chosen in np.random.default_rng(0).integers(len(edges), size=(_RESAMPLES, len(edges))):
        recorded, *predicted = [[each[k] for k in chosen] for each in cut]  # blocks are trials
        gamma = [coincidence_factor(recorded, p, delta=_DELTA, duration=_BLOCK) for p in predicted]
        found.append(float(np.median(gamma)))
    return found


def _cell(values: Times) -> str:
    low, high = np.percentile(values[1:], (2.5, 97.5))
    return f"{values[0]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
