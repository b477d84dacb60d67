"""In how many dimensions a layer's responses vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.class_sums import class_sums
from bioae.analysis.pairs.products import centred_counts, pair_blocks
from bioae.analysis.results.arrays import several_examples
from bioae.analysis.results.layers import described, layer_data

__all__ = ["participation_ratio"]


def participation_ratio(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Return the effective number of dimensions of the spike counts over examples.

    (Σ λ)² / Σ λ² over the eigenvalues λ of the neurons' covariance: n if n of them are equal and
    the rest 0, so from 1 to the number of neurons, or that of examples less one. As
    (tr C)² / tr(C²) it takes no eigenvalues, only the products of all pairs of neurons or, where
    they are fewer, of examples. The counts are held in memory, a byte or two each.
    Rajan, Abbott & Sompolinsky (2010), NIPS 23; Gao, Trautmann, Yu, Santhanam, Ryu, Shenoy &
    Ganguli (2017), bioRxiv 214262.

    Returns
    -------
    xarray.DataArray
        A number; NaN where no count varies. With finite samples it is too low: n examples of
        independent neurons seem to have at most n - 1 dimensions.

    Raises
    ------
    ResultError
        If there are fewer than two examples.
    """
    several_examples(layer_data(tree, layer))
    sums = class_sums(tree, layer, by_label=False)
    trace = float(sums.around_mean().sum())
    square = _squared(tree, layer, sums.total[0]) if trace else np.nan
    ratio = xr.DataArray(trace**2 / square)
    return described(ratio, "participation_ratio", "participation ratio", "1")


def _squared(tree: xr.DataTree, layer: str, total: NDArray[np.int64]) -> float:
    """Return the sum of the squared covariances, times n - 1 each."""
    sizes = layer_data(tree, layer).sizes
    examples, neurons = sizes["example"], sizes["neuron"]
    centre = total // examples
    counts = centred_counts(tree, layer, centre, np.arange(neurons))
    rest = (total - examples * centre) / examples
    if neurons <= examples:
        rows, row, constant = counts.T, np.zeros(neurons), 0.0
        means = np.sqrt(examples) * rest
    else:
        # Rows around the means: each product less a term for either row, and a constant.
        rows, row, constant = counts, _projected(counts, rest), float(rest @ rest)
        means = np.zeros(examples)
    found = 0.0
    for first, second, block in pair_blocks(rows):
        around = block - row[first, None] - row[second] + constant
        around -= np.outer(means[first], means[second])
        found += (1 if first == second else 2) * float((around**2).sum())
    return found


def _projected(
    counts: NDArray[np.signedinteger[Any]], rest: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multiply the rows with the means, a block at a time, (example,)."""
    parts = [counts[begin : begin + 1024] @ rest for begin in range(0, len(counts), 1024)]
    return np.concatenate(parts)
