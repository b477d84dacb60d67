"""Accuracy of short trainings from drawn and from calibrated initial weights.

``python -m benchmarks.calibrated_start`` trains a classifier of the embedded digits for 5 epochs,
100 hidden neurons and 25 steps, with each neuron, gain of the drawn weights, optimisation and seed.
The output layer, whose potential is read, has the gain under both starts: it is not calibrated.
The command writes ``docs/results/calibrated_start.json`` and the table of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from statistics import median
from typing import Any

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import train
from bioae.files import write_text

_COMMAND = "python -m benchmarks.calibrated_start"
_NEURONS = ("lif", "izhikevich", "adex")
#: The default gain of dense layers, a tenth and ten times of it.
_GAINS = (2.0, 0.2, 20.0)
_OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "arctan": {"derivative": "arctan", "learning_rate": 0.005},
}
_STARTS = ("drawn", "calibrated")


def main() -> None:
    """Train each network, and write each result as soon as it is available."""
    options = parser(_COMMAND, __doc__).parse_args()
    stored = Stored(DOCS_RESULTS / "calibrated_start.json", _COMMAND)
    names = ("seed", "neuron", "gain", "options", "initialise")
    cases = product(range(3), _NEURONS, _GAINS, _OPTIONS, _STARTS)
    keys = [dict(zip(names, case, strict=True)) for case in cases]
    for key in stored.pending(keys, resume=options.resume):
        stored.add({**key, **measured(**key)})
        print(stored.rows[-1], flush=True)
        write_text(DOCS_RESULTS / "calibrated_start-table.inc", table(stored.rows), overwrite=True)


def measured(seed: int, neuron: str, gain: float, options: str, initialise: str) -> dict[str, Any]:
    """Return the test accuracy of a network, and the rate at which its hidden layer starts."""
    layer = {"kind": "dense", "neuron": neuron, "gain": gain}
    layers = [{**layer, "name": "hidden", "units": 100}, {**layer, "name": "output", "units": 10}]
    network = {
        "input_shape": [1, 28, 28],
        "steps": 25,
        "task": {"kind": "classification", "classes": 10},
        "decoder": {"kind": "mean"},
        "layers": layers,
    }
    training = {"epochs": 5, "seed": seed, "threads": 1, "initialise": initialise}
    config = {"network": network, "training": {**training, **_OPTIONS[options]}}
    result = train({"data": {"name": "sample"}, **config}, progress=False)
    assert result.start is not None
    rate = result.start.layers["hidden"]["rate_per_step_mean"]
    return {"accuracy": result.summary["test_accuracy"], "rate_per_step": round(rate, 5)}


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per neuron and gain: the median accuracy of each optimisation and start."""
    columns = [*product(_OPTIONS, _STARTS)]
    lines = [
        f"| neuron | gain | {' | '.join(f'{options}, {start}' for options, start in columns)} |",
        "| --- | ---: |" + " ---: |" * len(columns),
    ]
    accuracies: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("neuron", "gain", "options", "initialise"))
        accuracies.setdefault(key, []).append(row["accuracy"])
    for neuron, gain in product(_NEURONS, _GAINS):
        cells = (accuracies.get((neuron, gain, *column)) for column in columns)
        texts = (f"{median(cell):.2f}" if cell else "" for cell in cells)
        lines.append(f"| {neuron} | {gain:g} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
