"""Where a layer puts the images, in the two directions in which it varies most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.coding.latent_space import Plane, principal_plane, project
from bioae.analysis.plots.overlay import MARKERS, colour_of, needed
from bioae.analysis.plots.style import new_figure, styled
from bioae.analysis.results.layers import layer_data

__all__ = ["latent_maps"]


@styled
def latent_maps(
    results: Mapping[str, xr.DataTree], layer: str, *, most_examples: int = 2000
) -> Figure:
    """Draw a dot for each example, coloured and marked by its class, a panel for each result.

    The axes are the first two principal components of the first result's spike counts. Results
    whose layer has as many neurons are shown on the same axes, so that equal places are equal
    responses; others have components of their own. How much of a result's variance an axis holds
    is said beside it.

    Parameters
    ----------
    results
        The results by name. Without labels all dots are alike.
    layer
        Which layer, such as the latent one.
    most_examples
        How many are drawn, the first ones; the components are those of all.

    Raises
    ------
    ResultError
        If there is no result, or a layer has fewer than two neurons or examples.
    """
    needed(results, "examples")
    columns = min(3, len(results))
    rows = -(-len(results) // columns)
    labels = {name: _labels(tree) for name, tree in results.items()}
    classes = sorted({each for found in labels.values() for each in found.tolist()})
    figure = new_figure(2.9 * columns + (0.9 if len(classes) > 1 else 0.2), 2.9 * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[len(results) :]:
        unused.set_axis_off()
    plane: Plane | None = None
    for panel, (name, tree) in zip(axes, results.items(), strict=False):
        same = plane is not None and plane.mean.size == layer_data(tree, layer).sizes["neuron"]
        own = plane if same and plane is not None else principal_plane(tree, layer)
        plane = plane or own
        places = project(tree, layer, own)
        _draw(panel, places[:most_examples], labels[name][:most_examples], classes)
        panel.set_title(name)
        panel.set_xlabel(_axis(1, float(places["fraction"][0])))
        panel.set_ylabel(_axis(2, float(places["fraction"][1])))
    if len(classes) > 1:
        _legend(figure, axes[0])
    return figure


def _labels(tree: xr.DataTree) -> NDArray[Any]:
    root = tree.to_dataset()
    return root["label"].to_numpy() if "label" in root else np.zeros(root.sizes["example"], int)


def _draw(axes: Axes, places: xr.DataArray, labels: NDArray[Any], classes: list[Any]) -> None:
    x, y = places.transpose("component", "example").to_numpy()
    many = x.size > 500
    for index, each in enumerate(classes):
        own = labels == each
        axes.plot(
            x[own],
            y[own],
            linestyle="none",
            marker=MARKERS[index % len(MARKERS)],
            markersize=3 if many else 4.5,
            markerfacecolor=colour_of(index) if index < 7 else "none",
            markeredgecolor=colour_of(index),
            markeredgewidth=0.6,
            alpha=0.7,
            rasterized=True,
            label=str(each),
        )
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _axis(which: int, fraction: float) -> str:
    held = "no variance" if np.isnan(fraction) else f"{100 * fraction:.0f} % of the variance"
    return f"component {which} ({held})"


def _legend(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, title="class", loc="outside right upper", markerscale=1.3, handlelength=1
    )
