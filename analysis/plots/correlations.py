"""Which neurons vary together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.plots.overlay import needed
from bioae.analysis.plots.style import INK, new_figure, styled

__all__ = ["correlation_matrices"]

# Its lightness rises evenly, so that signs are told apart in grey and with every colour vision.
_MAP, _UNDEFINED = "cividis", "white"


@styled
def correlation_matrices(
    matrices: Mapping[str, xr.DataArray], *, limit: float | None = None
) -> Figure:
    """Draw the correlations of all pairs of neurons, a panel for each result.

    Neurons stand in an order that puts those that vary alike beside each other: the order of a
    hierarchical clustering (average linkage on 1 - r) of the first result. Others of the same size
    follow it, so that equal places are equal neurons. Neurons whose correlations are undefined in
    every result, as those of the dead, are left out. A neuron's correlation with itself is not
    drawn.

    Parameters
    ----------
    matrices
        By result, (neuron, other), as from `bioae.analysis.pairs.correlations.correlation_matrix`.
    limit
        Where the scale of colours ends on both sides; by default beyond 99 % of the correlations.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(matrices, "correlations")
    found = {name: _without_self(matrix) for name, matrix in matrices.items()}
    orders = _orders(list(found.values()))
    most = _limit(list(found.values())) if limit is None else limit
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = new_figure(2.7 * columns + 0.9, 2.9 * rows + 0.2)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[len(found) :]:
        unused.set_axis_off()
    for panel, (name, matrix), order in zip(axes, found.items(), orders, strict=False):
        image = _draw(panel, matrix, order, name, most)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=25, extend="both")
    bar.set_label("correlation of spike counts")
    bar.outline.set_visible(False)
    return figure


Matrix = NDArray[np.float64]


def _without_self(matrix: xr.DataArray) -> Matrix:
    values = np.array(matrix.to_numpy(), float)
    np.fill_diagonal(values, np.nan)
    return values


def _orders(matrices: list[Matrix]) -> list[NDArray[np.int64]]:
    """Return the neurons that each panel shows, in their order."""
    first = matrices[0]
    alike = [matrix for matrix in matrices if matrix.shape == first.shape]
    shown: NDArray[np.bool_] = np.logical_or.reduce([_defined(matrix) for matrix in alike])
    shared = _clustered(first, shown)
    return [
        shared if matrix.shape == first.shape else _clustered(matrix, _defined(matrix))
        for matrix in matrices
    ]


def _defined(matrix: Matrix) -> NDArray[np.bool_]:
    """Whether a neuron has a correlation with any other, (neuron,)."""
    return np.asarray(np.isfinite(matrix).any(1))


def _clustered(matrix: Matrix, shown: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Order the neurons shown: first those that this matrix clusters, then the others."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    own = np.flatnonzero(_defined(matrix))
    others = np.setdiff1d(np.flatnonzero(shown), own)
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
    sizes = [np.abs(matrix[np.isfinite(matrix)]) for matrix in matrices]
    every = np.concatenate(sizes)
    # Rounded up to a tenth, so that the scale reads well.
    return float(np.ceil(np.quantile(every, 0.99) * 10) / 10) or 0.1 if every.size else 1.0


def _draw(
    axes: Axes, matrix: Matrix, order: NDArray[np.int64], name: str, limit: float
) -> AxesImage:
    shown = matrix[np.ix_(order, order)] if order.size else np.full((1, 1), np.nan)
    axes.set_facecolor(_UNDEFINED)
    image = axes.imshow(
        shown, cmap=_MAP, vmin=-limit, vmax=limit, interpolation="nearest", aspect="equal"
    )
    pairs = shown[np.triu_indices_from(shown, 1)]
    defined = pairs[np.isfinite(pairs)]
    mean = f"mean {defined.mean():.2g}" if defined.size else "none is defined"
    axes.set_title(f"{name}: {mean}")
    left = matrix.shape[0] - order.size
    axes.set_xlabel("neuron, ordered" + (f" ({left:,} left out)" if left else ""))
    axes.spines[:].set(visible=True, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, integer=True))
    return image
