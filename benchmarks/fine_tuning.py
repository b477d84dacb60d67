"""Fine-tuning after a change of neurons: the error before training, and after each epoch.

``python -m benchmarks.fine_tuning`` trains a small auto-encoder of lif neurons, gives it other
neurons without and with calibration, and continues training through their equations. It writes
``docs/results/fine_tuning.json`` and a table next to it after each run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.stored import RESULTS, Stored, write_text
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.loop import CHECKPOINT
from bioae.trainers.training.problem import evaluate
from bioae.trainers.training.starting import starting_network
from bioae.trainers.training.train import TrainingResult, assemble, train

__all__ = ["main", "table"]

_WORK = Path(__file__).parent.parent / "runs" / "fine_tuning"
_SOURCE = "lif"
_NEURONS = ("adex", "coba")
_CALIBRATIONS = ("none", "rate")

_DATA = {"name": "sample"}
_TRAINING: dict[str, Any] = {"batch_size": 32, "seed": 0, "threads": 1}
_FIRST: dict[str, Any] = {
    "training": {**_TRAINING, "epochs": 6, "learning_rate": 1e-3, "derivative": "membrane"},
    "regularisers": {"beta2": 0.01, "lambda2": 0.01},
}
# A spike derivative that reaches silent neurons, and no regularisers, which keep them silent.
_SECOND: dict[str, Any] = {
    "training": {**_TRAINING, "epochs": 2, "learning_rate": 4e-3, "derivative": "arctan"},
}


def main() -> None:
    """Run the measurements that are not stored yet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fine_tuning")
    parser.add_argument("--work", type=Path, default=_WORK, help="folder of the runs")
    parser.add_argument("--neurons", nargs="*", default=_NEURONS, help="neuron models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    stored = Stored(RESULTS / "fine_tuning.json", "python -m benchmarks.fine_tuning")
    network = {"preset": "strided", "neuron": _SOURCE}
    first = TrainingConfig.from_mapping({"data": _DATA, "network": network, **_FIRST})
    trained = _run(first, options.work / _SOURCE)
    if stored.find(neuron=_SOURCE) is None:
        stored.add({"neuron": _SOURCE, "calibrate": "", **_FIRST, **_after(trained)})
    for neuron in options.neurons:
        for calibrate in _CALIBRATIONS:
            if stored.find(neuron=neuron, calibrate=calibrate) is None:
                work = options.work / f"{neuron}-{calibrate}"
                stored.add(_changed(trained.model, neuron, calibrate, work))
                print(stored.rows[-1], flush=True)
            write_text(RESULTS / "fine_tuning-table.inc", table(stored.rows))


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per neuron and calibration: the error before, and after each epoch."""
    rows = list(rows)
    lines = [
        "| neuron | calibration | error when changed | after 1 epoch | after 2 epochs | of lif's |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    (source,) = (row["errors"][-1] for row in rows if row["neuron"] == _SOURCE)
    lines.append(f"| {_SOURCE} | | {source:.2f} | | | 100 % |")
    for row in rows:
        if row["neuron"] != _SOURCE:
            each = " | ".join(f"{error:.2f}" for error in [row["changed"], *row["errors"]])
            part = f"{row['errors'][-1] / source:.0%}".replace("%", " %")
            lines.append(f"| {row['neuron']} | {row['calibrate']} | {each} | {part} |")
    return "\n".join(lines) + "\n"


def _changed(model: Path, neuron: str, calibrate: str, work: Path) -> dict[str, Any]:
    init = {"model": str(model), "neuron": neuron, "calibrate": calibrate}
    training = {**_SECOND["training"], "init": init}
    config = TrainingConfig.from_mapping({"data": _DATA, **_SECOND, "training": training})
    start = starting_network(config)
    before = evaluate(assemble(config.with_network(start.config), start))
    first = {"changed": before["validation_sum_squared_error"], "changed_layers": before["layers"]}
    result = _run(config, work)
    weight = {layer.name: layer.weight for layer in start.config.layers}
    head = {"neuron": neuron, "calibrate": calibrate, **_SECOND, "weight": weight}
    return {**head, **first, **_after(result)}


def _run(config: TrainingConfig, out: Path) -> TrainingResult:
    return train(config, out, resume=(out / CHECKPOINT).exists())


def _after(result: TrainingResult) -> dict[str, Any]:
    return {
        "errors": [epoch["validation_sum_squared_error"] for epoch in result.history],
        "layers": result.history[-1]["layers"],
        "seconds": [round(epoch["seconds"], 1) for epoch in result.history],
    }


if __name__ == "__main__":
    main()
