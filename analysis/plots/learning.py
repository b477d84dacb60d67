"""Learning: metrics of training by epoch, and the course and the distribution of weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from bioae.analysis.plots.panels import Places, figure_of, head, panels, share_legend
from bioae.analysis.plots.sources import needed
from bioae.analysis.plots.style import INK, line_of, styled
from bioae.analysis.results.training_metrics import read_metrics
from bioae.checks import floats
from bioae.errors import ResultError

_BINS, _SIZE = 60, (3.6, 2.3)
# The metrics of each epoch, in order.
_Epochs = dict[float, Mapping[str, float]]


@styled
def training_curves(
    metrics: Path | str | Mapping[str, Path | str],
    *,
    keys: Sequence[str] | None = None,
    x: str = "epoch",
    ax: Places | None = None,
) -> Figure:
    """Draw training metrics, one panel per metric and one line per run.

    Parameters
    ----------
    metrics
        Files with one JSON object per line (`read_metrics`), by the names of the runs; or one.
    keys
        The metrics, in order; by default all that change in any run.
    x
        The key on the horizontal axis. Of repeated values, as after an interrupted epoch, the last
        counts; where the key is missing, the line's number, from 1, replaces it.
    ax
        Axes to draw into, by metric.

    Raises
    ------
    ResultError
        If a file cannot be read, or no run has any of `keys`.
    """
    metrics = {"": metrics} if isinstance(metrics, Path | str) else metrics
    needed(metrics, "metrics", "Give the metrics.jsonl of a run, or several by name")
    runs: dict[str, _Epochs] = {}
    for name, path in metrics.items():
        rows = enumerate(read_metrics(path), 1)
        runs[name] = dict(sorted({row.get(x, float(n)): row for n, row in rows}.items()))
    requested = _changing(runs.values(), x) if keys is None else list(keys)
    present = {key for run in runs.values() for row in run.values() for key in row}
    drawn = [key for key in requested if key in present]
    if not drawn:
        raise ResultError(
            "there is nothing to draw", where="metrics",
            expected=" or ".join(sorted(present - {x})) or "numbers",
            found=", ".join(requested) or "no number that changes",
        )  # fmt: skip
    axes = panels(drawn, _SIZE, x, ax=ax, most=2)
    for key, panel in axes.items():
        _draw_metric(panel, runs, key)
    if len(runs) > 1:
        share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _changing(runs: Iterable[_Epochs], x: str) -> list[str]:
    values: dict[str, set[float]] = {}
    for run in runs:
        for row in run.values():
            for key, value in row.items():
                values.setdefault(key, set()).add(value)
    return [key for key, different in values.items() if key != x and len(different) > 1]


def _draw_metric(axes: Axes, runs: Mapping[str, _Epochs], key: str) -> None:
    for index, (name, run) in enumerate(runs.items()):
        points = [(epoch, row[key]) for epoch, row in run.items() if key in row]
        axes.plot(
            [epoch for epoch, _ in points],
            [value for _, value in points],
            marker="o" if len(points) < 20 else None,
            markersize=3,
            label=name,
            **line_of(index),
        )
    head(axes, key.removeprefix("layers.").replace("_", " ").replace(".", ", "))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.03)
    places = {epoch for run in runs.values() for epoch in run}
    if len(places) == 1:  # or ticks would be between whole numbers
        axes.set_xticks([*places])


@styled
def weight_courses(courses: Mapping[str, xr.DataArray], *, ax: Places | None = None) -> Figure:
    """Draw quantiles of the weights over the course of learning, one panel per array.

    The line is the median; the darker band holds the middle half of the weights, the lighter one
    everything between the outermost quantiles.

    Parameters
    ----------
    courses
        By array, (presentation, quantile), with both as coordinates.
    ax
        Axes to draw into, by array.
    """
    needed(courses, "weights", "A result holds no weights")
    course: Any
    for name, course in courses.items():
        known = course.dims if isinstance(course, xr.DataArray) else ()
        if {*known} != {"presentation", "quantile"}:
            raise ResultError(
                "the course of weights does not fit", where=name,
                expected="an array (presentation, quantile)",
                found=", ".join(map(str, known)) or type(course).__name__,
            )  # fmt: skip
    axes = panels([*courses], _SIZE, "presentations", ax=ax, most=2)
    for name, panel in axes.items():
        course = courses[name].transpose("presentation", "quantile").sortby("quantile")
        time, values = course["presentation"].to_numpy(), course.to_numpy()
        pairs = values.shape[1] // 2
        for place in range(pairs):
            panel.fill_between(
                time, values[:, place], values[:, -1 - place], color=INK,
                alpha=0.18 + 0.22 * place, linewidth=0,
            )  # fmt: skip
        if values.shape[1] % 2:
            panel.plot(time, values[:, pairs], color=INK, marker="o", markersize=2.5)
        head(panel, name)
        panel.set_ylabel("value")
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure_of(axes.values())


@styled
def weight_histograms(weights: Mapping[str, ArrayLike], *, ax: Places | None = None) -> Figure:
    """Draw the distribution of weights, one panel per array.

    Parameters
    ----------
    weights
        By array, in any shape.
    ax
        Axes to draw into, by array.
    """
    needed(weights, "weights", "Give those of a network, bioae.load(PATH).network.weights")
    values = {
        name: np.ravel(floats(each, f"the weights {name!r} do not fit", error=ResultError))
        for name, each in weights.items()
    }
    for name, each in values.items():
        if not np.isfinite(each).all():
            raise ResultError("a weight is not finite", where=name)
    axes = panels([*values], _SIZE, "value", ax=ax, most=2)
    for name, panel in axes.items():
        panel.hist(values[name], bins=_BINS, color=INK)
        head(panel, name)
        panel.set_ylabel("number")
    return figure_of(axes.values())
