"""How training went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.style import COLOURS, LINES, panels, styled
from bioae.analysis.results.training_metrics import read_metrics
from bioae.errors import ResultError

__all__ = ["training_curves"]

Epochs = Sequence[Mapping[str, float]]


@styled
def training_curves(
    metrics: Mapping[str, Path | str], *, keys: Sequence[str] | None = None, x: str = "epoch"
) -> Figure:
    """Draw each metric in a panel, a line for each run.

    Parameters
    ----------
    metrics
        Files of a JSON object a line, by the names of the runs (`read_metrics`).
    keys
        Which metrics, in which order; by default every one that changes in some run.
    x
        The key on the horizontal axis. Where a value of it comes twice, as after an interrupted
        epoch, the last one counts; where it is missing, the lines are counted from 1.

    Raises
    ------
    ResultError
        If a file cannot be read, or no run has any of `keys`.
    """
    runs = {name: _by_epoch(read_metrics(path), x) for name, path in metrics.items()}
    wanted = _changing(runs.values(), x) if keys is None else list(keys)
    present = {key for run in runs.values() for row in run.values() for key in row}
    shown = [key for key in wanted if key in present]
    if not shown:
        raise ResultError(
            "there is nothing to draw",
            where="metrics",
            expected=" or ".join(sorted(present - {x})) or "numbers",
            found=", ".join(wanted) or "no number that changes",
        )
    figure, axes = panels(len(shown), 2.3, x)
    for panel, key in zip(axes, shown, strict=True):
        _draw(panel, runs, key)
    if len(runs) > 1:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=min(3, len(labels)))
    return figure


Run = dict[float, Mapping[str, float]]


def _by_epoch(rows: Epochs, x: str) -> Run:
    return dict(sorted({row.get(x, float(n)): row for n, row in enumerate(rows, 1)}.items()))


def _changing(runs: Iterable[Run], x: str) -> list[str]:
    values: dict[str, set[float]] = {}
    for run in runs:
        for row in run.values():
            for key, value in row.items():
                values.setdefault(key, set()).add(value)
    return [key for key, seen in values.items() if key != x and len(seen) > 1]


def _draw(axes: Axes, runs: Mapping[str, Run], key: str) -> None:
    for index, (name, run) in enumerate(runs.items()):
        points = [(epoch, row[key]) for epoch, row in run.items() if key in row]
        axes.plot(
            [epoch for epoch, _ in points],
            [value for _, value in points],
            color=COLOURS[index % len(COLOURS)],
            linestyle=LINES[index % len(LINES)],
            marker="o" if len(points) < 20 else None,
            markersize=3,
            label=name,
        )
    axes.set_title(key.removeprefix("layers.").replace("_", " ").replace(".", ", "))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.03)
