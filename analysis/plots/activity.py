"""Activity in time: input signals, spike rasters, population rates, and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.firing.rates import population_rate
from bioae.analysis.plots.panels import Places, figure_of, head, panels, share_legend
from bioae.analysis.plots.sources import Layers, Results, joined, needed, panels_of, results_of
from bioae.analysis.plots.style import (
    INK,
    MANY_STEPS,
    MOST_MARKERS,
    colour_of,
    line_of,
    span,
    styled,
)
from bioae.analysis.results.layers import first_example, layer_names, steps
from bioae.analysis.results.outputs import check_task, images_of, is_recording
from bioae.analysis.results.spikes import blocks
from bioae.checks import whole
from bioae.errors import ResultError

#: The panel of the population rates.
_RATE = "population rate"
#: The most channels, or outputs, that are drawn as traces; more channels are a picture.
_TRACES = 6


@styled
def rasters(
    results: Results,
    *,
    example: int | None = None,
    layers: Layers = None,
    most_neurons: int = 500,
    ax: Places | None = None,
) -> Figure:
    """Draw the spike raster of one example, one panel per result and layer.

    Time is from the start of the presentation at the first layer, the same for all layers: a
    presentation reaches each layer one step after the one before it.

    Parameters
    ----------
    results
        A result, or several by name.
    example
        A value of the coordinate `example`; by default the first of the first result.
    layers
        The layers, in order; by default all that can fire.
    most_neurons
        Of a layer of more than twice as many, the spikes of this number of neurons are drawn,
        chosen at random, always the same ones of a number of neurons; the panel's title says so.
    ax
        Axes to draw into, by layer, or of several results by ``"RESULT, LAYER"``.
    """
    trees = results_of(results, "spikes")
    example = first_example(next(iter(trees.values()))) if example is None else example
    rows = panels_of(trees, layers)
    ends = _ends(trees, rows.values())
    axes = panels([*rows], (7.2, 1.15 + 0.6 / len(rows)), _time(trees, example), ax=ax)
    for title, panel in axes.items():
        name, layer = rows[title]
        spikes = _spikes(trees[name], layer, example)
        _draw_spikes(panel, spikes, title, colour_of([*trees].index(name)), most_neurons)
        panel.set(xlim=ends, ylabel="neuron")
    return figure_of(axes.values())


@styled
def population_activity(
    results: Results,
    layers: Layers = None,
    *,
    example: int | None = None,
    sigma_ms: float | None = None,
    most_neurons: int = 500,
    ax: Places | None = None,
) -> Figure:
    """Draw the rasters of layers, one panel per result, and their population rates below.

    Parameters
    ----------
    results
        A result, or several by the names in titles and labels.
    layers
        The layers, in order; by default all that can fire.
    example, most_neurons
        As for `rasters`.
    sigma_ms
        Smoothing of the rate, as in `bioae.analysis.population_rate`; by default none, and bins if
        there are more than 1000 steps.
    ax
        Axes to draw into: those of the results in a sequence, then that of the rates; or a mapping
        from names of results and ``"population rate"``. With several layers, one after the other,
        the names are ``"RESULT, LAYER"`` and ``"population rate, LAYER"``.
    """
    trees = results_of(results, "spikes")
    example = first_example(next(iter(trees.values()))) if example is None else example
    places = panels_of(trees, layers)
    ends = _ends(trees, places.values())
    dt_ms = {name: float(tree.attrs["dt_ms"]) for name, tree in trees.items()}
    binned = sigma_ms is None and max(map(steps, trees.values())) > MANY_STEPS
    # At most 200 bins, of the same length in all results.
    bin_ms = max(-(-steps(tree) // 200) * dt_ms[name] for name, tree in trees.items())
    names = list(dict.fromkeys(layer for _, layer in places.values()))
    rates = {layer: joined(_RATE, layer if len(names) > 1 else "") for layer in names}
    rows = {
        title: height
        for layer in names
        for title, height in [
            *((title, 1.2) for title, (_, own) in places.items() if own == layer),
            (rates[layer], 1.0),
        ]
    }
    size = 7.2, (1.5 * len(names) + 1.6 * len(places)) / len(rows)
    axes = panels([*rows], size, _time(trees, example), ax=ax, height_ratios=[*rows.values()])
    for title, (name, layer) in places.items():
        tree, index = trees[name], [*trees].index(name)
        spikes = _spikes(tree, layer, example)
        if title in axes:
            _draw_spikes(axes[title], spikes, title, colour_of(index), most_neurons)
            axes[title].set(xlim=ends, ylabel="neuron")
        if (below := axes.get(rates[layer])) is not None:
            rate = population_rate(tree.sel(example=[example]), layer, sigma_ms=sigma_ms)
            bin_steps = max(1, round(bin_ms / dt_ms[name])) if binned else 1
            first = np.arange(0, rate.size + bin_steps, bin_steps).clip(max=rate.size)
            means = np.add.reduceat(rate.to_numpy(), first[:-1]) / np.diff(first)
            # Dots are at the start of their steps, and so is the middle of each stair of the rate.
            edges = (first - 0.5) * dt_ms[name] + _delay(tree, layer)
            below.stairs(means, edges, baseline=None, linewidth=1.5, label=name, **line_of(index))
    for layer in names:
        if (below := axes.get(rates[layer])) is not None:
            below.set(xlim=ends, ylabel="rate (Hz)")
            below.set_ylim(bottom=0)
            below.yaxis.set_major_locator(MaxNLocator(3))
            shown = [name for name, own in places.values() if own == layer]
            note = [(index, name) for index, name in enumerate(trees) if name and name in shown]
            width = f", bins of {bin_ms:g} ms" if binned else ""
            head(below, f"mean rate of {layer}{width}", note)
    return figure_of(axes.values())


def _time(results: Mapping[str, xr.DataTree], example: int) -> str:
    number = f" {example}" if any(each.sizes["example"] > 1 for each in results.values()) else ""
    if all(map(is_recording, results.values())):
        return f"time in trial{number} (ms)" if number else "time (ms)"
    what = f"presentation{number}" if number else "the presentation"
    starts = sorted({float(each.attrs.get("start_ms", 0.0)) for each in results.values()})
    since = "the start" if starts == [0.0] else " and ".join(f"{each:.10g} ms" for each in starts)
    return f"time since {since} of {what} (ms)"


def _delay(tree: xr.DataTree, layer: str) -> float:
    """Return the time in ms at which a layer's own window starts."""
    # Populations are recorded on one clock.
    late = 0 if is_recording(tree) else layer_names(tree).index(layer)
    return late * float(tree.attrs["dt_ms"])


def _ends(
    results: Mapping[str, xr.DataTree], drawn: Iterable[tuple[str, str]]
) -> tuple[float, float]:
    """Return the ends of the time axis, of the longest presentation."""
    last = max(
        steps(results[name]) * float(results[name].attrs["dt_ms"]) + _delay(results[name], layer)
        for name, layer in drawn
    )
    return -0.01 * last, last


def _spikes(tree: xr.DataTree, layer: str, example: int) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return the times of an example's spikes, their neurons, and the size of the layer."""
    if example not in tree["example"].to_numpy().tolist():
        raise ResultError("there is no such example", where=layer, found=str(example))
    (block,) = blocks(tree.sel(example=[example]), layer)
    time = block.step * float(tree.attrs["dt_ms"]) + _delay(tree, layer)
    return time, block.neuron, block.neurons


def _draw_spikes(
    axes: Axes,
    spikes: tuple[NDArray[Any], NDArray[Any], int],
    name: str,
    colour: str,
    most: int,
) -> None:
    """Draw a raster, and its number of spikes in the title."""
    most = whole(most, "most_neurons", least=1, error=ResultError)
    time, neuron, neurons = spikes
    count = neuron.size
    title = f"{name}: {count:,} {'spike' if count == 1 else 'spikes'}"
    if neurons > 2 * most:
        title += f"; drawn are {most:,} of {neurons:,} neurons"
        chosen = np.random.default_rng(0).choice(neurons, most, replace=False)
        drawn = np.isin(neuron, chosen)
        time, neuron = time[drawn], neuron[drawn]
    few = neurons <= 60
    axes.plot(
        time,
        neuron,
        linestyle="none",
        marker="|" if few else ".",
        markersize=5 if few else 3 if count < 10_000 else 1.5,
        markeredgewidth=1 if few else 0,
        color=colour,
        rasterized=time.size > MOST_MARKERS,
    )
    head(axes, title)
    margin = max(0.5, 0.02 * neurons)
    axes.set_ylim(-margin, neurons - 1 + margin)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, prune="upper"))


@styled
def input_signals(results: Results, *, examples: int = 3, ax: Places | None = None) -> Figure:
    """Draw the first input signals: a trace per channel, or an image if channels are many.

    Parameters
    ----------
    results
        A result, or several by name, of networks that receive signals.
    examples
        The number of examples of each, one panel each.
    ax
        Axes to draw into, by title of a panel, ``"NAME, example 0"``.
    """
    trees = results_of(results, "signals")
    whole(examples, "examples", least=1, error=ResultError)
    rows = {}
    for name, tree in trees.items():
        signals = images_of(tree, "input")
        if "time" not in signals.dims:
            expected, found = "(example, time, channel)", str(signals.dims)
            raise ResultError("not a signal", where=name or None, expected=expected, found=found)
        for signal in signals.isel(example=slice(examples)):
            values = signal.transpose("channel", "time").to_numpy().astype(float)
            title = joined(name, f"example {int(signal['example'])}")
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
def output_traces(results: Results, *, examples: int = 3, ax: Places | None = None) -> Figure:
    """Draw the outputs of sequences over time, and their targets where known, dashed.

    Parameters
    ----------
    results
        A result, or several by name.
    examples
        The number of examples, one panel each; 6 outputs at most are drawn.
    ax
        Axes to draw into, by title of a panel, ``"NAME, example 0"``.
    """
    trees = results_of(results, "outputs")
    whole(examples, "examples", least=1, error=ResultError)
    rows: dict[str, tuple[dict[str, NDArray[np.float64]], float]] = {}
    for name, tree in trees.items():
        check_task(tree, "sequence")
        root = tree.to_dataset().isel(unit=slice(_TRACES), example=slice(examples))
        for place, example in enumerate(root["example"].to_numpy()):
            traces = {
                each: root[each][place].transpose("unit", "time").to_numpy().astype(float)
                for each in ("target", "output")
                if each in root
            }
            rows[joined(name, f"example {example}")] = traces, float(tree.attrs["dt_ms"])
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
