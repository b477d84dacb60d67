"""Pictures of signals, the input of networks that receive values in time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bioae.analysis.plots.style import colour_of, needed, new_figure, styled
from bioae.analysis.results.layers import root_of
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["input_signals"]

#: The most channels that are drawn as traces; more are a picture.
_TRACES = 6


@styled
def input_signals(results: Mapping[str, xr.DataTree], *, examples: int = 3) -> Figure:
    """Draw the first input signals: a trace per channel, or with many channels a picture.

    Parameters
    ----------
    results
        The results by name, of networks that receive signals.
    examples
        The number of examples of each, one panel each.

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
    rows = [(name, signal) for name, signals in inputs.items() for signal in signals]
    needed(dict(enumerate(rows)), "signals")
    figure = new_figure(6.2, 0.4 + 1.7 * len(rows))
    grid = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, (name, signal) in zip(grid, rows, strict=True):
        values = signal.transpose("time", "channel").to_numpy()
        dt = float(results[name].attrs["dt_ms"])
        if values.shape[1] <= _TRACES:
            for channel, trace in enumerate(values.T):
                edges = np.arange(len(trace) + 1) * dt
                axes.stairs(trace, edges, baseline=None, color=colour_of(channel), linewidth=1.1)
            axes.set_ylabel("input")
        else:
            ends = (0, len(values) * dt, values.shape[1] - 0.5, -0.5)
            drawn = axes.imshow(
                values.T, cmap="viridis", aspect="auto", interpolation="nearest", extent=ends
            )
            axes.set_ylabel("channel")
            figure.colorbar(drawn, ax=axes, label="input")
        axes.set_title(f"{name}, example {int(signal['example'])}")
    grid[-1].set_xlabel("time (ms)")
    return figure


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
