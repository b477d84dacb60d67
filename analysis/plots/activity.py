"""Activity in time: input signals, spike rasters, population rates, and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.firing.rates import population_rate
from bioae.analysis.plots.panels import (
    Places,
    figure_of,
    head,
    panels,
    results_of,
    share_legend,
)
from bioae.analysis.plots.style import (
    INK,
    MOST_MARKERS,
    colour_of,
    drawable,
    line_of,
    needed,
    span,
    styled,
)
from bioae.analysis.results.layers import chosen_layers, first_example, of_result
from bioae.analysis.results.outputs import check_task
from bioae.analysis.results.rasters import raster
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["input_signals", "output_traces", "population_activity", "rasters"]

#: The panel of the population rates.
_RATE = "population rate"
_TIME = "time since the presentation reached the layer (ms)"
#: The most channels, or outputs, that are drawn as traces; more channels are a picture.
_TRACES = 6


@styled
@of_result
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
        Axes to draw into, by layer.
    """
    chosen = first_example(tree) if example is None else example
    names = chosen_layers(tree, layers)
    axes = panels(names, (7.2, 1.15 + 0.6 / len(names)), _TIME, ax=ax)
    for name, panel in axes.items():
        _draw_spikes(panel, raster(tree, name, example=chosen), name, colour_of(0))
        panel.set(xlim=_ends([tree]), ylabel="neuron")
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
        from names of results and ``"population rate"``.
    """
    results = results_of(results, "spikes")
    first = next(iter(results.values()))
    chosen = first_example(first) if example is None else example
    rows = [*results, _RATE]
    size = 7.2, (1.5 + 1.6 * len(results)) / len(rows)
    axes = panels(rows, size, _TIME, ax=ax, height_ratios=[*[1.2] * len(results), 1.0])
    below = axes.get(_RATE)
    for index, (name, tree) in enumerate(results.items()):
        spikes = raster(tree, layer, example=chosen)
        if name in axes:
            _draw_spikes(axes[name], spikes, name, colour_of(index))
            axes[name].set(xlim=_ends(results.values()), ylabel="neuron")
        if below is not None:
            rate = population_rate(tree.sel(example=[chosen]), layer, sigma_ms=sigma_ms)
            # Dots are at the start of their steps, and so is the middle of each stair of the rate.
            edges = (np.arange(rate.size + 1) - 0.5) * float(tree.attrs["dt_ms"])
            below.stairs(
                rate.to_numpy(), edges, baseline=None, linewidth=1.5, label=name, **line_of(index)
            )
    if below is not None:
        below.set(xlim=_ends(results.values()), ylabel="rate (Hz)")
        below.set_ylim(bottom=0)
        below.yaxis.set_major_locator(MaxNLocator(3))
        head(below, f"mean rate of {layer}", [*enumerate(results)])
    return figure_of(axes.values())


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
    head(axes, f"{name}: {neuron.size:,} {'spike' if neuron.size == 1 else 'spikes'}")
    margin = max(0.5, 0.02 * neurons)
    axes.set_ylim(-margin, neurons - 1 + margin)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, prune="upper"))


@styled
def input_signals(
    results: Mapping[str, xr.DataTree], *, examples: int = 3, ax: Places | None = None
) -> Figure:
    """Draw the first input signals: a trace per channel, or an image if channels are many.

    Parameters
    ----------
    results
        The results by name, of networks that receive signals.
    examples
        The number of examples of each, one panel each.
    ax
        Axes to draw into, by title of a panel, ``"NAME, example 0"``.
    """
    results = results_of(results, "signals")
    whole(examples, "examples", least=1, error=ResultError)
    rows = {}
    for name, tree in results.items():
        signals = tree.to_dataset()["input"]
        if "time" not in signals.dims:
            expected, found = "(example, time, channel)", str(signals.dims)
            raise ResultError("not a signal", where=name, expected=expected, found=found)
        for signal in signals.isel(example=slice(examples)):
            values = drawable(signal.transpose("channel", "time").to_numpy())
            title = f"{name}, example {int(signal['example'])}"
            rows[title] = values, float(tree.attrs["dt_ms"])
    needed(rows, "signals")
    every = [values for values, _ in rows.values()]
    grid = panels([*rows], (6.2, 1.7 + 0.4 / len(rows)), "time (ms)", ax=ax)
    pictures = []
    longest = max(values.shape[1] * dt_ms for values, dt_ms in rows.values())
    for title, axes in grid.items():
        values, dt_ms = rows[title]
        if len(values) > _TRACES:
            low, high = span(every, margin=0)
            pictures.append(
                axes.imshow(
                    values, cmap="viridis", aspect="auto", interpolation="nearest", vmin=low,
                    vmax=high, extent=(0, values.shape[1] * dt_ms, len(values) - 0.5, -0.5),
                )
            )  # fmt: skip
            axes.set_ylabel("channel")
        else:
            _draw_channels(axes, values, dt_ms, span(every))
        head(axes, title)
        axes.set_xlim(0, longest)
    drawn = [*grid.values()]
    share_legend(drawn, ax=ax)
    if pictures:
        figure_of(drawn).colorbar(pictures[0], ax=drawn, label="input", aspect=15 * len(drawn))
    return figure_of(drawn)


def _draw_channels(
    axes: Axes, values: NDArray[np.float64], dt_ms: float, ends: tuple[float, float]
) -> None:
    """Draw a trace per channel, (channel, time)."""
    edges = np.arange(values.shape[1] + 1) * dt_ms
    for channel, trace in enumerate(values):
        axes.stairs(
            trace, edges, baseline=None, color=colour_of(channel), linewidth=1.1,
            label=f"channel {channel}",
        )  # fmt: skip
    axes.set(ylim=ends, ylabel="input")


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
        Axes to draw into, by title of a panel, ``"NAME, example 0"``.
    """
    results = results_of(results, "outputs")
    whole(examples, "examples", least=1, error=ResultError)
    rows: dict[str, tuple[dict[str, NDArray[np.float64]], float]] = {}
    for name, tree in results.items():
        check_task(tree, "sequence")
        root = tree.to_dataset().isel(unit=slice(_TRACES), example=slice(examples))
        for place, example in enumerate(root["example"].to_numpy()):
            traces = {
                each: drawable(root[each][place].transpose("unit", "time").to_numpy())
                for each in ("target", "output")
                if each in root
            }
            rows[f"{name}, example {example}"] = traces, float(tree.attrs["dt_ms"])
    needed(rows, "outputs")
    grid = panels([*rows], (6.2, 1.9 + 0.3 / len(rows)), "time (ms)", ax=ax)
    ends = span([each for traces, _ in rows.values() for each in traces.values()])
    for title, axes in grid.items():
        _draw_traces(axes, *rows[title])
        head(axes, title)
        axes.set_ylim(ends)
    share_legend(grid.values(), ax=ax)
    return figure_of(grid.values())


def _draw_traces(axes: Axes, traces: Mapping[str, NDArray[np.float64]], dt_ms: float) -> None:
    """Draw outputs, and their targets where known, (unit, time)."""
    for name, values in traces.items():
        time = np.arange(values.shape[1]) * dt_ms
        for unit, trace in enumerate(values):
            label = f"output {unit}" if name == "output" else None
            style = "-" if name == "output" else "--"
            axes.plot(time, trace, style, color=colour_of(unit), linewidth=1.1, label=label)
    if "target" in traces:
        axes.plot([], [], "--", color=INK, linewidth=1.1, label="target")
    axes.set_ylabel("output")
