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
from bioae.analysis.plots.style import (
    INK,
    MARKERS,
    MOST_MARKERS,
    colour_of,
    needed,
    new_figure,
    styled,
)
from bioae.analysis.results.layers import layer_data

__all__ = ["correlation_matrices", "latent_maps"]

# Lightness rises evenly, so that signs are distinguishable in grey and with every colour vision.
_MAP, _UNDEFINED = "cividis", "white"

Matrix = NDArray[np.float64]


@styled
def correlation_matrices(
    matrices: Mapping[str, xr.DataArray], *, limit: float | None = None
) -> Figure:
    """Draw correlation matrices over all pairs of neurons, one panel per result.

    Neurons are in the order of a hierarchical clustering (average linkage on 1 - r) of the first
    result, so that correlated neurons are neighbours. Results of the same size share the order,
    and a position means the same neuron. Neurons without a defined correlation in any result, such
    as dead ones, are left out. The diagonal is not drawn.

    Parameters
    ----------
    matrices
        By result, (neuron, other), as from `bioae.analysis.correlation_matrix`.
    limit
        Limit of the colour scale on both sides; by default it includes 99 % of the correlations.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(matrices, "correlations")
    values = [_without_diagonal(matrix) for matrix in matrices.values()]
    most = _limit(values) if limit is None else limit
    figure, axes = _square_panels(len(values), 2.7, (0.9, 0.2))
    for panel, name, matrix, order in zip(axes, matrices, values, _orders(values), strict=False):
        image = _draw_matrix(panel, matrix, order, name, most)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=25, extend="both")
    bar.set_label("correlation of spike counts")
    bar.outline.set_visible(False)
    return figure


def _without_diagonal(matrix: xr.DataArray) -> Matrix:
    values = np.array(matrix.to_numpy(), float)
    np.fill_diagonal(values, np.nan)
    return values


def _orders(matrices: list[Matrix]) -> list[NDArray[np.int64]]:
    """Return the neurons of each panel, in order."""
    first = matrices[0]
    defined = [_defined(matrix) for matrix in matrices if matrix.shape == first.shape]
    shared = _clustered(first, np.logical_or.reduce(defined))
    return [
        shared if matrix.shape == first.shape else _clustered(matrix, _defined(matrix))
        for matrix in matrices
    ]


def _defined(matrix: Matrix) -> NDArray[np.bool_]:
    """Return the mask of neurons with any defined correlation, (neuron,)."""
    return np.asarray(np.isfinite(matrix).any(1))


def _clustered(matrix: Matrix, neurons: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Order neurons: first those that this matrix clusters, then the others."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    own = np.flatnonzero(_defined(matrix))
    others = np.setdiff1d(np.flatnonzero(neurons), own)
    if own.size > 2:
        distance = 1 - np.nan_to_num(matrix[np.ix_(own, own)])
        np.fill_diagonal(distance, 0)
        # An optimal order of the leaves takes cubic time.
        tree = linkage(
            squareform(distance, checks=False), "average", optimal_ordering=own.size <= 500
        )
        own = own[leaves_list(tree)]
    return np.concatenate((own, others)).astype(np.int64)


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
    mean = f"mean {defined.mean():.2g}" if defined.size else "none is defined"
    axes.set_title(f"{name}: {mean}")
    left = matrix.shape[0] - order.size
    axes.set_xlabel("neuron, ordered" + (f" ({left:,} left out)" if left else ""))
    axes.spines[:].set(visible=True, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, integer=True))
    return image


@styled
def latent_maps(
    results: Mapping[str, xr.DataTree], layer: str, *, most_examples: int = 2000
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

    Raises
    ------
    ResultError
        If there is no result, or a layer has fewer than two neurons or examples.
    """
    needed(results, "examples")
    labels = {name: _labels(tree) for name, tree in results.items()}
    classes = sorted({each for label in labels.values() for each in label.tolist()})
    figure, axes = _square_panels(len(results), 2.9, (0.9 if len(classes) > 1 else 0.2, 0))
    plane: Plane | None = None
    for panel, (name, tree) in zip(axes, results.items(), strict=False):
        same = plane is not None and plane.mean.size == layer_data(tree, layer).sizes["neuron"]
        own = plane if same and plane is not None else principal_plane(tree, layer)
        plane = plane or own
        places = project(tree, layer, own)
        _draw_examples(panel, places[:most_examples], labels[name][:most_examples], classes)
        panel.set_title(name)
        panel.set_xlabel(_axis(1, float(places["fraction"][0])))
        panel.set_ylabel(_axis(2, float(places["fraction"][1])))
    if len(classes) > 1:
        handles, names = axes[0].get_legend_handles_labels()
        style = {"title": "class", "markerscale": 1.3, "handlelength": 1}
        figure.legend(handles, names, loc="outside right upper", **style)
    return figure


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


def _square_panels(
    count: int, size: float, margin: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels, three per row, of sizes in inches."""
    columns = min(3, count)
    rows = -(-count // columns)
    figure = new_figure(size * columns + margin[0], 2.9 * rows + margin[1])
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, axes[:count]
