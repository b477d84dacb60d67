"""Classes of neurons and of outputs, labels that are memorised, and the goodness of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from rasters import make
from refusals import refused
from scipy.stats import binomtest
from sklearn import metrics

from bioae.analysis import (
    accuracy,
    assigned_accuracy,
    assigned_classes,
    confusion_matrix,
    goodness,
    memorised_labels,
    predicted_class,
    scores,
    wilson_interval,
)
from bioae.errors import ResultError

LABELS = np.array([0, 0, 1, 1, 1, 2, 0, 1])
CLASSES = 4


def classified(**changes: Any) -> xr.DataTree:
    outputs = np.random.default_rng(0).normal(size=(8, CLASSES))
    outputs[np.arange(6), LABELS[:6]] += 2
    outputs[7] = 0.0  # equal outputs: class 0
    raster = np.zeros((8, 4, 2), bool)
    raster[:, 0] = True
    fields = {"output": outputs, "task": "classification", "label": LABELS}
    return make(raster, **(fields | changes))


def test_against_scikit_learn() -> None:
    tree = classified()
    guesses = predicted_class(tree).to_numpy()
    assert guesses[7] == 0
    found = confusion_matrix(tree)
    expected = metrics.confusion_matrix(LABELS, guesses, labels=range(CLASSES))
    assert (found["count"].to_numpy() == expected).all()
    assert float(accuracy(tree)["accuracy"]) == metrics.accuracy_score(LABELS, guesses)
    assert float(accuracy(tree)["chance"]) == 4 / 8
    fraction = found["fraction"].to_numpy()
    np.testing.assert_allclose(fraction[:3].sum(1), 1.0)
    assert np.isnan(fraction[3]).all()  # a class without examples
    shares = np.exp(tree["output"].to_numpy())
    shares /= shares.sum(1, keepdims=True)
    expected = metrics.log_loss(LABELS, shares, labels=range(CLASSES))
    found = scores(tree)
    assert float(found["value"].sel(score="cross_entropy")) == pytest.approx(expected)
    ends = binomtest(int(accuracy(tree)["correct"]), 8).proportion_ci(0.95, method="wilson")
    row = found.sel(score="accuracy")
    assert [float(row[end]) for end in ("low", "high")] == pytest.approx([*ends])


@pytest.mark.parametrize("confidence", [0.95, 0.5])
@pytest.mark.parametrize(("correct", "trials"), [(0, 1), (1, 1), (0, 20), (7, 20), (9857, 10_000)])
def test_wilson_is_that_of_scipy(correct: int, trials: int, confidence: float) -> None:
    expected = binomtest(correct, trials).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(correct, trials, confidence=confidence)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_many() -> None:
    low, high = wilson_interval([[1, 2], [0, 0]], [[3], [0]])
    assert low.shape == high.shape == (2, 2)
    assert np.isnan(low[1]).all()
    for confidence in (0.0, 1.0, -1):
        with refused(ResultError, where="confidence", expected="a number between 0 and 1"):
            wilson_interval(1, 2, confidence=confidence)
    for successes in (5, -1):
        with refused(ResultError, found=str(successes)):
            wilson_interval(successes, 3)


def test_what_is_unknown_is_refused() -> None:
    with refused(ResultError, where="label"):
        accuracy(classified(label=None))
    assert predicted_class(classified(label=None)).sizes["example"] == 8
    with refused(ResultError, expected="classification", found="reconstruction"):
        confusion_matrix(make(np.ones((2, 2, 2), bool)))


#: Spikes of four neurons for four examples: of the class 3, of both, of the class 5, of none.
COUNTS = np.array([[3, 1, 0, 0], [2, 1, 1, 0], [0, 1, 4, 0], [0, 1, 0, 0]])


def responses(counts: np.ndarray = COUNTS, **changes: object) -> xr.DataTree:
    return make(
        np.arange(5)[None, :, None] < counts[:, None], label=np.array([3, 3, 5, 5]), **changes
    )


def test_each_neuron_has_the_class_of_its_largest_response() -> None:
    np.testing.assert_array_equal(assigned_classes(responses(), "latent"), [3, 3, 5, -1])


def test_the_class_whose_neurons_fire_most_on_average_is_predicted() -> None:
    """The neurons of class 3 fire 2, 1.5, 0.5, 0.5 on average, that of class 5 0, 1, 4, 0."""
    tree = responses()
    found = assigned_accuracy(tree, "latent", assigned_classes(tree, "latent"))
    np.testing.assert_array_equal(found["predicted_class"], [3, 3, 5, 3])
    assert float(found["accuracy"]) == 0.75
    assert float(found["low"]) < 0.75 < float(found["high"])


@pytest.mark.parametrize("sizes", [(1, 1), (3, 7), (6, 5), (7, 3)], ids=str)
def test_the_first_of_equals_is_chosen(sizes: tuple[int, int]) -> None:
    """One spike for each example, and one spike of each neuron, are equal for all classes."""
    label = np.repeat([0, 1], sizes)
    raster = np.zeros((len(label), 100, 1), bool)
    raster[:, 0] = True
    tree = make(raster, label=label, dt_ms=1.0)
    np.testing.assert_array_equal(assigned_classes(tree, "latent"), [0])
    tree = make(np.ones((1, 1, len(label)), bool), label=np.array([0]))
    assigned = xr.DataArray(label, dims="neuron")
    assert int(assigned_accuracy(tree, "latent", assigned)["predicted_class"][0]) == 0


def test_an_example_without_spikes_is_wrong() -> None:
    classes = assigned_classes(responses(), "latent")
    silent = responses(np.zeros_like(COUNTS))
    found = assigned_accuracy(silent, "latent", classes)
    assert (found["predicted_class"] == -1).all()
    assert float(found["accuracy"]) == 0.0
    nobody = assigned_classes(silent, "latent")
    assert (nobody == -1).all()
    assert float(assigned_accuracy(responses(), "latent", nobody)["accuracy"]) == 0.0


def test_what_does_not_fit_is_refused() -> None:
    tree = responses()
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


def test_against_a_loop() -> None:
    true, given, guess = np.random.default_rng(0).integers(0, 4, (3, 500))
    found = memorised_labels(guess, given, true)
    wrong = [(p, g, t) for p, g, t in zip(guess, given, true, strict=True) if g != t]
    memorised = sum(p == g for p, g, _ in wrong)
    assert 0 < memorised < len(wrong)
    assert float(found["memorised"]) == memorised / len(wrong)
    assert float(found["recovered"]) == sum(p == t for p, _, t in wrong) / len(wrong)
    expected = binomtest(memorised, len(wrong)).proportion_ci(0.95, method="wilson")
    assert (float(found["low"]), float(found["high"])) == pytest.approx(
        (expected.low, expected.high)
    )
    assert found.attrs["confidence"] == 0.95


def test_without_wrong_labels_nothing_is_memorised() -> None:
    found = memorised_labels([0, 1, 1], [0, 1, 2], [0, 1, 2])
    assert np.isnan(float(found["memorised"]))
    assert np.isnan(float(found["low"]))
    assert float(found["correct"]) == 2 / 3
    assert np.isnan(float(memorised_labels([0], [1], [0])["correct"]))


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (([0, 1], [0, 1], [0]), {"found": "(2,), (2,), (1,)"}),
        (([[0]], [[0]], [[0]]), {"found": "(1, 1), (1, 1), (1, 1)"}),
        (([0.5], [0], [0]), {"expected": "whole numbers"}),
    ],
)
def test_faulty_classes_are_refused(arguments: Any, fields: dict[str, str]) -> None:
    with refused(ResultError, **fields):
        memorised_labels(*arguments)


def test_goodness_is_the_mean_of_squared_traces() -> None:
    raster = np.random.default_rng(0).random((5, 30, 7)) < 0.2
    raster[3] = False
    found = goodness(make(raster), "latent", tau_ms=9.0)
    dt = float(make(raster).attrs["dt_ms"])
    expected = np.zeros((5, 30))
    for example, spikes in enumerate(raster):
        trace = np.zeros(7)
        for step, fired in enumerate(spikes):
            trace = np.where(fired, 1, trace * (1 - dt / 9.0) if step else trace)
            expected[example, step] = (trace**2).sum()
    assert expected.sum() > 10
    np.testing.assert_allclose(found, expected.mean(1), rtol=1e-12)
    assert found.dims == ("example",)
    assert found[3] == 0


def test_examples_have_any_numbers_in_any_order() -> None:
    raster = np.random.default_rng(1).random((4, 20, 3)) < 0.3
    plain = goodness(make(raster), "latent")
    named = make(raster, example=np.array([613, 7, 9580, 8]))
    assert named["layers/latent/spike_example"].max() == 9580
    found = goodness(named, "latent")
    assert plain.min() > 0
    np.testing.assert_array_equal(found, plain)
    assert found["example"].to_numpy().tolist() == [613, 7, 9580, 8]
    np.testing.assert_array_equal(goodness(named.isel(example=[2, 0]), "latent"), plain[[2, 0]])
