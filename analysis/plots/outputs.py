"""Outputs of a network: confusion matrices, rates by class, predicted against target values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.plots.legends import share_legend
from bioae.analysis.plots.panels import Places, figure_of, panels, squares
from bioae.analysis.plots.style import (
    INK,
    MOST_MARKERS,
    colour_of,
    drawable,
    needed,
    span,
    styled,
)
from bioae.analysis.results.layers import root_of
from bioae.analysis.results.outputs import check_task
from bioae.checks import instance, whole
from bioae.errors import ResultError

__all__ = ["class_rates", "confusion_matrices", "output_traces", "predicted_values"]

#: The most classes whose fractions are written into the matrix.
_WRITTEN = 12
#: The most points of a scatter plot, and the most outputs that are drawn.
_POINTS, _UNITS = 5000, 6


@styled
def confusion_matrices(confusions: Mapping[str, xr.Dataset], *, ax: Places | None = None) -> Figure:
    """Draw confusion matrices: the fraction of each true class that is predicted as each class.

    Parameters
    ----------
    confusions
        By result, as from `bioae.analysis.confusion_matrix`.
    ax
        Axes to draw into, by result: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(confusions, "confusion matrices")
    grid = squares([*confusions], (3.5, 3.5), (0.7, 0.4), ax=ax)
    for name, axes in grid.items():
        fraction = confusions[name]["fraction"].transpose("true", "predicted").to_numpy()
        drawn = axes.imshow(fraction, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title(name)
        _ticks(axes, len(fraction))
        if len(fraction) <= _WRITTEN:
            for (row, column), value in np.ndenumerate(fraction):
                if value > 0:
                    axes.text(
                        column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=6.5,
                        color="white" if value > 0.6 else "black",
                    )  # fmt: skip
    places = [*grid.values()]
    label = "fraction of the true class; cells in %"
    figure_of(places).colorbar(drawn, ax=places, shrink=0.8, label=label)
    return figure_of(places)


@styled
def class_rates(responses: Mapping[str, xr.DataArray], *, ax: Places | None = None) -> Figure:
    """Draw the mean firing rate of each neuron in response to each class.

    Parameters
    ----------
    responses
        By result, as from `bioae.analysis.rates_by_class`.
    ax
        Axes to draw into, by result: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(responses, "responses")
    for name, array in responses.items():
        instance(array, f"responses, {name}", xr.DataArray, error=ResultError)
    grid = squares([*responses], (4.6, 2.4), (0.6, 0.6), ax=ax, most=1)
    # One scale for all results, so that colours can be compared.
    highest = max(
        float(np.nan_to_num(array.to_numpy()).max(initial=0)) for array in responses.values()
    )
    for name, axes in grid.items():
        array = responses[name]
        values = array.transpose("class", "neuron").to_numpy()
        if not values.size:
            raise ResultError("there is no class or neuron to draw", where=name)
        drawn = axes.imshow(
            values, cmap="viridis", aspect="auto", vmin=0, vmax=highest or 1.0,
            interpolation="nearest",
        )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("neuron")
        axes.set_ylabel("class")
        axes.set_title(name)
        labels = array["class"].to_numpy()
        if len(labels) <= _WRITTEN:
            axes.set_yticks(np.arange(len(labels)), [str(label) for label in labels])
    places = [*grid.values()]
    figure_of(places).colorbar(drawn, ax=places, label="Hz", aspect=12 * len(places))
    return figure_of(places)


@styled
def predicted_values(results: Mapping[str, xr.DataTree], *, ax: Places | None = None) -> Figure:
    """Draw the outputs of regressions against their targets, a colour per output.

    Parameters
    ----------
    results
        The results by name, with targets; 5,000 examples and 6 outputs at most are drawn.
    ax
        Axes to draw into, by result: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result, or one has no targets or another task.
    """
    needed(results, "outputs")
    values = {}
    for name, tree in results.items():
        check_task(tree, "regression")
        root = _with_target(tree).isel(example=slice(_POINTS), unit=slice(_UNITS))
        values[name] = [
            drawable(root[each].transpose("unit", "example").to_numpy())
            for each in ("target", "output")
        ]
    ends = span(itertools.chain.from_iterable(values.values()))
    grid = squares([*results], (3.2, 3.1), (0.2, 0.2), ax=ax, grid=True, shared=True)
    for name, axes in grid.items():
        target, output = values[name]
        axes.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
        many = target.shape[1] > MOST_MARKERS
        for unit, (x, y) in enumerate(zip(target, output, strict=True)):
            axes.plot(
                x, y, linestyle="", marker=".", markersize=3 if many else 6, alpha=0.6,
                color=colour_of(unit), label=f"output {unit}", rasterized=many,
            )  # fmt: skip
        axes.set_xlabel("target")
        axes.set_ylabel("output")
        axes.set_title(name)
        axes.set(xlim=ends, ylim=ends)
    share_legend(grid.values(), ax=ax)
    return figure_of(grid.values())


@styled
def output_traces(
    results: Mapping[str, xr.DataTree], *, examples: int = 3, ax: Places | None = None
) -> Figure:
    """Draw the outputs of sequences over time, and their targets where known, dashed.

    Parameters
    ----------
    results
        The results by name.
    examples
        The number of examples, one panel each; 6 outputs at most are drawn.
    ax
        Axes to draw into, by panel: one, a sequence, or a mapping from titles of panels
        (``"NAME, example 0"``). By default a new figure.

    Raises
    ------
    ResultError
        If there is no result, or one has another task.
    """
    needed(results, "outputs")
    whole(examples, "examples", least=1, error=ResultError)
    rows = [(name, tree, place) for name, tree in results.items() for place in range(examples)]
    for tree in results.values():
        check_task(tree, "sequence")
    rows = [row for row in rows if row[2] < row[1].sizes["example"]]
    if not rows:
        raise ResultError("there is no example to draw", expected="at least one")
    drawn = [
        root_of(tree).to_dataset().isel(example=place, unit=slice(_UNITS))
        for _, tree, place in rows
    ]
    values = [
        {
            each: drawable(root[each].transpose("unit", "time").to_numpy())
            for each in ("target", "output")
            if each in root
        }
        for root in drawn
    ]
    titles = [
        f"{name}, example {int(root['example'])}"
        for (name, *_), root in zip(rows, drawn, strict=True)
    ]
    own = dict(zip(titles, zip(rows, values, strict=True), strict=True))
    grid = panels(titles, 1.9 + 0.3 / len(rows), "time (ms)", ax=ax, most=1, width=6.2)
    ends = span([each for traces in values for each in traces.values()])
    for title, axes in grid.items():
        (_, tree, _), traces = own[title]
        _draw_traces(axes, traces, float(tree.attrs["dt_ms"]))
        axes.set_title(title)
        axes.set_ylim(ends)
    share_legend(grid.values(), ax=ax)
    return figure_of(grid.values())


def _draw_traces(axes: Axes, traces: Mapping[str, NDArray[np.float64]], dt_ms: float) -> None:
    """Draw outputs, and their targets where known, (unit, time)."""
    styles: dict[str, dict[str, Any]] = {"target": {"linestyle": "--"}, "output": {}}
    for name, values in traces.items():
        time = np.arange(values.shape[1]) * dt_ms
        for unit, trace in enumerate(values):
            label = f"output {unit}" if name == "output" else None
            axes.plot(
                time, trace, color=colour_of(unit), linewidth=1.1, label=label, **styles[name]
            )
    if "target" in traces:
        axes.plot([], [], color=INK, linewidth=1.1, label="target", **styles["target"])
    axes.set_ylabel("output")


def _with_target(tree: xr.DataTree) -> xr.Dataset:
    root = root_of(tree).to_dataset()
    if "target" not in root:
        raise ResultError("the targets of the examples are not known", where="target")
    return root


def _ticks(axes: Axes, classes: int) -> None:
    if classes <= _WRITTEN:
        axes.set_xticks(np.arange(classes))
        axes.set_yticks(np.arange(classes))
