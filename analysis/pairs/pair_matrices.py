"""Matrices over pairs of neurons: choosing neurons, exact products of counts, labels.

A count is at most the number of steps, so all counts fit into one or two bytes each, and blocks of
them go through the matrix product of floating-point numbers. Where no sum exceeds 2**24, single
precision adds integers without error, at twice the speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import count_blocks, described, whole_numbers
from bioae.analysis.results.layers import layer_data, steps
from bioae.errors import ResultError


def chosen_neurons(
    data: xr.Dataset, layer: str, neurons: Sequence[int] | None, *, most: int
) -> NDArray[np.int64]:
    """Return the indices of the neurons to compare, by default all, but `most` at the most."""
    total = data.sizes["neuron"]
    chosen = np.arange(total) if neurons is None else whole_numbers(neurons, "neurons")
    check_neurons(layer, chosen, total)
    if np.unique(chosen).size < chosen.size:
        raise ResultError("a neuron is chosen twice", where="neurons", found=str(list(chosen)))
    if chosen.size > most:
        raise ResultError(
            "there are too many neurons to compare pair by pair", where=layer,
            expected=f"at most {most}", found=str(chosen.size), hint="Choose some of them",
        )  # fmt: skip
    return chosen


def check_neurons(layer: str, chosen: NDArray[np.int64], total: int) -> None:
    """Raise a `ResultError` for the first neuron that a layer of `total` neurons lacks."""
    outside = chosen[(chosen < 0) | (chosen >= total)]
    if outside.size:
        raise ResultError(
            "there is no such neuron", where=layer, expected=f"0 to {total - 1}",
            found=str(outside[0]),
        )  # fmt: skip


def pair_matrix(
    matrix: NDArray[np.float64], neurons: Sequence[int] | None, name: str, long_name: str
) -> xr.DataArray:
    """Name a matrix (neuron, other); label it with the indices if `neurons` were chosen."""
    coords = {} if neurons is None else dict.fromkeys(("neuron", "other"), np.asarray(neurons))
    array = xr.DataArray(matrix, coords=coords, dims=("neuron", "other"))
    return described(array, name, long_name, "1")


def centred_counts(
    tree: xr.DataTree, layer: str, centre: NDArray[np.int64], chosen: NDArray[np.int64]
) -> NDArray[np.signedinteger[Any]]:
    """Return counts minus an integer for each neuron, (example, chosen), as small integers.

    An integer close to the mean avoids cancellation in later subtractions.

    `centre`: (chosen,) Between 0 and the number of steps.
    """
    dtype = np.min_scalar_type(-steps(tree) - 1)
    centred = np.empty((layer_data(tree, layer).sizes["example"], chosen.size), dtype)
    for start, counts in count_blocks(tree, layer):
        centred[start : start + len(counts)] = counts[:, chosen] - centre
    return centred


def pair_blocks(
    rows: NDArray[np.signedinteger[Any]], size: int = 1024
) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Multiply all pairs of rows of integers (m, n), block by block.

    Yields two ranges of rows, the second not before the first, and the products of their rows.
    """
    parts = [slice(begin, begin + size) for begin in range(0, len(rows), size)]
    longest = max(
        (int((rows[part].astype(np.int64) ** 2).sum(1).max()) for part in parts), default=0
    )
    # No product of two rows, and no partial sum of one, exceeds the longest row's square.
    dtype: type[np.floating[Any]] = np.float32 if longest < 2**24 else np.float64
    for number, first in enumerate(parts):
        left = rows[first].astype(dtype, order="C")
        for second in parts[number:]:
            right = rows[second].astype(dtype, order="C")
            yield first, second, (left @ right.T).astype(np.float64)


def pair_products(rows: NDArray[np.signedinteger[Any]]) -> NDArray[np.float64]:
    """Return the products of all pairs of rows, (m, m)."""
    products = np.empty((len(rows), len(rows)))
    for first, second, block in pair_blocks(rows):
        products[first, second] = block
        products[second, first] = block.T
    return products
