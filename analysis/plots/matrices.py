"""Matrices in colour: correlations of neurons, confusion of classes, rates by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import confusion_matrix
from bioae.analysis.pairs.correlations import correlation_matrix
from bioae.analysis.plots.panels import Places, figure_of, head, panels
from bioae.analysis.plots.sources import Layers, Measure, Measured
from bioae.analysis.plots.style import INK, styled
from bioae.checks import number
from bioae.errors import ResultError

Matrix = NDArray[np.float64]

#: The most classes whose fractions are written into the matrix.
_WRITTEN = 12

#: A matrix of more neurons is not readable.
_CORRELATIONS = Measure(
    "correlations", correlation_matrix, xr.DataArray, ("neuron", "other"), (2, 1000)
)
_CONFUSIONS = Measure("confusion matrices", confusion_matrix, xr.Dataset, ("fraction",))
_RESPONSES = Measure("responses", rates_by_class, xr.DataArray, ("class", "neuron"))


@styled
def correlation_matrices(
    matrices: Measured[xr.DataArray],
    *,
    layers: Layers = None,
    limit: float | None = None,
    ax: Places | None = None,
) -> Figure:
    """Draw correlation matrices over all pairs of neurons, one panel per result.

    Neurons are in the order of a hierarchical clustering (average linkage on 1 - r) of the first
    result, so that correlated neurons are neighbours. Results of the same size have the same order.
    Each panel leaves out the neurons whose correlations are undefined in its result, such as dead
    ones. Below a panel are the median of its correlations, their quartiles, and the number of
    neurons left out. The diagonal is not drawn.

    Parameters
    ----------
    matrices
        A result, several by name, or by result (neuron, other), as from
        `bioae.analysis.correlation_matrix`.
    layers
        The layers to draw, by default all that can fire and have 2 to 1,000 neurons.
    limit
        Limit of the colour scale on both sides; by default it includes 99 % of the correlations.
    ax
        Axes to draw into, by result, or with several layers by ``"RESULT, LAYER"``.
    """
    values = {}
    for name, matrix in _CORRELATIONS.by_panel(matrices, layers).items():
        values[name] = np.array(matrix.to_numpy(), float)
        np.fill_diagonal(values[name], np.nan)
    if limit is None:
        sizes = np.concatenate([abs(each[np.isfinite(each)]) for each in values.values()])
        # Rounded up to a tenth, for readable ticks.
        tenths = np.ceil(np.quantile(sizes, 0.99) * 10) if sizes.size else 10.0
        limit = float(tenths / 10) or 0.1
    limit = number(limit, "limit", above=0, error=ResultError)
    first = next(iter(values.values()))
    shared = _clustered(first)
    axes = panels([*values], (2.7, 3.1), ax=ax, most=3, margin=(0.9, 0.2), pictures=True)
    for name, panel in axes.items():
        same = values[name].shape == first.shape
        order = _ordered(values[name], shared) if same else _clustered(values[name])
        image = _draw_matrix(panel, values[name], order, limit)
        head(panel, name)
    drawn = [*axes.values()]
    places = [axes.get_subplotspec() for axes in drawn] if ax is None else []
    rows = len({place.rowspan.start for place in places if place is not None}) or 1
    style: dict[str, Any] = {"shrink": 0.8, "aspect": 25 * rows, "extend": "both"}
    bar = figure_of(drawn).colorbar(image, ax=drawn, extendfrac=0.05 / rows, **style)
    bar.set_label("correlation of spike counts")
    bar.outline.set_visible(False)
    return figure_of(drawn)


def _ordered(matrix: Matrix, shared: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order the defined neurons: those that have a place in a shared order, then the others."""
    defined = np.flatnonzero(np.isfinite(matrix).any(1))
    placed = shared[np.isin(shared, defined)]
    others = np.setdiff1d(defined, shared)
    return np.concatenate((placed, others[_clustered(matrix[np.ix_(others, others)])]))


def _clustered(matrix: Matrix) -> NDArray[np.int64]:
    """Order the defined neurons, so that correlated ones are neighbours."""
    own = np.flatnonzero(np.isfinite(matrix).any(1))
    if own.size > 2:
        distance = 1 - np.nan_to_num(matrix[np.ix_(own, own)])
        np.fill_diagonal(distance, 0)
        # An optimal order of the leaves takes cubic time.
        tree = linkage(
            squareform(distance, checks=False), "average", optimal_ordering=own.size <= 500
        )
        own = own[leaves_list(tree)]
    return own.astype(np.int64)


def _draw_matrix(axes: Axes, matrix: Matrix, order: NDArray[np.int64], limit: float) -> AxesImage:
    ordered = matrix[np.ix_(order, order)] if order.size else np.full((1, 1), np.nan)
    axes.set_facecolor("white")
    # Lightness rises evenly, so that signs are distinguishable in grey and in every colour vision.
    image = axes.imshow(
        ordered, cmap="cividis", vmin=-limit, vmax=limit, interpolation="nearest", aspect="equal"
    )
    pairs = ordered[np.triu_indices_from(ordered, 1)]
    defined = pairs[np.isfinite(pairs)]
    lines = ["neuron, ordered", "no pair of neurons varies"]
    if defined.size:
        low, median, high = np.quantile(defined, [0.25, 0.5, 0.75])
        lines[1] = f"median {median:.2g} ({low:.2g} to {high:.2g})"
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
    else:
        axes.set(xticks=[], yticks=[])
    left = matrix.shape[0] - order.size
    if left:
        lines.append(f"{left:,} of {matrix.shape[0]:,} neurons left out")
    axes.set_xlabel("\n".join(lines))
    axes.spines[:].set(visible=True, color=INK)
    return image


@styled
def confusion_matrices(confusions: Measured[xr.Dataset], *, ax: Places | None = None) -> Figure:
    """Draw confusion matrices: the share of each true class that is predicted as each class.

    Parameters
    ----------
    confusions
        A result, several by name, or by result as from `bioae.analysis.confusion_matrix`.
    ax
        Axes to draw into, by result.
    """
    measured = _CONFUSIONS.by_result(confusions)
    grid = panels([*measured], (3.5, 3.5), ax=ax, most=3, margin=(0.7, 0.4), pictures=True)
    for name, axes in grid.items():
        fraction = measured[name]["fraction"].transpose("true", "predicted").to_numpy()
        shares = 100 * fraction
        drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
        axes.set(xlabel="predicted class", ylabel="true class")
        head(axes, name)
        if len(shares) > _WRITTEN:
            continue
        axes.set(xticks=np.arange(len(shares)), yticks=np.arange(len(shares)))
        for (row, column), value in np.ndenumerate(shares):
            if value > 0:
                axes.text(
                    column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.5,
                    color="white" if value > 60 else "black",
                )  # fmt: skip
    places = [*grid.values()]
    figure_of(places).colorbar(drawn, ax=places, shrink=0.8, label="% of the true class")
    return figure_of(places)


@styled
def class_rates(
    responses: Measured[xr.DataArray], *, layers: Layers = None, ax: Places | None = None
) -> Figure:
    """Draw the mean firing rate of each neuron in response to each class.

    Parameters
    ----------
    responses
        A result, several by name, or by result as from `bioae.analysis.rates_by_class`.
    layers
        The layers to draw, by default all that can fire.
    ax
        Axes to draw into, by result, or with several layers by ``"RESULT, LAYER"``.
    """
    measured = _RESPONSES.by_panel(responses, layers)
    for name, array in measured.items():
        if not array.size:
            raise ResultError("there is no class or neuron to draw", where=name)
    grid = panels([*measured], (4.6, 2.4), ax=ax, margin=(0.6, 0.6))
    # One scale for all results, so that colours can be compared.
    highest = max(float(np.nan_to_num(array.to_numpy()).max()) for array in measured.values())
    for name, axes in grid.items():
        values = measured[name].transpose("class", "neuron").to_numpy()
        drawn = axes.imshow(
            values, cmap="viridis", aspect="auto", vmin=0, vmax=highest or 1.0,
            interpolation="nearest",
        )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="neuron", ylabel="class")
        head(axes, name)
        labels: Sequence[object] = measured[name]["class"].to_numpy().tolist()
        if len(labels) <= _WRITTEN:
            axes.set_yticks(np.arange(len(labels)), [str(label) for label in labels])
    places = [*grid.values()]
    figure_of(places).colorbar(drawn, ax=places, label="firing rate (Hz)", aspect=12 * len(places))
    return figure_of(places)
