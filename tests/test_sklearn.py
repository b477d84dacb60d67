"""The estimators with the methods of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from refusals import refused
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import bioae
from bioae.errors import NetworkError
from bioae.networks import NetworkConfig
from bioae.sklearn import SpikingAutoEncoder, SpikingClassifier, SpikingRegressor

SMALL: dict[str, Any] = {"n_components": 4, "steps": 6, "epochs": 1, "batch_size": 8}
QUICK: dict[str, Any] = {"steps": 8, "epochs": 20, "batch_size": 16}


@pytest.mark.slow
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        SpikingAutoEncoder(**SMALL),
        SpikingClassifier((20,), **QUICK),
        SpikingRegressor((20,), **QUICK),
    ]
)
def test_each_is_an_estimator(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]


@pytest.mark.medium
def test_a_classifier_names_the_classes_of_brian2(digits: NDArray[np.float64]) -> None:
    names = np.array([f"digit {each}" for each in load_digits().target])
    model = SpikingClassifier((40,), random_state=0, **QUICK).fit(digits[:400], names[:400])
    images, known = digits[400:500], names[400:500]
    assert model.score(images, known) > 0.8
    probabilities = model.predict_proba(images)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(images)).all()
    result = bioae.simulate(model.network_, model.intensities(images[:5]), "numpy")
    assert result["layers/hidden1"]["spike_count"].sum() > 0
    chosen = result["output"].to_numpy().argmax(1)
    assert (model.classes_[chosen] == model.predict(images[:5])).all()


@pytest.mark.medium
def test_a_regressor_predicts_in_the_units_of_the_targets(digits: NDArray[np.float64]) -> None:
    targets = 100 + np.stack([digits[:, :32].sum(1), digits[:, 32:].sum(1)], axis=1)
    model = SpikingRegressor((40,), random_state=0, **QUICK).fit(digits[:400], targets[:400])
    assert model.score(digits[400:], targets[400:]) > 0.6
    result = bioae.simulate(model.network_, model.intensities(digits[:5]), "numpy")
    scaled = result["output"].to_numpy() * model.target_std_ + model.target_mean_
    np.testing.assert_allclose(model.predict(digits[:5]), scaled, rtol=1e-12)


def test_a_network_must_have_the_task_of_the_data(digits: NDArray[np.float64]) -> None:
    network = {
        "input_shape": [1, 8, 8], "task": {"kind": "classification", "classes": 3},
        "layers": [{"kind": "dense", "name": "output", "units": 3}],
    }  # fmt: skip
    for model in (SpikingClassifier(network=network), SpikingRegressor(network=network)):
        with refused(NetworkError, where="network"):
            model.fit(digits[:20], np.arange(20) % 2)
    for sizes in (5, "ab", (0,), (2.5,)):
        with refused(NetworkError, "hidden_layer_sizes"):
            SpikingClassifier(sizes).fit(digits[:20], np.arange(20) % 2)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def digits() -> NDArray[np.float64]:
    values: NDArray[np.float64] = load_digits().data
    return values


@pytest.fixture(scope="module")
def fitted(digits: NDArray[np.float64]) -> SpikingAutoEncoder:
    return SpikingAutoEncoder(16, epochs=15, random_state=0).fit(digits[:400])


@pytest.mark.medium
def test_training_brings_the_error_down(
    fitted: SpikingAutoEncoder, digits: NDArray[np.float64]
) -> None:
    errors = [epoch["validation_sum_squared_error"] for epoch in fitted.history_]
    assert len(errors) == 15
    assert errors[-1] < 0.8 * errors[0]
    held_out = digits[400:500]
    error = np.mean((fitted.reconstruct(held_out) - held_out) ** 2)
    assert fitted.score(held_out) == pytest.approx(-error, rel=1e-12)


@pytest.mark.medium
def test_codes_are_spike_counts_of_brian2(
    fitted: SpikingAutoEncoder, digits: NDArray[np.float64]
) -> None:
    codes = fitted.transform(digits[:5])
    assert codes.sum() > 0
    result = bioae.simulate(fitted.network_, fitted.intensities(digits[:5]), "numpy")
    np.testing.assert_array_equal(result["layers/latent"]["spike_count"], codes)
    scaled = result["reconstruction"].to_numpy().reshape(5, -1)
    np.testing.assert_allclose(fitted.reconstruct(digits[:5]), scaled * 16, rtol=1e-12)
    assert list(fitted.get_feature_names_out())[:1] == ["spikingautoencoder0"]


def test_every_form_of_description_is_the_same(digits: NDArray[np.float64]) -> None:
    table = {"preset": "strided", "steps": 3, "input_shape": [1, 28, 28]}
    forms = (table, NetworkConfig.preset("strided", steps=3))
    images = np.kron(digits[:6].reshape(-1, 8, 8), np.ones((4, 4)))[:, 2:-2, 2:-2].reshape(6, -1)
    one, other = (
        SpikingAutoEncoder(network=form, epochs=1, random_state=0).fit(images).network_.sha256
        for form in forms
    )
    assert one == other
    with refused(NetworkError, "'stride'", where="the network 'stride'"):
        SpikingAutoEncoder(network="stride").fit(images)


def test_methods_need_a_fitted_estimator(digits: NDArray[np.float64]) -> None:
    for method in ("transform", "reconstruct", "simulate", "intensities"):
        with pytest.raises(NotFittedError):
            getattr(SpikingAutoEncoder(), method)(digits[:3])


@pytest.mark.parametrize("neuron", ["lif", "qif"])  # the second has no theta to train
def test_a_described_network(digits: NDArray[np.float64], neuron: str) -> None:
    description = {
        "input_shape": [1, 8, 8], "steps": 5, "latent": "code", "neuron": neuron,
        "layers": [
            {"kind": "conv2d", "name": "code", "channels": 2, "kernel": 3},
            {"kind": "conv_transpose2d", "name": "output", "channels": 1, "kernel": 3},
        ],
    }  # fmt: skip
    model = SpikingAutoEncoder(network=description, epochs=1, random_state=0).fit(digits[:40])
    assert model.transform(digits[:3]).shape == (3, 2 * 6 * 6)
    assert model.get_feature_names_out().shape == (72,)
    with pytest.raises(ValueError, match="expected 64 features, found 10"):
        model.fit(digits[:40, :10])
    nameless = {key: value for key, value in description.items() if key != "latent"}
    with refused(NetworkError, where="network"):
        SpikingAutoEncoder(network=nameless).fit(digits[:40])


def test_it_fits_into_a_pipeline(digits: NDArray[np.float64]) -> None:
    pipeline = make_pipeline(FunctionTransformer(np.sqrt), SpikingAutoEncoder(**SMALL))
    scores = cross_val_score(pipeline, digits[:40], cv=2)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "5"), ("epochs", None), ("batch_size", 2.5), ("network", 5), ("validation", "a"),
        ("rate_per_step", -1.0), ("rate_per_step", 2.0), ("n_components", 0),
        ("learning_rate", -1.0), ("steps", 0),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(name: str, value: Any, digits: NDArray[np.float64]) -> None:
    with refused(NetworkError, name):
        SpikingAutoEncoder(**SMALL | {name: value}).fit(digits[:20])
