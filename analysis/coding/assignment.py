"""Classes of neurons that learned without labels, and what a network with them predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import wilson_interval
from bioae.analysis.results.arrays import as_dataset, count_blocks, described, ratio
from bioae.analysis.results.layers import layer_data, of_result
from bioae.analysis.results.outputs import labels_of
from bioae.checks import instance
from bioae.errors import ResultError

__all__ = ["assigned_accuracy", "assigned_classes"]

#: The class of a neuron that never fires, and of an example for which no neuron does.
NONE = -1


@of_result
def assigned_classes(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Class of each neuron, (neuron,): that of the examples for which it fires most.

    It is the first of equals, and -1 for a neuron that never fires.

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


@of_result
def assigned_accuracy(
    tree: xr.DataTree, layer: str, assigned: xr.DataArray, *, confidence: float = 0.95
) -> xr.Dataset:
    """Fraction of examples whose class is that of the neurons that fire most, with its interval.

    The predicted class of an example is that whose neurons have the most spikes on average, the
    first of equals; -1, and wrong, if none of them fires.

    Parameters
    ----------
    assigned
        The classes of the layer's neurons, of another result: that of training examples
        (`assigned_classes`).
    confidence
        Confidence level of Wilson's interval.

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
            "the classes are not those of the layer's neurons",
            where="assigned",
            expected=f"(neuron: {data.sizes['neuron']})",
            found=str(dict(assigned.sizes)),
        )
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
    low, high = wilson_interval(correct, examples, confidence=confidence)
    scalars = {
        "accuracy": ("accuracy", ratio(correct, examples)),
        "low": ("lower end of the interval", low),
        "high": ("upper end", high),
    }
    column = "example", predicted, {"long_name": "predicted class"}
    found = as_dataset(scalars, attrs={"confidence": confidence})
    return found.assign(predicted_class=column).assign_coords(example=tree["example"].to_numpy())


def _labels(tree: xr.DataTree) -> NDArray[Any]:
    """Return the labels, none of which means that there is no class."""
    labels = labels_of(tree)
    if (labels == NONE).any():
        raise ResultError(
            f"the label {NONE} would be that of neurons without a class",
            where="label",
            expected="classes from 0",
            hint="Select the examples that have a class",
        )
    return labels
