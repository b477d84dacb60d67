"""Curves: training metrics by epoch, and firing rate by intensity of the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.legends import share_legend
from bioae.analysis.plots.panels import Places, figure_of, panels
from bioae.analysis.plots.style import MARKERS, colour_of, line_of, needed, styled
from bioae.analysis.results.training_metrics import read_metrics
from bioae.errors import ResultError

__all__ = ["training_curves", "transfer_curves"]

# The metrics of each epoch, in order.
_Epochs = dict[float, Mapping[str, float]]


@styled
def training_curves(
    metrics: Mapping[str, Path | str],
    *,
    keys: Sequence[str] | None = None,
    x: str = "epoch",
    ax: Places | None = None,
) -> Figure:
    """Draw training metrics, one panel per metric and one line per run.

    Parameters
    ----------
    metrics
        Files with one JSON object per line (`read_metrics`), by the names of the runs.
    keys
        The metrics, in order; by default all that change in any run.
    x
        The key on the horizontal axis. Of repeated values, as after an interrupted epoch, the last
        counts; where the key is missing, the line's number, from 1, replaces it.
    ax
        Axes to draw into, by metric: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If a file cannot be read, or no run has any of `keys`.
    """
    runs = {name: _by_epoch(read_metrics(path), x) for name, path in metrics.items()}
    requested = _changing(runs.values(), x) if keys is None else list(keys)
    present = {key for run in runs.values() for row in run.values() for key in row}
    drawn = [key for key in requested if key in present]
    if not drawn:
        raise ResultError(
            "there is nothing to draw",
            where="metrics",
            expected=" or ".join(sorted(present - {x})) or "numbers",
            found=", ".join(requested) or "no number that changes",
        )
    axes = panels(drawn, 2.3, x, ax=ax)
    for key, panel in axes.items():
        _draw_metric(panel, runs, key)
    if len(runs) > 1:
        share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _by_epoch(rows: Sequence[Mapping[str, float]], x: str) -> _Epochs:
    return dict(sorted({row.get(x, float(n)): row for n, row in enumerate(rows, 1)}.items()))


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
    axes.set_title(key.removeprefix("layers.").replace("_", " ").replace(".", ", "))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.03)
    places = {epoch for run in runs.values() for epoch in run}
    if len(places) == 1:  # or ticks would be between whole numbers
        axes.set_xticks([*places])


@styled
def transfer_curves(
    curves: Mapping[str, xr.Dataset], *, title: str = "", ax: Axes | None = None
) -> Figure:
    """Draw firing rate against the intensity of the input, one line per result.

    The line is the median over neurons of their mean rates, the band ranges from the lower to the
    upper quartile.

    Parameters
    ----------
    curves
        By result, as from `bioae.analysis.transfer_curve`.
    ax
        Axes to draw into; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(curves, "rates")
    (axes,) = panels(
        ["curve"], 2.7, "mean intensity of the input (0 black, 1 white)", ax=ax, width=4.6
    ).values()
    for index, (name, curve) in enumerate(curves.items()):
        data = curve.isel(intensity=curve["pairs"].to_numpy() > 0)
        x, low, median, high = (
            data[each].to_numpy() for each in ("intensity", "lower", "median", "upper")
        )
        axes.fill_between(x, low, high, color=colour_of(index), alpha=0.12, lw=0)
        axes.plot(
            x,
            median,
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            label=name,
            **line_of(index),
        )
    axes.set_ylabel("firing rate (Hz)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(title)
    share_legend([axes], ax=ax)
    return figure_of([axes])
