"""Responses by class: spike counts, rates and separation; classes of neurons as predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.classification import CONFIDENCE, wilson_interval
from bioae.analysis.results.arrays import along, as_dataset, count_blocks, described, ratio
from bioae.analysis.results.class_sums import class_sums
from bioae.analysis.results.layers import duration_s, layer_data, of_layer
from bioae.analysis.results.outputs import classes, labels_of
from bioae.checks import instance
from bioae.errors import ResultError


@of_layer
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

    `sizes`: the numbers of vectors of each class (class); `squares`: the sums of their squared
    lengths (class); `total`: their sums (class, component).
    """
    # Over ordered pairs, the squared distances of n vectors sum to 2 (n sum |x|^2 - |sum x|^2).
    inside = 2 * (sizes * squares - (total**2).sum(1))
    everything = 2 * (sizes.sum() * squares.sum() - (total.sum(0) ** 2).sum())
    pairs = sizes * (sizes - 1)
    others = sizes.sum() * (sizes.sum() - 1) - pairs.sum()
    within, between = ratio(inside.sum(), pairs.sum()), ratio(everything - inside.sum(), others)
    return ratio(inside, pairs), float(within), float(between)


@of_layer
def class_separation(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Class separation: mean squared distances within and between classes, and their ratio.

    The distance between two examples is the Euclidean distance between their spike counts.
    The means over all pairs of different examples follow exactly from the sums over classes.

    Returns
    -------
    xarray.Dataset
        The scalars ``within``, over pairs of examples of one class, ``between``, over pairs of two
        classes, and ``ratio``, the first divided by the second: 1 if responses do not depend on the
        class, 0 if they do not vary within it. ``within_class (class)`` holds the mean of each
        class. NaN where there is no pair; ``ratio`` also where all responses are the same.

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


#: The class of a neuron that never fires, and of an example for which no neuron does.
NONE = -1


@of_layer
def assigned_classes(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Preferred class of each neuron, (neuron,): the one for which it fires most.

    Ties go to the first class; -1 for a neuron that never fires.

    Raises
    ------
    ResultError
        If the result has no labels, or one of -1.

    References
    ----------
    Diehl & Cook (2015), Frontiers in Computational Neuroscience 9, 99,
    doi:10.3389/fncom.2015.00099.
    """
    _labels(tree)
    rates = rates_by_class(tree, layer).transpose("class", "neuron")
    numbers = rates["class"].to_numpy().astype(np.int64)
    values = rates.to_numpy()
    chosen = np.full(values.shape[1], NONE)
    if numbers.size:
        chosen = np.where(values.max(0) > 0, numbers[values.argmax(0)], NONE)
    array = xr.DataArray(chosen, dims="neuron", coords=layer_data(tree, layer)["neuron"].coords)
    return described(array, "assigned_class", "class of the largest response")


@of_layer
def assigned_accuracy(tree: xr.DataTree, layer: str, assigned: xr.DataArray) -> xr.Dataset:
    """Accuracy of predicting the class of the neurons that fire most, with Wilson's interval.

    The predicted class is that whose neurons have the most spikes on average, the first in a tie;
    -1, counted as wrong, if no neuron fires.

    Parameters
    ----------
    assigned
        The classes of the layer's neurons, of another result: that of training examples
        (`assigned_classes`).

    Returns
    -------
    xarray.Dataset
        The scalars ``accuracy``, ``low`` and ``high``, and ``predicted_class (example)``.

    Raises
    ------
    ResultError
        If the result has no labels, or one of -1, or the classes are not those of its neurons.
    """
    data, labels = layer_data(tree, layer), _labels(tree)
    instance(assigned, "assigned", xr.DataArray, error=ResultError)
    if dict(assigned.sizes) != {"neuron": data.sizes["neuron"]}:
        raise ResultError(
            "the classes are not those of the layer's neurons", where="assigned",
            expected=f"(neuron: {data.sizes['neuron']})", found=str(dict(assigned.sizes)),
        )  # fmt: skip
    of_neuron = assigned.to_numpy()
    numbers = np.unique(of_neuron[of_neuron != NONE])
    members = (of_neuron[None] == numbers[:, None]).astype(np.int64)
    predicted = np.full(data.sizes["example"], NONE)
    for start, counts in count_blocks(tree, layer) if numbers.size else ():
        # Quotients of whole numbers: equal means are equal numbers.
        means = (counts @ members.T) / members.sum(1)
        winner = np.where(means.max(1) > 0, numbers[means.argmax(1)], NONE)
        predicted[start : start + len(counts)] = winner
    correct, examples = int((predicted == labels).sum()), len(predicted)
    low, high = wilson_interval(correct, examples)
    scalars = {
        "accuracy": ("accuracy", ratio(correct, examples)),
        "low": ("lower end of the interval", low),
        "high": ("upper end", high),
    }
    column = "example", predicted, {"long_name": "predicted class"}
    found = as_dataset(scalars, attrs={"confidence": CONFIDENCE})
    return found.assign(predicted_class=column).assign_coords(example=tree["example"].to_numpy())


def _labels(tree: xr.DataTree) -> NDArray[Any]:
    """Return the labels, after a check that none is -1."""
    labels = labels_of(tree)
    if (labels == NONE).any():
        raise ResultError(
            f"the label {NONE} would be that of neurons without a class", where="label",
            expected="classes from 0", hint="Select the examples that have a class",
        )  # fmt: skip
    return labels
