"""Products of all pairs of rows of spike counts, exact and by blocks.

A count is at most the number of steps, so a matrix of all of them fits into a byte or two each,
and blocks of it go through the matrix product of floating-point numbers. Where no sum exceeds
2**24, single precision adds integers without an error, at twice the speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import count_blocks
from bioae.analysis.results.layers import layer_data, steps

__all__ = ["centred_counts", "pair_blocks", "pair_products"]


def centred_counts(
    tree: xr.DataTree, layer: str, centre: NDArray[np.int64], chosen: NDArray[np.int64]
) -> NDArray[np.signedinteger[Any]]:
    """Return counts less a whole number for each neuron, (example, chosen), as small integers.

    Close to the mean, it keeps what is subtracted later from being large against what is left.

    Parameters
    ----------
    centre
        (chosen,) Between 0 and the number of steps.
    chosen
        Neurons, by index.
    """
    dtype = np.min_scalar_type(-steps(tree) - 1)
    centred = np.empty((layer_data(tree, layer).sizes["example"], chosen.size), dtype)
    for start, counts in count_blocks(tree, layer):
        centred[start : start + len(counts)] = counts[:, chosen] - centre
    return centred


def pair_blocks(
    rows: NDArray[np.signedinteger[Any]], size: int = 1024
) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Multiply the rows (m, n) of integers with each other, block by block.

    Yields
    ------
    tuple
        Two ranges of rows, the second not before the first, and the products of theirs.
    """
    parts = [slice(begin, begin + size) for begin in range(0, len(rows), size)]
    longest = max(
        (int((rows[part].astype(np.int64) ** 2).sum(1).max()) for part in parts), default=0
    )
    # No product of two rows, nor a part of one, exceeds the longest row's square.
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
