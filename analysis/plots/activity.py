"""Activity in one presentation: spike rasters and population rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.firing.rates import population_rate
from bioae.analysis.plots.legends import head
from bioae.analysis.plots.panels import Places, figure_of, given_axes, panels
from bioae.analysis.plots.style import (
    MOST_MARKERS,
    colour_of,
    line_of,
    needed,
    new_figure,
    styled,
)
from bioae.analysis.results.layers import chosen_layers, first_example, root_of
from bioae.analysis.results.rasters import raster
from bioae.errors import ResultError

__all__ = ["population_activity", "rasters"]

#: The panel of the population rates.
_RATE = "population rate"
_TIME = "time since the presentation reached the layer (ms)"


@styled
def rasters(
    tree: xr.DataTree,
    *,
    example: int | None = None,
    layers: Sequence[str] | None = None,
    ax: Places | None = None,
) -> Figure:
    """Draw the spike raster of one example, one panel per layer.

    Parameters
    ----------
    tree
        The result.
    example
        A value of the coordinate `example`; by default the first.
    layers
        The layers, in order; by default all that can fire.
    ax
        Axes to draw into, by layer: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If the result has no such example or layer, or no layer that can fire.
    """
    chosen = first_example(tree) if example is None else example
    _check_example(tree, chosen)
    names = chosen_layers(tree, layers)
    axes = panels(names, 1.15 + 0.6 / len(names), _TIME, ax=ax, most=1, width=7.2)
    for name, panel in axes.items():
        _draw_spikes(panel, raster(tree, name, example=chosen), name, colour_of(0))
        panel.set_xlim(*_ends([tree]))
        panel.set_ylabel("neuron")
        if ax is None and name != names[-1]:
            panel.tick_params(labelbottom=False)
    return figure_of(axes.values())


@styled
def population_activity(
    results: Mapping[str, xr.DataTree],
    layer: str,
    *,
    example: int | None = None,
    sigma_ms: float | None = None,
    ax: Places | None = None,
) -> Figure:
    """Draw a layer's spike raster, one panel per result, and the population rates below.

    Parameters
    ----------
    results
        The results by the names in titles and labels.
    layer
        The name of the layer.
    example
        A value of the coordinate `example`; by default the first of the first result.
    sigma_ms
        Smoothing of the rate, as in `bioae.analysis.population_rate`.
    ax
        Axes to draw into: those of the results in a sequence, then that of the rates; or a mapping
        from names of results and ``"population rate"``. By default a new figure.

    Raises
    ------
    ResultError
        If there is no result, or one has no such layer or example.
    """
    needed(results, "spikes")
    first = next(iter(results.values()))
    chosen = first_example(first) if example is None else example
    axes = _activity_axes([*results], ax)
    below = axes.get(_RATE)
    for index, (name, tree) in enumerate(results.items()):
        _check_example(tree, chosen)
        if name in axes:
            spikes = raster(tree, layer, example=chosen)
            _draw_spikes(axes[name], spikes, name, colour_of(index))
            axes[name].set_ylabel("neuron")
            axes[name].set_xlim(*_ends(results.values()))
        if below is not None:
            rate = population_rate(tree.sel(example=[chosen]), layer, sigma_ms=sigma_ms)
            # Dots are at the start of their steps, and so is the middle of each stair of the rate.
            edges = (np.arange(rate.size + 1) - 0.5) * float(tree.attrs["dt_ms"])
            below.stairs(
                rate.to_numpy(), edges, baseline=None, linewidth=1.5, label=name, **line_of(index)
            )
    if below is not None:
        below.set_xlim(*_ends(results.values()))
        below.set_ylim(bottom=0)
        below.set_ylabel("rate (Hz)")
        below.yaxis.set_major_locator(MaxNLocator(3))
        head(below, f"mean rate of {layer}", values=[*enumerate(results)])
    [*axes.values()][-1].set_xlabel(_TIME)
    return figure_of(axes.values())


def _check_example(tree: xr.DataTree, example: int) -> None:
    known = root_of(tree)["example"].to_numpy()
    if example not in known:
        raise ResultError(
            "there is no such example",
            expected=f"one of the {known.size}, such as {known[0]}",
            found=str(example),
        )


def _activity_axes(names: Sequence[str], ax: Places | None) -> dict[str, Axes]:
    """Return a panel per result, and that of the rates."""
    every = [*names, _RATE]
    if ax is not None:
        return given_axes(ax, every)
    figure = new_figure(7.2, 1.5 + 1.6 * len(names), grid=True)
    ratios = [*[1.2] * len(names), 1.0]
    grid = figure.subplots(
        len(every), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios}
    )[:, 0]
    return dict(zip(every, grid, strict=True))


def _ends(results: Iterable[xr.DataTree]) -> tuple[float, float]:
    """Return the ends of the time axis: a presentation, of the longest result."""
    duration = max(float(tree.attrs["steps"] * tree.attrs["dt_ms"]) for tree in results)
    return -0.01 * duration, duration


def _draw_spikes(axes: Axes, spikes: xr.DataArray, name: str, colour: str) -> None:
    """Draw a raster (neuron, time), and its number of spikes in the title."""
    step, neuron = np.nonzero(spikes.to_numpy().T)
    neurons = spikes.sizes["neuron"]
    few = neurons <= 60
    axes.plot(
        spikes["time"].to_numpy()[step],
        neuron,
        linestyle="none",
        marker="|" if few else ".",
        markersize=5 if few else 3,
        markeredgewidth=1 if few else 0,
        color=colour,
        rasterized=step.size > MOST_MARKERS,
    )
    axes.set_title(f"{name}: {neuron.size:,} {'spike' if neuron.size == 1 else 'spikes'}")
    margin = max(0.5, 0.02 * neurons)
    axes.set_ylim(-margin, neurons - 1 + margin)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, prune="upper"))
