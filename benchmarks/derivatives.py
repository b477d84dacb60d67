"""Cost of training by exact spike times and of trained delays, compared with steps without them.

``python -m benchmarks.derivatives`` trains a layer of 400 neurons between digits and a read-out:
forward, backward and Adam's update, compiled, on one thread. Steps with and without take turns,
from the same weights, with the same spikes. *Ratio* is that of their processor time, round by
round: the median, and the range.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn import functional

from benchmarks.interleaved import interleaved, spread, summary_row
from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae.files import write_text
from bioae.showing import markdown_table
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.training import assemble

_COMMAND = "python -m benchmarks.derivatives"
_BATCH, _STEPS, _NEURONS = 64, 50, 400
_SURROGATE = "fast_sigmoid"

#: What is compared with a step without it, as tables of training and the delay of the layer.
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "exact": ({"derivative": "exact"}, None),
    "one trained delay": ({"delays": {"hidden.weight": ["0*ms", "8*ms"]}}, "4*ms"),
    "a trained delay of each connection": (
        {"delays": {"hidden.weight": ["0*ms", "8*ms"]}}, ["0*ms", "8*ms"],
    ),
}  # fmt: skip
#: Pairs of a case and a model; layers are feed-forward and recurrent with `exact`.
_KEYS = [
    *({"what": "exact", "model": model, "recurrent": recurrent}
      for model in ("cuba", "alif", "adex") for recurrent in (False, True)),
    *({"what": what, "model": model, "recurrent": False}
      for what in list(CASES)[1:] for model in ("cuba", "alif")),
]  # fmt: skip


def configuration(
    model: str, *, recurrent: bool, delay: Any = None, **training: Any
) -> TrainingConfig:
    """Return the network of a case and its training, on embedded digits."""
    hidden = {"kind": "dense", "name": "hidden", "units": _NEURONS, "neuron": model}
    hidden |= {"recurrent": True, "recurrent_gain": 0.5} if recurrent else {}
    hidden |= {} if delay is None else {"delay": delay}
    network = {
        "input_shape": [1, 28, 28], "steps": _STEPS, "decoder": {"kind": "mean"},
        "task": {"kind": "classification", "classes": 10},
        "layers": [
            hidden,
            {"kind": "dense", "name": "output", "units": 10, "neuron": "leaky_readout"},
        ],
    }  # fmt: skip
    settings = {
        "derivative": _SURROGATE, "initialise": "calibrated", "batch_size": _BATCH, "threads": 1,
        "compile": True, **training,
    }  # fmt: skip
    return TrainingConfig.from_mapping(
        {"data": {"name": "sample", "train": 600}, "network": network, "training": settings}
    )


def step(config: TrainingConfig) -> Callable[[], float]:
    """Return a step of training, which returns the spikes per neuron and step."""
    problem = assemble(config)
    batch = problem.batch(problem.data.train[:_BATCH], 0)
    optimiser = torch.optim.Adam(problem.mirror.parameters(), lr=1e-9, fused=True)

    def train() -> float:
        activity = problem.run(batch)
        optimiser.zero_grad()
        functional.cross_entropy(activity.output, batch.targets).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(activity.layers["hidden"].counts.detach().mean()) / _STEPS

    return train


def compared(what: str, model: str, *, recurrent: bool, runs: int) -> dict[str, Any]:
    """Return the density of spikes, the milliseconds of both steps, and the ratio."""
    training, delay = CASES[what]
    works = {
        "without": step(configuration(model, recurrent=recurrent, delay=delay)),
        "with": step(configuration(model, recurrent=recurrent, delay=delay, **training)),
    }
    densities = [work() for work in works.values()]
    times = interleaved(works, runs=runs, clock=time.process_time)
    ratios = [one / other for one, other in zip(times["with"], times["without"], strict=True)]
    ratio = summary_row("ratio", ratios)
    return {
        "density": [round(each, 4) for each in densities],
        **{name: round(1e3 * statistics.median(each), 2) for name, each in times.items()},
        **{n: round(getattr(ratio, n), 3) for n in ("median", "lowest", "highest")}, "runs": runs,
    }  # fmt: skip


def main() -> None:
    """Measure each case, and write each row as soon as it is known."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--runs", type=int, default=21, help="rounds that count")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    stored = Stored(DOCS_RESULTS / "derivatives.json", _COMMAND)
    for key in stored.pending(_KEYS, resume=options.resume):
        row = compared(key["what"], key["model"], recurrent=key["recurrent"], runs=options.runs)
        stored.add({**key, **row})
        print(stored.rows[-1], flush=True)
        path = DOCS_RESULTS / "derivatives-table.inc"
        write_text(path, table(stored.rows) + "\n", overwrite=True)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the table of the page."""
    head = ["", "model", "recurrent", "without, ms", "with, ms", "ratio"]
    return markdown_table(
        head,
        [
            [
                row["what"], row["model"], "yes" if row["recurrent"] else "no",
                f"{row['without']:.0f}", f"{row['with']:.0f}", spread(row),
            ]
            for row in rows
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
