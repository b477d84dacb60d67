"""Fine-tuning of a trained network with other neurons: errors before and after.

``python -m benchmarks.fine_tuning`` trains a small auto-encoder of lif neurons, gives it other
neurons without and with calibration, and continues training through their equations. It writes
``docs/results/fine_tuning.json`` and the table of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import train
from bioae.files import write_text
from bioae.runs import Trained
from bioae.runs.folder import CHECKPOINT
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.descent import evaluate
from bioae.trainers.training.starting import starting_network
from bioae.trainers.training.training import assemble

_COMMAND = "python -m benchmarks.fine_tuning"
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
    """Measure each neuron and calibration, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--work", type=Path, default=_WORK, help="folder of the runs")
    arguments.add_argument("--neurons", nargs="*", default=_NEURONS, help="neuron models")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    stored = Stored(DOCS_RESULTS / "fine_tuning.json", _COMMAND)
    network = {"preset": "strided", "neuron": _SOURCE}
    first = TrainingConfig.from_mapping({"data": _DATA, "network": network, **_FIRST})
    trained = _run(first, options.work / _SOURCE, resume=options.resume)
    keys = [{"neuron": _SOURCE, "calibrate": ""}]
    keys += [{"neuron": n, "calibrate": c} for n, c in product(options.neurons, _CALIBRATIONS)]
    for key in stored.pending(keys, resume=options.resume):
        if key["neuron"] == _SOURCE:
            stored.add({**key, **_FIRST, **_after(trained)})
        else:
            work = options.work / f"{key['neuron']}-{key['calibrate']}"
            stored.add(_changed(trained.model, **key, work=work, resume=options.resume))
        print(stored.rows[-1], flush=True)
        write_text(DOCS_RESULTS / "fine_tuning-table.inc", table(stored.rows), overwrite=True)


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


def _changed(
    model: Path, neuron: str, calibrate: str, work: Path, *, resume: bool
) -> dict[str, Any]:
    init = {"model": str(model), "neuron": neuron, "calibrate": calibrate}
    training = {**_SECOND["training"], "init": init}
    config = TrainingConfig.from_mapping({"data": _DATA, **_SECOND, "training": training})
    start = starting_network(config)
    before = evaluate(assemble(config.with_network(start.config), start))
    first = {"changed": before["validation_sum_squared_error"], "changed_layers": before["layers"]}
    result = _run(config, work, resume=resume)
    weight = {layer.name: layer.weight for layer in start.config.layers}
    head = {"neuron": neuron, "calibrate": calibrate, **_SECOND, "weight": weight}
    return {**head, **first, **_after(result)}


def _run(config: TrainingConfig, out: Path, *, resume: bool) -> Trained:
    resume = resume and (out / CHECKPOINT).exists()
    return train(config, out=out, resume=resume, overwrite=not resume)


def _after(result: Trained) -> dict[str, Any]:
    return {
        "errors": [epoch["validation_sum_squared_error"] for epoch in result.records],
        "layers": result.records[-1]["layers"],
        "seconds": [round(epoch["seconds"], 1) for epoch in result.records],
    }


if __name__ == "__main__":
    main()
