"""Pictures of signals, the input of networks that receive values in time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from bioae.analysis.plots.legends import share_legend
from bioae.analysis.plots.panels import Places, figure_of, given_axes
from bioae.analysis.plots.style import colour_of, drawable, needed, new_figure, span, styled
from bioae.analysis.results.layers import root_of
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["input_signals"]

#: The most channels that are drawn as traces; more are a picture.
_TRACES = 6


@styled
def input_signals(
    results: Mapping[str, xr.DataTree], *, examples: int = 3, ax: Places | None = None
) -> Figure:
    """Draw the first input signals: a trace per channel, or with many channels a picture.

    Parameters
    ----------
    results
        The results by name, of networks that receive signals.
    examples
        The number of examples of each, one panel each.
    ax
        Axes to draw into, by panel: one, a sequence, or a mapping from titles of panels
        (``"NAME, example 0"``). By default a new figure.

    Raises
    ------
    ResultError
        If there is no result, one has images as input, or `examples` is not positive.
    """
    needed(results, "signals")
    whole(examples, "examples", least=1, error=ResultError)
    inputs = {
        name: _signals(tree, name).isel(example=slice(examples)) for name, tree in results.items()
    }
    rows = {
        f"{name}, example {int(signal['example'])}": (
            drawable(signal.transpose("channel", "time").to_numpy()),
            float(results[name].attrs["dt_ms"]),
        )
        for name, signals in inputs.items()
        for signal in signals
    }
    needed(rows, "signals")
    every = [values for values, _ in rows.values()]
    if ax is None:
        figure = new_figure(6.2, 0.4 + 1.7 * len(rows))
        places = figure.subplots(len(rows), 1, squeeze=False, sharex=True)[:, 0]
        grid = dict(zip(rows, places, strict=True))
    else:
        grid = given_axes(ax, [*rows])
    pictures = []
    longest = max(values.shape[1] * dt_ms for values, dt_ms in rows.values())
    for title, axes in grid.items():
        values, dt_ms = rows[title]
        if len(values) > _TRACES:
            pictures.append(_draw_picture(axes, values, dt_ms, span(every, margin=0)))
        else:
            _draw_channels(axes, values, dt_ms, span(every))
        axes.set_title(title)
        axes.set_xlim(0, longest)
    drawn = [*grid.values()]
    drawn[-1].set_xlabel("time (ms)")
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
    axes.set_ylim(ends)
    axes.set_ylabel("input")


def _draw_picture(
    axes: Axes, values: NDArray[np.float64], dt_ms: float, ends: tuple[float, float]
) -> AxesImage:
    """Draw a row of pixels per channel, (channel, time)."""
    channels, steps = values.shape
    image = axes.imshow(
        values, cmap="viridis", aspect="auto", interpolation="nearest", vmin=ends[0], vmax=ends[1],
        extent=(0, steps * dt_ms, channels - 0.5, -0.5),
    )  # fmt: skip
    axes.set_ylabel("channel")
    return image


def _signals(tree: xr.DataTree, name: str) -> xr.DataArray:
    signals = root_of(tree).to_dataset()["input"]
    if "time" not in signals.dims:
        raise ResultError(
            "the input is no signal",
            where=name,
            expected="(example, time, channel)",
            found=str(signals.dims),
        )
    return signals
