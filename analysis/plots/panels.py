"""Panels of figures: new ones, or the user's axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bioae.analysis.plots.style import columns_for, new_figure
from bioae.errors import ResultError, shortened

__all__ = [
    "Places",
    "figure_of",
    "from_zero",
    "given_axes",
    "layers_in",
    "of_layer",
    "panels",
    "squares",
]

T = TypeVar("T")

#: Axes to draw into: one, several in the order of the panels, or some of them by name.
Places: TypeAlias = Axes | Sequence[Axes] | NDArray[Any] | Mapping[str, Axes]

_NAMED = 6  # panels whose names an error lists


def given_axes(ax: Places, names: Sequence[str]) -> dict[str, Axes]:
    """Return the user's axes by the names of the panels that they are for.

    Raises
    ------
    ResultError
        If they are no axes, or not one for each panel, or not of one figure.
    """
    listed = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    if isinstance(ax, Mapping):
        unknown = [name for name in ax if name not in names]
        if unknown:
            raise ResultError(
                "there is no such panel", where="ax", expected=listed, found=repr(unknown[0])
            )
        chosen: dict[str, Any] = {name: ax[name] for name in names if name in ax}
    else:
        several = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, object)))
        if len(several) != len(names):
            one = len(names) == 1
            raise ResultError(
                "the axes do not fit the panels",
                where="ax",
                expected=f"axes for {'one panel' if one else f'{len(names)} panels'}: {listed}",
                found=f"{len(several)} axes",
                hint=None if one else "Or draw some panels: ax={name: axes}",
            )
        chosen = dict(zip(names, several, strict=True))
    several = [*chosen.values()]
    wrong = next((each for each in several if not isinstance(each, Axes)), None)
    if wrong is not None:
        raise ResultError(
            "these are no axes",
            where="ax",
            expected="matplotlib axes, a sequence of them, or a mapping by panel",
            found=shortened(type(wrong).__name__),
        )
    if len({figure_of([each]) for each in chosen.values()}) != 1:
        raise ResultError(
            "the axes do not fit", where="ax", expected="one or more axes of one figure"
        )
    return chosen


def figure_of(axes: Iterable[Axes]) -> Figure:
    """Return the figure of axes."""
    figure = next(iter(axes)).get_figure(root=True)
    assert figure is not None
    return figure


def panels(
    names: Sequence[str],
    height: float,
    xlabel: str,
    *,
    ax: Places | None = None,
    most: int = 2,
    width: float = 3.6,
) -> dict[str, Axes]:
    """Return a panel per name, in a new figure with a shared horizontal axis, or the user's axes.

    Parameters
    ----------
    height, width
        Of a panel of a new figure, in inches on a screen.
    xlabel
        The label of the horizontal axis.
    ax
        The user's axes.
    most
        The largest number of panels per row.
    """
    if ax is not None:
        axes = given_axes(ax, names)
        for panel in axes.values():
            panel.set_xlabel(xlabel)
        return axes
    columns = columns_for(len(names), width, most)
    rows = -(-len(names) // columns)
    figure = new_figure(width * columns, height * rows, grid=True)
    axes = _arranged(figure, names, (rows, columns), sharex=True)
    for lowest in [*axes.values()][-columns:]:
        lowest.set_xlabel(xlabel)
        lowest.tick_params(labelbottom=True)
    return axes


def squares(
    names: Sequence[str],
    size: tuple[float, float],
    margin: tuple[float, float] = (0, 0),
    *,
    ax: Places | None = None,
    most: int = 3,
    grid: bool = False,
    shared: bool = False,
) -> dict[str, Axes]:
    """Return a panel per name of about equal sides, in a new figure or the user's axes.

    Parameters
    ----------
    size, margin
        Width and height in inches on a screen: of a panel, and what the figure has in addition.
    ax, most
        As for `panels`.
    grid
        As for `new_figure`.
    shared
        Whether panels of a new figure share both axes.
    """
    if ax is not None:
        return given_axes(ax, names)
    columns = columns_for(len(names), size[0], most)
    rows = -(-len(names) // columns)
    figure = new_figure(
        size[0] * columns + margin[0], size[1] * rows + margin[1], grid=grid, pictures=True
    )
    return _arranged(figure, names, (rows, columns), sharex=shared, sharey=shared)


def _arranged(
    figure: Figure,
    names: Sequence[str],
    size: tuple[int, int],
    *,
    sharex: bool,
    sharey: bool = False,
) -> dict[str, Axes]:
    """Return a panel per name in rows and columns of a figure; the others stay empty."""
    places = list(figure.subplots(*size, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for unused in places[len(names) :]:
        unused.set_axis_off()
    return dict(zip(names, places, strict=False))


def layers_in(results: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the layers that any result has, in their order.

    Raises
    ------
    ResultError
        If there is a result or a measure itself in place of the measures of its layers.
    """
    for layers in results.values():
        tree = isinstance(layers, xr.DataTree)
        if tree or isinstance(layers, xr.Dataset) or not isinstance(layers, Mapping):
            raise ResultError(
                "this figure draws a measure of layers",
                expected="a mapping by result and layer, such as {'mine': {'latent': measure}}",
                found="a result" if tree else type(layers).__name__,
                hint="Measure its layers first, as bioae.analysis.firing_rate(result, 'latent')"
                if tree
                else None,
            )
    return list(dict.fromkeys(str(layer) for layers in results.values() for layer in layers))


def of_layer(results: Mapping[str, Mapping[str, T]], layer: str) -> list[tuple[int, str, T]]:
    """Return index, label and data of the results that have a layer."""
    return [
        (index, label, layers[layer])
        for index, (label, layers) in enumerate(results.items())
        if layer in layers
    ]


def from_zero(panel: Axes) -> None:
    """Let the vertical axis start at 0, and end at 1 if nothing is above 0."""
    empty = not panel.dataLim.y1 > 0
    panel.set_ylim(0, 1 if empty else None)
