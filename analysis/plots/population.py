"""The spikes of one presentation, and how many there are at each moment."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.firing.population_rates import population_rate
from bioae.analysis.plots.overlay import colour_of, draw_spikes, head, line_of, needed
from bioae.analysis.plots.style import new_figure, styled
from bioae.analysis.results.rasters import raster

__all__ = ["population_activity"]


@styled
def population_activity(
    results: Mapping[str, xr.DataTree],
    layer: str,
    *,
    example: int | None = None,
    sigma_ms: float | None = None,
) -> Figure:
    """Draw a dot for every spike of a layer, a panel for each result, and below them its rate.

    The rate is that of the layer's mean neuron, as from `bioae.analysis.population_rate`.

    Parameters
    ----------
    results
        The results by the names in titles and labels.
    layer
        Which layer.
    example
        A value of the coordinate `example`; by default the first of the first result.
    sigma_ms
        Of the Gaussian that smooths the rate; none by default.

    Raises
    ------
    ResultError
        If there is no result, or one has no such layer or example.
    """
    needed(results, "spikes")
    first = next(iter(results.values()))
    chosen = int(first["example"].to_numpy()[0]) if example is None else example
    figure = new_figure(7.2, 1.9 + 1.6 * len(results))
    ratios = [*[1.2] * len(results), 1.0]
    axes = figure.subplots(
        len(ratios), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios}
    )[:, 0]
    for index, (name, tree) in enumerate(results.items()):
        spikes = raster(tree, layer, example=chosen)
        draw_spikes(axes[index], spikes, name, colour_of(index))
        axes[index].set_ylabel("neuron")
        rate = population_rate(tree.sel(example=[chosen]), layer, sigma_ms=sigma_ms)
        _draw_rate(axes[-1], rate, float(tree.attrs["dt_ms"]), name, index)
    axes[-1].set_ylim(bottom=0)
    axes[-1].set_ylabel("rate (Hz)")
    axes[-1].yaxis.set_major_locator(MaxNLocator(3))
    axes[-1].set_xlabel("time since the start of the presentation (ms)")
    head(axes[-1], f"mean rate of {layer}", columns=min(4, len(results)))
    figure.align_ylabels(axes)
    return figure


def _draw_rate(axes: Axes, rate: xr.DataArray, dt_ms: float, name: str, index: int) -> None:
    # A dot stands at the start of its step, and so does the middle of the rate's stair.
    edges = (np.arange(rate.size + 1) - 0.5) * dt_ms
    axes.stairs(rate.to_numpy(), edges, baseline=None, linewidth=1.5, label=name, **line_of(index))
