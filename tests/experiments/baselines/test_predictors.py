"""Principal components, the mean image and zero; and the linear auto-encoder between them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, pictures, write_arrays
from numpy.typing import NDArray

from bioae.errors import DataError
from bioae.networks import NetworkConfig
from bioae.runs import Trained
from experiments.baselines import load_baseline, train_baseline
from experiments.baselines.base import Linear

Array = NDArray[np.float64]
SHAPE = (1, 4, 5)
LATENT = 3
NETWORK: dict[str, Any] = {
    "input_shape": list(SHAPE),
    "latent": "latent",
    "layers": [dense("latent", LATENT), dense("output", shape=list(SHAPE))],
}


def correlated(count: int) -> Array:
    """Return images that a few directions explain, with noise, in [0, 1]."""
    generator = np.random.default_rng(1)
    mixing = generator.normal(size=(5, 20)) * np.array([3.0, 2.5, 2.0, 0.7, 0.5])[:, None]
    values = generator.normal(size=(count, 5)) @ mixing + 0.1 * generator.normal(size=(count, 20))
    return ((values - values.min()) / np.ptp(values)).reshape(count, *SHAPE)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_arrays(tmp_path / "images.npz", images=correlated(120))


def run(data: Path, out: Path, kind: Any, **training: Any) -> Trained:
    tables = {
        "baseline": kind, "network": NETWORK, "training": training,
        "data": {"name": str(data), "validation": 20},
    }  # fmt: skip
    return train_baseline(tables, out)


def squares(reconstruction: Array, images: Array) -> float:
    return float(((reconstruction - images) ** 2).sum() / len(images))


@pytest.mark.parametrize("count", [8, 300], ids=["few images", "many images"])
def test_components_are_the_optimum_of_the_singular_values(count: int) -> None:
    """Eckart, Young 1936: the best error of rank k is the sum of the squares left out."""
    images = correlated(count)
    config = NetworkConfig.from_mapping(NETWORK, where="test")
    flat = images.reshape(count, -1)
    singular = np.linalg.svd(flat - flat.mean(0), compute_uv=False)
    errors = []
    for components in range(min(count - 1, 20)):
        found = Linear.fitted(config, images, components)
        error = squares(found.reconstruct(images), images)
        assert error == pytest.approx((singular[components:] ** 2).sum() / count, rel=1e-6)
        assert found.latent(images).shape == (count, components)
        errors.append(error)
    assert len(errors) >= 7
    assert all(after < before for before, after in pairwise(errors))
    assert errors[0] == pytest.approx(images.var(0).sum())  # the mean image


def test_zero_and_the_mean_of_training_images(data: Path, tmp_path: Path) -> None:
    images = correlated(120)
    zero = run(data, tmp_path / "zero", "zero")
    mean = run(data, tmp_path / "mean", "mean_image")
    assert not zero.network.reconstruct(images).any()
    assert zero.summary["test_sum_squared_error"] == pytest.approx((images**2).sum() / 120)
    predicted = mean.network.reconstruct(images[:2])
    assert predicted.shape == (2, *SHAPE)
    assert np.array_equal(predicted[0], predicted[1])
    # 20 images are held out.
    assert not np.allclose(predicted[0], images.mean(0), atol=1e-6)
    assert np.allclose(predicted[0], images.mean(0), atol=0.1)
    assert zero.network.latent(images).shape == mean.network.latent(images).shape == (120, 0)
    assert mean.records[0]["presentations"] == 100


def test_the_number_of_components_is_that_of_latent_neurons(data: Path, tmp_path: Path) -> None:
    latent = run(data, tmp_path / "latent", "pca")
    five = run(data, tmp_path / "five", {"kind": "pca", "components": 5})
    assert latent.network.latent(correlated(7)).shape == (7, LATENT)
    assert five.network.latent(correlated(7)).shape == (7, 5)
    errors = [each.summary["validation_sum_squared_error"] for each in (five, latent)]
    assert errors[0] < errors[1]
    again = load_baseline(five.model)
    images = pictures(3, *SHAPE)
    assert np.array_equal(again.reconstruct(images), five.network.reconstruct(images))


def test_more_components_than_images(tmp_path: Path) -> None:
    few = write_arrays(tmp_path / "few.npz", images=correlated(25))
    with pytest.raises(DataError, match=r"baseline\.components.*at most 5.*found 6"):
        run(few, tmp_path / "out", {"kind": "pca", "components": 6})
