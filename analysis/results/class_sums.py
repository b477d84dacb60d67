"""Sums of spike counts by class or stimulus, which correlations and variability share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import count_blocks
from bioae.analysis.results.layers import layer_data
from bioae.analysis.results.outputs import classes
from bioae.analysis.results.repeats import stimulus_index


class ClassSums(NamedTuple):
    """Exact sums of spike counts and of their squares.

    `total`, `squares`: (class, neuron) int64; `sizes`: (class,) Number of examples; `of_example`:
    (example,) Index of the class of each example.
    """

    total: NDArray[np.int64]
    squares: NDArray[np.int64]
    sizes: NDArray[np.int64]
    of_example: NDArray[np.int64]

    def around_mean(self) -> NDArray[np.float64]:
        """Return the sum of squares around the class means, over all examples, (neuron,)."""
        # A difference of integers is exactly 0 where all counts of a class are equal.
        sizes = self.sizes[:, None]
        spread: NDArray[np.float64] = ((sizes * self.squares - self.total**2) / sizes).sum(0)
        return spread


def class_sums(
    tree: xr.DataTree, layer: str, *, by_label: bool = True, by_stimulus: bool = False
) -> ClassSums:
    """Sum spike counts by class or, without `by_label`, over all examples as one class.

    With `by_stimulus`, each stimulus that has repeats is a class instead
    (`bioae.analysis.presentations`), if there are any.
    """
    sizes = layer_data(tree, layer).sizes
    index = np.zeros(sizes["example"], np.int64)
    stimuli = stimulus_index(tree) if by_stimulus else None
    if stimuli is not None:
        index = stimuli
    elif by_label:
        index = classes(tree)[1]
    members = np.bincount(index, minlength=0 if by_label else 1)
    total, squares = np.zeros((2, members.size, sizes["neuron"]), np.int64)
    for start, counts in count_blocks(tree, layer):
        block = index[start : start + len(counts)]
        order = np.argsort(block, kind="stable")
        present, first = np.unique(block[order], return_index=True)
        ordered = counts[order]
        total[present] += np.add.reduceat(ordered, first)
        squares[present] += np.add.reduceat(ordered**2, first)
    return ClassSums(total, squares, members, index)
