"""Latent space of a layer: principal components of its spike counts, and their dimensionality."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.pair_matrices import centred_counts, pair_blocks
from bioae.analysis.results.arrays import check_several, described
from bioae.analysis.results.class_sums import class_sums
from bioae.analysis.results.layers import layer_data, of_layer
from bioae.checks import instance
from bioae.errors import ResultError

#: The most multiplications, up to a small factor, of an exact decomposition.
_EXACT = 10**6


class Plane(NamedTuple):
    """A plane in the space of spike counts.

    Attributes
    ----------
    mean
        (neuron,) A point of the plane.
    axes
        (2, neuron) Two orthogonal unit vectors.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]


@of_layer
def principal_plane(tree: xr.DataTree, layer: str) -> Plane:
    """First two principal components of a layer's spike counts over examples.

    The signs make the largest entry of each axis positive, so that equal results have equal
    planes. A direction without variance is arbitrary.
    """
    counts = _counts(tree, layer)
    if min(counts.shape) < 2:
        raise ResultError(
            "a plane needs at least two neurons and two examples", where=layer,
            found=f"{counts.shape[1]} neurons and {counts.shape[0]} examples",
        )  # fmt: skip
    mean = counts.mean(0, dtype=np.float64)
    counts -= mean.astype(counts.dtype)
    if counts.size * min(counts.shape) <= _EXACT:
        axes = np.linalg.svd(counts, full_matrices=False)[2][:2]
    else:
        # It takes long to import.
        from sklearn.utils.extmath import randomized_svd

        axes = randomized_svd(counts, 2, n_iter=7, random_state=0)[2]
    largest = np.abs(axes).argmax(1)
    return Plane(mean, axes * np.where(axes[[0, 1], largest] < 0, -1, 1)[:, None])


@of_layer
def project(tree: xr.DataTree, layer: str, plane: Plane) -> xr.DataArray:
    """Projection of each example's spike counts onto a plane, (example, component).

    The coordinate `fraction (component)` is the fraction of the variance of the counts that each
    direction explains; NaN where the counts do not vary.
    """
    instance(plane, "plane", Plane, error=ResultError)
    counts = _counts(tree, layer)
    if plane.mean.size != counts.shape[1]:
        raise ResultError(
            "the plane is not of this layer", where=layer,
            expected=f"one of {counts.shape[1]} neurons", found=f"{plane.mean.size}",
        )  # fmt: skip
    around = counts - counts.mean(0)
    total = float((around**2).sum())
    places = (counts - plane.mean.astype(counts.dtype)) @ plane.axes.T.astype(counts.dtype)
    explained = ((places - places.mean(0)) ** 2).sum(0)
    fraction = explained / total if total else np.full(2, np.nan)
    return xr.DataArray(
        places.astype(float),
        coords={"example": tree["example"].to_numpy(), "fraction": ("component", fraction)},
        dims=("example", "component"),
        name="projection",
        attrs={"long_name": "projection of spike counts", "units": "1"},
    )


def _counts(tree: xr.DataTree, layer: str) -> NDArray[Any]:
    counts = layer_data(tree, layer)["spike_count"].transpose("example", "neuron")
    return counts.to_numpy().astype(np.float32)


@of_layer
def participation_ratio(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Participation ratio: the effective number of dimensions of spike counts over examples.

    (Σ λ)² / Σ λ² over the eigenvalues λ of the neurons' covariance C: n if n of them are equal and
    the others 0, so between 1 and the number of neurons, or of examples minus 1. It is computed
    as (tr C)² / tr(C²), from the products of all pairs of neurons or, where they are fewer, of
    examples. All counts are in memory, at one or two bytes each.

    Returns
    -------
    xarray.DataArray
        A scalar; NaN where no count varies. Finite samples make it too small: n examples span at
        most n - 1 dimensions.

    References
    ----------
    Rajan, Abbott & Sompolinsky (2010), NIPS 23; Gao, Trautmann, Yu, Santhanam, Ryu, Shenoy &
    Ganguli (2017), bioRxiv 214262.
    """
    check_several(layer_data(tree, layer).sizes["example"], "examples")
    sums = class_sums(tree, layer, by_label=False)
    trace = float(sums.around_mean().sum())
    square = _squared(tree, layer, sums.total[0]) if trace else np.nan
    return described(
        xr.DataArray(trace**2 / square), "participation_ratio", "participation ratio", "1"
    )


def _squared(tree: xr.DataTree, layer: str, total: NDArray[np.int64]) -> float:
    """Return the sum over pairs of neurons of ((n - 1) times their covariance) squared."""
    sizes = layer_data(tree, layer).sizes
    examples, neurons = sizes["example"], sizes["neuron"]
    centre = total // examples
    counts = centred_counts(tree, layer, centre, np.arange(neurons))
    rest = (total - examples * centre) / examples
    if neurons <= examples:
        rows, row, constant = counts.T, np.zeros(neurons), 0.0
        means = np.sqrt(examples) * rest
    else:
        # Products of rows around the means: one term for each row, and a constant.
        # Blocks of rows, so that no copy of all counts is in floating point.
        parts = [counts[begin : begin + 1024] @ rest for begin in range(0, examples, 1024)]
        rows, row, constant = counts, np.concatenate(parts), float(rest @ rest)
        means = np.zeros(examples)
    total_square = 0.0
    for first, second, block in pair_blocks(rows):
        around = block - row[first, None] - row[second] + constant
        around -= np.outer(means[first], means[second])
        total_square += (1 if first == second else 2) * float((around**2).sum())
    return total_square
