"""Classes of neurons, and predictions by them, on results with known counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae.analysis import assigned_accuracy, assigned_classes
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]

LABELS = np.array([3, 3, 5, 5])
#: Spikes of four neurons for four examples: of the class 3, of both, of the class 5, of none.
COUNTS = np.array([[3, 1, 0, 0], [2, 1, 1, 0], [0, 1, 4, 0], [0, 1, 0, 0]])


def responses(make: Make, counts: np.ndarray = COUNTS, **changes: object) -> xr.DataTree:
    return make(np.arange(5)[None, :, None] < counts[:, None], label=LABELS, **changes)


def test_each_neuron_has_the_class_of_its_largest_response(make: Make) -> None:
    found = assigned_classes(responses(make), "latent")
    np.testing.assert_array_equal(found, [3, 3, 5, -1])


def test_the_class_whose_neurons_fire_most_on_average_is_predicted(make: Make) -> None:
    """The neurons of class 3 fire 2, 1.5, 0.5, 0.5 on average, that of class 5 0, 1, 4, 0."""
    tree = responses(make)
    found = assigned_accuracy(tree, "latent", assigned_classes(tree, "latent"))
    np.testing.assert_array_equal(found["predicted_class"], [3, 3, 5, 3])
    assert float(found["accuracy"]) == 0.75
    assert float(found["low"]) < 0.75 < float(found["high"])


@pytest.mark.parametrize("sizes", [(1, 1), (3, 7), (6, 5), (7, 3)], ids=str)
def test_the_first_of_equals_is_chosen(make: Make, sizes: tuple[int, int]) -> None:
    """One spike for each example, and one spike of each neuron, are equal for all classes."""
    label = np.repeat([0, 1], sizes)
    raster = np.zeros((len(label), 100, 1), bool)
    raster[:, 0] = True
    tree = make(raster, label=label, dt_ms=1.0)
    np.testing.assert_array_equal(assigned_classes(tree, "latent"), [0])
    tree = make(np.ones((1, 1, len(label)), bool), label=np.array([0]))
    assigned = xr.DataArray(label, dims="neuron")
    assert int(assigned_accuracy(tree, "latent", assigned)["predicted_class"][0]) == 0


def test_an_example_without_spikes_is_wrong(make: Make) -> None:
    classes = assigned_classes(responses(make), "latent")
    silent = responses(make, np.zeros_like(COUNTS))
    found = assigned_accuracy(silent, "latent", classes)
    assert (found["predicted_class"] == -1).all()
    assert float(found["accuracy"]) == 0.0
    nobody = assigned_classes(silent, "latent")
    assert (nobody == -1).all()
    assert float(assigned_accuracy(responses(make), "latent", nobody)["accuracy"]) == 0.0


def test_what_does_not_fit_is_refused(make: Make) -> None:
    tree = responses(make)
    with refused(ResultError, where="assigned", expected="(neuron: 4)"):
        assigned_accuracy(tree, "latent", assigned_classes(tree, "latent")[:2])
    with refused(ResultError, where="assigned", expected="(neuron: 4)"):
        assigned_accuracy(tree, "latent", assigned_classes(tree, "latent").expand_dims(x=2))
    unknown = tree.copy(deep=True)
    unknown["label"].values[0] = -1  # that of an example without a class elsewhere
    for call in (
        lambda: assigned_classes(unknown, "latent"),
        lambda: assigned_accuracy(unknown, "latent", assigned_classes(tree, "latent")),
    ):
        with refused(ResultError, "-1", where="label"):
            call()
    raster = np.ones((2, 5, 4), bool)
    with refused(ResultError, where="label"):
        assigned_classes(make(raster), "latent")
    with refused(ResultError, where="label"):
        assigned_accuracy(make(raster), "latent", assigned_classes(tree, "latent"))
