"""How the spike counts of neurons vary together, pair by pair and on average.

The examples are different images. So *total* correlation is mostly of what neurons say about
them; *signal* correlation is that of their mean responses to the classes, *noise* correlation
that of what is left around those means (Cohen & Kohn 2011, Nat. Neurosci. 14:811). The latter is of
differences between images of a class as well as of the network's own noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.class_sums import ClassSums, class_sums
from bioae.analysis.pairs.pair_selection import chosen_neurons, pair_matrix
from bioae.analysis.pairs.products import centred_counts, pair_products
from bioae.analysis.results.arrays import count_blocks, whole_steps
from bioae.analysis.results.layers import described, layer_data
from bioae.analysis.results.rasters import raster
from bioae.errors import ResultError

__all__ = [
    "CorrelationKind",
    "correlation_matrix",
    "mean_pairwise_correlation",
    "temporal_correlation_matrix",
]

CorrelationKind = Literal["total", "signal", "noise"]
_KINDS = ("total", "signal", "noise")
_MOST_NEURONS = 16_384


def correlation_matrix(
    tree: xr.DataTree,
    layer: str,
    *,
    kind: CorrelationKind = "total",
    neurons: Sequence[int] | None = None,
) -> xr.DataArray:
    """Return Pearson's correlation of spike counts over examples, for all pairs of neurons.

    Parameters
    ----------
    kind
        ``"total"`` over all examples; ``"signal"`` over the classes, between mean responses;
        ``"noise"`` over all examples, between what is left around the mean of their class.
    neurons
        The neurons to compare, by index; by default all of them.

    Returns
    -------
    xarray.DataArray
        (neuron, other). NaN, on the diagonal too, for a neuron whose response does not vary.
        With `neurons`, the coordinates `neuron` and `other` hold their indices.

    Raises
    ------
    ResultError
        If the kind needs labels and there are none, there are fewer than two examples (for
        ``"signal"``, classes), or more than 16384 neurons, whose matrix would take over 2 GiB.
    """
    _check_kind(kind)
    chosen = chosen_neurons(layer_data(tree, layer), layer, neurons, most=_MOST_NEURONS)
    sums = class_sums(tree, layer, by_label=kind != "total")
    _check_several(kind, sums)
    if kind == "signal":
        means = _means(sums)[:, chosen]
        around = means - means.mean(0)
        varies = ~(means == means[0]).all(0)
        gram = around.T @ around
    else:
        gram = _gram_around_class(tree, layer, sums, chosen)
        varies = sums.around_mean()[chosen] > 0
    return pair_matrix(
        _normalised(gram, varies), neurons, "correlation_matrix", f"{kind} correlation"
    )


def temporal_correlation_matrix(
    tree: xr.DataTree, layer: str, *, example: int, bin_ms: float | None = None
) -> xr.DataArray:
    """Return Pearson's correlation between the binned trains of one presentation.

    As `elephant.spike_train_correlation.correlation_coefficient`.

    Parameters
    ----------
    example
        The presentation, by its value of the coordinate `example`.
    bin_ms
        The length of a bin, a whole number of steps; a step by default. Steps that fill no bin are
        left out.

    Returns
    -------
    xarray.DataArray
        (neuron, other). NaN for a train that is the same in every bin.

    Raises
    ------
    ResultError
        If there is no such example, the bin does not fit, or there are too many neurons.
    """
    chosen_neurons(layer_data(tree, layer), layer, None, most=_MOST_NEURONS)
    dense = raster(tree, layer, example=example).to_numpy()
    width = 1 if bin_ms is None else whole_steps(tree, "bin_ms", bin_ms)
    bins = dense.shape[1] // width
    counts = dense[:, : bins * width].reshape(-1, bins, width).sum(2).astype(float)
    around = counts - counts.mean(1, keepdims=True)
    varies = (counts != counts[:, :1]).any(1)
    matrix = _normalised(around @ around.T, varies)
    return pair_matrix(matrix, None, "temporal_correlation_matrix", "correlation over time")


def mean_pairwise_correlation(
    tree: xr.DataTree, layer: str, *, kind: CorrelationKind = "total"
) -> xr.DataArray:
    """Return the mean of a correlation matrix over its pairs of neurons, without the matrix.

    With each neuron's counts scaled to unit length, the squared length of their sum over M neurons
    is M plus twice the sum of all correlations. So it takes time in proportion to the counts, and
    memory to a layer.

    Parameters
    ----------
    kind
        As in `correlation_matrix`.

    Returns
    -------
    xarray.DataArray
        A number: the mean over pairs of neurons that both vary, NaN where there is no such pair.

    Raises
    ------
    ResultError
        If the kind needs labels and there are none, or there are fewer than two examples (for
        ``"signal"``, classes).
    """
    _check_kind(kind)
    sums = class_sums(tree, layer, by_label=kind != "total")
    _check_several(kind, sums)
    if kind == "signal":
        means = _means(sums)
        around = means - means.mean(0)
        varies = ~(means == means[0]).all(0)
        length = np.sqrt((around**2).sum(0))
        summed = around[:, varies] @ (1 / length[varies])
    else:
        spread = sums.around_mean()
        varies = spread > 0
        scale = np.where(varies, 1 / np.sqrt(np.where(varies, spread, 1)), 0)
        summed = _around_class(tree, layer, sums, scale)
    neurons = int(varies.sum())
    mean = (summed @ summed - neurons) / (neurons * (neurons - 1)) if neurons > 1 else np.nan
    name = f"mean {kind} correlation"
    return described(xr.DataArray(mean), "mean_pairwise_correlation", name, "1")


def _means(sums: ClassSums) -> NDArray[np.float64]:
    means: NDArray[np.float64] = sums.total / sums.sizes[:, None]
    return means


def _whole_mean(sums: ClassSums) -> NDArray[np.int64]:
    """Return a whole number close to each neuron's mean, (neuron,)."""
    return np.asarray(sums.total.sum(0) // sums.sizes.sum(), np.int64)


def _gram_around_class(
    tree: xr.DataTree, layer: str, sums: ClassSums, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum, over examples, the products of what is left around the means of the classes."""
    centre = _whole_mean(sums)[chosen]
    gram = pair_products(centred_counts(tree, layer, centre, chosen).T)
    total = sums.total[:, chosen] - sums.sizes[:, None] * centre.astype(float)
    means = total / sums.sizes[:, None]
    for begin in range(0, chosen.size, 1024):
        part = slice(begin, begin + 1024)
        gram[part] -= means[:, part].T @ total
    return gram


def _around_class(
    tree: xr.DataTree, layer: str, sums: ClassSums, scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the scaled counts of each example, less the mean of its class, (example,)."""
    centre = _whole_mean(sums)
    summed = np.empty(sums.of_example.size)
    for start, counts in count_blocks(tree, layer):
        summed[start : start + len(counts)] = (counts - centre) @ scale
    mean = np.bincount(sums.of_example, summed) / sums.sizes
    return np.asarray(summed - mean[sums.of_example])


def _normalised(gram: NDArray[np.float64], varies: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Turn a covariance into a correlation, in place."""
    length = np.where(varies, np.sqrt(np.where(varies, gram.diagonal(), 1)), np.nan)
    gram /= length
    gram /= length[:, None]
    return np.clip(gram, -1, 1, out=gram)


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise ResultError(
            "there is no such correlation",
            expected=" or ".join(map(repr, _KINDS)),
            found=repr(kind),
        )


def _check_several(kind: str, sums: ClassSums) -> None:
    what, number = (
        ("classes", sums.sizes.size) if kind == "signal" else ("examples", sums.of_example.size)
    )
    if number < 2:
        raise ResultError(
            f"{kind} correlation takes several {what}", expected="at least 2", found=str(number)
        )
