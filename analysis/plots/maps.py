"""Maps of a layer's code: correlation matrices, and examples in the space of its responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.coding.latent_space import Plane, principal_plane, project
from bioae.analysis.plots.legends import head, share_legend
from bioae.analysis.plots.panels import Places, figure_of, squares
from bioae.analysis.plots.style import INK, MARKERS, MOST_MARKERS, colour_of, needed, styled
from bioae.analysis.results.layers import layer_data
from bioae.checks import instance
from bioae.errors import ResultError

__all__ = ["correlation_matrices", "latent_maps"]

# Lightness rises evenly, so that signs are distinguishable in grey and with every colour vision.
_MAP, _UNDEFINED = "cividis", "white"

Matrix = NDArray[np.float64]


@styled
def correlation_matrices(
    matrices: Mapping[str, xr.DataArray], *, limit: float | None = None, ax: Places | None = None
) -> Figure:
    """Draw correlation matrices over all pairs of neurons, one panel per result.

    Neurons are in the order of a hierarchical clustering (average linkage on 1 - r) of the first
    result, so that correlated neurons are neighbours. Results of the same size have the same order.
    Each panel leaves out the neurons whose correlations are undefined in its result, such as dead
    ones. The note of a panel has the median of its correlations, their quartiles, and the number of
    neurons left out. The diagonal is not drawn.

    Parameters
    ----------
    matrices
        By result, (neuron, other), as from `bioae.analysis.correlation_matrix`.
    limit
        Limit of the colour scale on both sides; by default it includes 99 % of the correlations.
    ax
        Axes to draw into, by result: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result, or one is no matrix.
    """
    needed(matrices, "correlations")
    for name, matrix in matrices.items():
        instance(matrix, f"the correlations of {name!r}", xr.DataArray, error=ResultError)
    values = {name: _without_diagonal(matrix) for name, matrix in matrices.items()}
    most = _limit([*values.values()]) if limit is None else limit
    orders = dict(zip(values, _orders([*values.values()]), strict=True))
    axes = squares([*values], (2.7, 3.1), (0.9, 0.2), ax=ax)
    for name, panel in axes.items():
        image = _draw_matrix(panel, values[name], orders[name], name, most)
    drawn = [*axes.values()]
    bar = figure_of(drawn).colorbar(image, ax=drawn, shrink=0.8, aspect=25, extend="both")
    bar.set_label("correlation of spike counts")
    bar.outline.set_visible(False)
    return figure_of(drawn)


def _without_diagonal(matrix: xr.DataArray) -> Matrix:
    values = np.array(matrix.to_numpy(), float)
    np.fill_diagonal(values, np.nan)
    return values


def _orders(matrices: list[Matrix]) -> list[NDArray[np.int64]]:
    """Return the neurons of each panel, in order."""
    first = matrices[0]
    shared = _clustered(first)
    return [
        _ordered(matrix, shared) if matrix.shape == first.shape else _clustered(matrix)
        for matrix in matrices
    ]


def _defined(matrix: Matrix) -> NDArray[np.bool_]:
    """Return the mask of neurons with any defined correlation, (neuron,)."""
    return np.asarray(np.isfinite(matrix).any(1))


def _ordered(matrix: Matrix, shared: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order the defined neurons: those that have a place in a shared order, then the others."""
    placed = shared[_defined(matrix)[shared]]
    others = np.setdiff1d(np.flatnonzero(_defined(matrix)), shared)
    return np.concatenate((placed, others[_clustered(matrix[np.ix_(others, others)])]))


def _clustered(matrix: Matrix) -> NDArray[np.int64]:
    """Order the defined neurons, so that correlated ones are neighbours."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    own = np.flatnonzero(_defined(matrix))
    if own.size > 2:
        distance = 1 - np.nan_to_num(matrix[np.ix_(own, own)])
        np.fill_diagonal(distance, 0)
        # An optimal order of the leaves takes cubic time.
        tree = linkage(
            squareform(distance, checks=False), "average", optimal_ordering=own.size <= 500
        )
        own = own[leaves_list(tree)]
    return own.astype(np.int64)


def _limit(matrices: list[Matrix]) -> float:
    sizes = np.concatenate([np.abs(matrix[np.isfinite(matrix)]) for matrix in matrices])
    # Rounded up to a tenth, for readable ticks.
    return float(np.ceil(np.quantile(sizes, 0.99) * 10) / 10) or 0.1 if sizes.size else 1.0


def _draw_matrix(
    axes: Axes, matrix: Matrix, order: NDArray[np.int64], name: str, limit: float
) -> AxesImage:
    ordered = matrix[np.ix_(order, order)] if order.size else np.full((1, 1), np.nan)
    axes.set_facecolor(_UNDEFINED)
    image = axes.imshow(
        ordered, cmap=_MAP, vmin=-limit, vmax=limit, interpolation="nearest", aspect="equal"
    )
    pairs = ordered[np.triu_indices_from(ordered, 1)]
    defined = pairs[np.isfinite(pairs)]
    note = "no pair of neurons varies"
    if defined.size:
        low, median, high = np.quantile(defined, [0.25, 0.5, 0.75])
        note = f"median {median:.2g} ({low:.2g} to {high:.2g})"
    else:
        axes.set(xticks=[], yticks=[])
    left = matrix.shape[0] - order.size
    head(axes, name, note + (f"\n{left:,} of {matrix.shape[0]:,} neurons left out" if left else ""))
    axes.set_xlabel("neuron, ordered")
    axes.spines[:].set(visible=True, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        if defined.size:
            axis.set_major_locator(MaxNLocator(4, integer=True))
    return image


@styled
def latent_maps(
    results: Mapping[str, xr.DataTree],
    layer: str,
    *,
    most_examples: int = 2000,
    ax: Places | None = None,
) -> Figure:
    """Draw examples in the space of their spike counts, marked by class, one panel per result.

    The axes are the first two principal components of the first result. Results whose layer has as
    many neurons share the axes, so that equal positions are equal responses; others have their own
    components. The axis labels give the fraction of the result's variance along each component.

    Parameters
    ----------
    results
        The results by name. Without labels all examples have the same marker.
    layer
        The name of the layer, such as the latent one.
    most_examples
        Number of examples to draw, from the first; the components are those of all examples.
    ax
        Axes to draw into, by result: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result, or a layer has fewer than two neurons or examples.
    """
    needed(results, "examples")
    labels = {name: _labels(tree) for name, tree in results.items()}
    classes = sorted({each for label in labels.values() for each in label.tolist()})
    margin = (0.9 if len(classes) > 1 else 0.2, 0)
    axes = squares([*results], (2.9, 2.9), margin, ax=ax)
    plane: Plane | None = None
    for name, tree in results.items():
        same = plane is not None and plane.mean.size == layer_data(tree, layer).sizes["neuron"]
        own = plane if same and plane is not None else principal_plane(tree, layer)
        plane = plane or own
        if name not in axes:
            continue
        panel = axes[name]
        places = project(tree, layer, own)
        _draw_examples(panel, places[:most_examples], labels[name][:most_examples], classes)
        panel.set_title(name)
        panel.set_xlabel(_axis(1, float(places["fraction"][0])))
        panel.set_ylabel(_axis(2, float(places["fraction"][1])))
    drawn = [*axes.values()]
    if len(classes) > 1:
        style: dict[str, Any] = {"title": "class", "markerscale": 1.3, "handlelength": 1}
        share_legend(drawn, ax=ax, side="right", **style)
    return figure_of(drawn)


def _labels(tree: xr.DataTree) -> NDArray[Any]:
    root = tree.to_dataset()
    return root["label"].to_numpy() if "label" in root else np.zeros(root.sizes["example"], int)


def _draw_examples(
    axes: Axes, places: xr.DataArray, labels: NDArray[Any], classes: list[Any]
) -> None:
    x, y = places.transpose("component", "example").to_numpy()
    many = x.size > MOST_MARKERS
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
            rasterized=many,
            label=str(each),
        )
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _axis(which: int, fraction: float) -> str:
    explained = "no variance" if np.isnan(fraction) else f"{100 * fraction:.0f} % of the variance"
    return f"component {which} ({explained})"
