"""Responses by class: sums of spike counts, mean rates, and the separation of classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import along, as_dataset, count_blocks, described, ratio
from bioae.analysis.results.layers import duration_s, layer_data, of_result
from bioae.analysis.results.outputs import classes
from bioae.analysis.results.repeats import stimulus_index

__all__ = [
    "ClassSums",
    "class_separation",
    "class_sums",
    "mean_squared_distances",
    "rates_by_class",
]


class ClassSums(NamedTuple):
    """Exact sums of spike counts and of their squares.

    Attributes
    ----------
    total, squares
        (class, neuron) int64
    sizes
        (class,) Number of examples.
    of_example
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
    total, squares = (np.zeros((members.size, sizes["neuron"]), np.int64) for _ in range(2))
    for start, counts in count_blocks(tree, layer):
        if members.size == 1:
            total[0] += counts.sum(0)
            squares[0] += (counts**2).sum(0)
            continue
        block = index[start : start + len(counts)]
        order = np.argsort(block, kind="stable")
        present, first = np.unique(block[order], return_index=True)
        ordered = counts[order]
        total[present] += np.add.reduceat(ordered, first)
        squares[present] += np.add.reduceat(ordered**2, first)
    return ClassSums(total, squares, members, index)


@of_result
def rates_by_class(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Mean firing rate of each neuron over the examples of each class, (class, neuron) in Hz."""
    names, _ = classes(tree)
    sums = class_sums(tree, layer)
    # Equal means of counts are equal numbers, and stay equal when both are divided by the duration.
    rate = ratio(sums.total, sums.sizes[:, None]) / duration_s(tree)
    array = along(layer_data(tree, layer), rate, "class", "neuron")
    array = array.assign_coords({"class": ("class", names, {"long_name": "class"})})
    return described(array, "rates_by_class", "firing rate by class", "Hz")


def mean_squared_distances(
    sizes: NDArray[np.int64], squares: NDArray[Any], total: NDArray[Any]
) -> tuple[NDArray[np.float64], float, float]:
    """Return the mean squared distances of pairs: within each class, within any, between classes.

    Parameters
    ----------
    sizes
        The numbers of vectors of each class (class).
    squares
        The sums of their squared lengths (class).
    total
        Their sums (class, component).
    """
    # Over ordered pairs, the squared distances of n vectors sum to 2 (n sum |x|^2 - |sum x|^2).
    inside = 2 * (sizes * squares - (total**2).sum(1))
    everything = 2 * (sizes.sum() * squares.sum() - (total.sum(0) ** 2).sum())
    pairs = sizes * (sizes - 1)
    others = sizes.sum() * (sizes.sum() - 1) - pairs.sum()
    within, between = ratio(inside.sum(), pairs.sum()), ratio(everything - inside.sum(), others)
    return ratio(inside, pairs), float(within), float(between)


@of_result
def class_separation(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Mean squared distances of spike counts within and between classes, and their ratio.

    The distance of two examples is the Euclidean distance of their spike counts over the neurons.
    The means over all pairs of different examples follow exactly from the sums over classes.

    Returns
    -------
    xarray.Dataset
        The scalars ``within``, over pairs of examples of one class, ``between``, over pairs of two
        classes, and ``ratio``, the first divided by the second: 1 where classes make no
        difference, 0 where each class has one response. ``within_class (class)`` holds the mean
        of each class. NaN where there is no pair; ``ratio`` also where all responses are the same.

    Notes
    -----
    Like the pseudo-F ratio of Caliński & Harabasz (1974), Communications in Statistics 3, 1-27,
    doi:10.1080/03610927408827101, but over pairs and not around centroids.
    """
    names, _ = classes(tree)
    sums = class_sums(tree, layer)
    sizes = sums.sizes[: names.size]
    squares, total = sums.squares.sum(1)[: names.size], sums.total[: names.size]
    own, within, between = mean_squared_distances(sizes, squares, total)
    column = {"within_class": ("mean squared distance within the class", own)}
    scalars = {
        "within": ("mean squared distance within classes", within),
        "between": ("mean squared distance between classes", between),
        "ratio": ("within over between classes", ratio(within, between)),
    }
    return as_dataset(column, "class", coords={"class": names}).assign(as_dataset(scalars))
