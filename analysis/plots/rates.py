"""How the firing rates of a layer's neurons are distributed."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.firing.rates import rate_distribution
from bioae.analysis.plots.style import COLOURS, LINES, panels, styled
from bioae.analysis.results.layers import layer_data, layer_names
from bioae.errors import ResultError

__all__ = ["rate_histograms"]


@styled
def rate_histograms(results: Mapping[str, xr.DataTree], *, bins: int = 30) -> Figure:
    """Draw the distribution of firing rates of each layer, a line for each result.

    The axis of rates is logarithmic, so a neuron without a spike is on none of the bins: how many
    those are is said in the label.

    Parameters
    ----------
    results
        The results by the names in the labels. A layer is drawn for those that have it.

    Raises
    ------
    ResultError
        If there is no result, or `bins` is not positive.
    """
    if not results:
        raise ResultError("there are no rates to draw", expected="at least one result")
    names = list(dict.fromkeys(name for tree in results.values() for name in layer_names(tree)))
    figure, axes = panels(len(names), 2.1 + 0.16 * len(results), "firing rate (Hz)")
    for panel, name in zip(axes, names, strict=True):
        _draw_layer(panel, name, results, bins)
    return figure


def _draw_layer(axes: Axes, name: str, results: Mapping[str, xr.DataTree], bins: int) -> None:
    for index, (label, tree) in enumerate(results.items()):
        if name not in layer_names(tree):
            continue
        rates = rate_distribution(tree, name, bins=bins)
        dead, neurons = int(rates["dead"]), layer_data(tree, name).sizes["neuron"]
        axes.stairs(
            rates["neurons"].to_numpy(),
            [*rates["rate_low"].to_numpy(), float(rates["rate_high"][-1])],
            color=COLOURS[index % len(COLOURS)],
            linestyle=LINES[index % len(LINES)],
            linewidth=1.5,
            label=f"{label}: {dead:,} of {neurons:,} dead",
        )
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("neurons")
    # Title and legend stand above the panel, where they cannot hide a line.
    legend = axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.2)
    axes.set_title(name, pad=8 + 12.5 * len(legend.get_texts()))
