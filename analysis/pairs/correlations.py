"""Spike-count correlations: matrices over pairs of neurons, and their means.

The examples are different images, so *total* correlation mostly reflects the code for them.
*Signal* correlation is the correlation of mean responses to the classes, *noise* correlation that
of the deviations from these means (Cohen & Kohn 2011, Nat. Neurosci. 14:811). The latter includes
differences between images of a class as well as the network's own noise. Where a result has repeats
(`bioae.analysis.presentations`), the means are those of each stimulus instead, and noise
correlation is that of repeated trials. The means of R responses still hold 1/R of their noise, so
that signal correlation is drawn towards noise correlation where R is small or tuning is weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.pair_matrices import (
    centred_counts,
    chosen_neurons,
    pair_matrix,
    pair_products,
)
from bioae.analysis.results.arrays import check_several, count_blocks, described, whole_steps
from bioae.analysis.results.class_sums import ClassSums, class_sums
from bioae.analysis.results.layers import layer_data, of_layer
from bioae.analysis.results.rasters import raster
from bioae.analysis.results.repeats import stimulus_index
from bioae.checks import one_of
from bioae.errors import ResultError

CorrelationKind = Literal["total", "signal", "noise"]
_KINDS = ("total", "signal", "noise")
_MOST_NEURONS = 16_384


@of_layer
def correlation_matrix(
    tree: xr.DataTree,
    layer: str,
    *,
    kind: CorrelationKind = "total",
    neurons: Sequence[int] | None = None,
) -> xr.DataArray:
    """Pearson correlation of spike counts over examples, for all pairs of neurons.

    Parameters
    ----------
    kind
        ``"total"``: of counts, over examples; ``"signal"``: of mean responses, over classes;
        ``"noise"``: of deviations from the mean of the example's class, over examples. In the
        result of `presentations`, stimuli take the place of classes.
    neurons
        Indices of the neurons to compare; by default all neurons.

    Returns
    -------
    xarray.DataArray
        (neuron, other). NaN, on the diagonal too, for a neuron whose responses do not vary.
        With `neurons`, the coordinates `neuron` and `other` hold their indices. Unless the kind is
        ``"total"``, the attribute `means_of` is ``"stimuli"``, where there are repeats, or
        ``"classes"``.

    Raises
    ------
    ResultError
        If the kind needs labels or repeats and there are none, there are fewer than two examples
        (for ``"signal"``, classes), or more than 16384 neurons, whose matrix would take over 2 GiB.
    """
    one_of(kind, "kind", _KINDS, error=ResultError)
    chosen = chosen_neurons(layer_data(tree, layer), layer, neurons, most=_MOST_NEURONS)
    sums = _sums(tree, layer, kind)
    if kind == "signal":
        deviation, varies = _around_mean(sums.total[:, chosen] / sums.sizes[:, None])
        gram = deviation.T @ deviation
    else:
        gram = _gram_around_class(tree, layer, sums, chosen)
        varies = sums.around_mean()[chosen] > 0
    matrix = _normalised(gram, varies)
    array = pair_matrix(matrix, neurons, "correlation_matrix", f"{kind} correlation")
    return _over(tree, array, kind)


@of_layer
def temporal_correlation_matrix(
    tree: xr.DataTree, layer: str, *, example: int, bin_ms: float | None = None
) -> xr.DataArray:
    """Pearson correlation over time between the binned trains of one presentation.

    As in `elephant.spike_train_correlation.correlation_coefficient`.

    Parameters
    ----------
    example
        The presentation, by its value of the coordinate `example`.
    bin_ms
        Length of a bin, a whole number of steps; one step by default. An incomplete last bin is
        left out.

    Returns
    -------
    xarray.DataArray
        (neuron, other). NaN, on the diagonal too, for a train with equal counts in all bins.
    """
    chosen_neurons(layer_data(tree, layer), layer, None, most=_MOST_NEURONS)
    dense = raster(tree, layer, example=example).to_numpy()
    width = whole_steps(tree, "bin_ms", bin_ms)
    bins = dense.shape[1] // width
    counts = dense[:, : bins * width].reshape(-1, bins, width).sum(2).astype(float)
    around = counts - counts.mean(1, keepdims=True)
    varies = (counts != counts[:, :1]).any(1)
    matrix = _normalised(around @ around.T, varies)
    return pair_matrix(matrix, None, "temporal_correlation_matrix", "correlation over time")


@of_layer
def mean_pairwise_correlation(
    tree: xr.DataTree, layer: str, *, kind: CorrelationKind = "total"
) -> xr.DataArray:
    """Mean pairwise correlation of spike counts, without the matrix.

    With the deviations of each neuron's counts scaled to unit length, the squared length of their
    sum over M neurons is M plus twice the sum of the correlations of all pairs. Time grows
    linearly with the number of counts, memory with that of neurons and of examples.

    Parameters
    ----------
    kind
        As in `correlation_matrix`.

    Returns
    -------
    xarray.DataArray
        A scalar: the mean over pairs of neurons whose responses both vary; NaN without such a pair.

    Raises
    ------
    ResultError
        If the kind needs labels or repeats and there are none, or there are fewer than two examples
        (for ``"signal"``, classes).
    """
    one_of(kind, "kind", _KINDS, error=ResultError)
    sums = _sums(tree, layer, kind)
    if kind == "signal":
        deviation, varies = _around_mean(sums.total / sums.sizes[:, None])
        length = np.sqrt((deviation**2).sum(0))
        summed = deviation[:, varies] @ (1 / length[varies])
    else:
        spread = sums.around_mean()
        varies = spread > 0
        scale = np.where(varies, 1 / np.sqrt(np.where(varies, spread, 1)), 0)
        summed = _around_class(tree, layer, sums, scale)
    neurons = int(varies.sum())
    mean = (summed @ summed - neurons) / (neurons * (neurons - 1)) if neurons > 1 else np.nan
    name = f"mean {kind} correlation"
    return _over(tree, described(xr.DataArray(mean), "mean_pairwise_correlation", name, "1"), kind)


def _sums(tree: xr.DataTree, layer: str, kind: CorrelationKind) -> ClassSums:
    """Return the sums of the examples' classes or stimuli, of which there are several."""
    grouped = kind != "total"
    sums = class_sums(tree, layer, by_label=grouped, by_stimulus=grouped)
    if kind == "signal":
        check_several(sums.sizes.size, "classes")
    check_several(sums.of_example.size, "examples")
    return sums


def _over(tree: xr.DataTree, array: xr.DataArray, kind: CorrelationKind) -> xr.DataArray:
    """Note whether means are those of repeats of a stimulus or of the examples of a class."""
    if kind == "total":
        return array
    return array.assign_attrs(means_of="classes" if stimulus_index(tree) is None else "stimuli")


def _around_mean(means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return deviations of the class means from their mean, and which neurons have any."""
    return means - means.mean(0), ~(means == means[0]).all(0)


def _gram_around_class(
    tree: xr.DataTree, layer: str, sums: ClassSums, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum, over examples, the products of deviations from the class means, (chosen, chosen)."""
    centre = (sums.total.sum(0) // sums.sizes.sum())[chosen]  # integers close to the means
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
    """Sum the scaled deviations from the class mean over neurons, (example,)."""
    centre = sums.total.sum(0) // sums.sizes.sum()
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
