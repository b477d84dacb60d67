"""Spike counts summed over the examples of each class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import classes, count_blocks
from bioae.analysis.results.layers import layer_data

__all__ = ["ClassSums", "class_sums"]


class ClassSums(NamedTuple):
    """Sums of counts and of their squares, exact.

    Attributes
    ----------
    total, squares
        (class, neuron) int64
    sizes
        (class,) The examples of each.
    of_example
        (example,) Which class each example is of.
    """

    total: NDArray[np.int64]
    squares: NDArray[np.int64]
    sizes: NDArray[np.int64]
    of_example: NDArray[np.int64]

    def around_mean(self) -> NDArray[np.float64]:
        """Return the sum of squares around the mean of the class, over all of them, (neuron,)."""
        # A difference of integers is exactly 0 where the counts of a class are all the same.
        sizes = self.sizes[:, None]
        spread: NDArray[np.float64] = ((sizes * self.squares - self.total**2) / sizes).sum(0)
        return spread


def class_sums(tree: xr.DataTree, layer: str, *, by_label: bool = True) -> ClassSums:
    """Sum the counts of each class; of all examples as one class if not `by_label`.

    Raises
    ------
    ResultError
        If the result has no labels, or no such layer.
    """
    from scipy.sparse import csr_array

    sizes = layer_data(tree, layer).sizes
    index = classes(tree)[1] if by_label else np.zeros(sizes["example"], np.int64)
    members = np.bincount(index, minlength=1)
    total, squares = (np.zeros((members.size, sizes["neuron"]), np.int64) for _ in range(2))
    for start, counts in count_blocks(tree, layer):
        of = index[start : start + len(counts)]
        ones = np.ones(of.size, np.int64)
        shape = (members.size, of.size)
        member = csr_array((ones, (of, np.arange(of.size))), shape=shape)
        total += np.asarray(member @ counts)
        squares += np.asarray(member @ counts**2)
    return ClassSums(total, squares, members, index)
