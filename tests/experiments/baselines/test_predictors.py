"""Auto-encoders of the spiking networks' shapes, and the linear predictors they compare with."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import conv, dense, pictures, write_arrays
from numpy.typing import NDArray
from torch import nn

from bioae.networks import NetworkConfig
from bioae.networks.config import presets
from bioae.runs import Trained
from experiments.baselines import load_baseline, train_baseline
from experiments.baselines.autoencoder import AutoencoderModule
from experiments.baselines.base import Linear
from experiments.baselines.config import BaselineConfig

BATCH = 3


def module(
    network: dict[str, Any], kind: Any = "autoencoder", **training: Any
) -> AutoencoderModule:
    tables = {"baseline": kind, "network": network, "training": training}
    return AutoencoderModule(BaselineConfig.from_mapping(tables))


@pytest.mark.parametrize("kind", ["autoencoder", "variational"])
@pytest.mark.parametrize("preset", presets())
def test_shapes_of_the_presets(preset: str, kind: str) -> None:
    """Weights and activations have the shapes of the spiking network's."""
    config = NetworkConfig.from_mapping({"preset": preset}, where="test")
    autoencoder = module({"preset": preset}, kind)
    images = torch.rand(BATCH, *config.input_shape)
    outputs = autoencoder(images)
    assert [*outputs.layers] == [placed.name for placed in config.placed]
    arrays = {name: tuple(each.shape) for name, each in autoencoder.arrays.items()}
    for placed in config.placed:
        assert tuple(outputs.layers[placed.name].shape) == (BATCH, *placed.shape)
        for name, shape in placed.weight_shapes.items():
            assert arrays.pop(name) == shape
            assert arrays.pop(f"{placed.name}.bias") == placed.layer.bias_shape(placed.input_shape)
    assert outputs.output.shape == images.shape
    variance = {name for name in arrays if ".log_variance_" in name}
    assert arrays.keys() == variance
    assert len(variance) == (2 if kind == "variational" else 0)


def test_the_strided_network_against_modules_of_torch() -> None:
    """The same weights in the classes of torch.nn, without anything of ours."""
    autoencoder = module({"preset": "strided"})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, each in autoencoder.arrays.items():
            if name.endswith(".bias"):
                each.normal_(0.0, 0.1, generator=generator)
    oracle = nn.Sequential(
        nn.Conv2d(1, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
        nn.ConvTranspose2d(32, 16, 5, 2, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 5, 2, output_padding=1),
    )  # fmt: skip
    parameters = [*oracle.parameters()]
    assert len(parameters) == len(autoencoder.arrays) == 12
    with torch.no_grad():
        for theirs, ours in zip(parameters, autoencoder.arrays.values(), strict=True):
            theirs.copy_(ours)
        images = torch.rand(4, 1, 28, 28, generator=generator)
        found, expected = autoencoder(images), oracle(images)
        latent = oracle[:7](images)
    assert torch.allclose(found.output, expected, atol=1e-5)
    assert torch.allclose(found.layers["latent"], latent, atol=1e-5)
    assert expected.std() > 0.01
    assert (latent == 0).any()


def test_the_variance_of_initial_weights() -> None:
    layers = [conv("first", 64, 5), dense("latent", 200), dense("output", shape=[1, 20, 20])]
    network = {"input_shape": [1, 20, 20], "latent": "latent", "layers": layers}
    arrays = module(network, {"kind": "autoencoder", "latent": "linear"}).arrays
    for name, gain, fan_in in (
        ("first", 2.0, 25), ("latent", 1.0, 64 * 16 * 16), ("output", 1.0, 200),
    ):  # fmt: skip
        weight = arrays[f"{name}.weight"]
        error = 5 * math.sqrt(2 / weight.numel())
        assert weight.var().item() * fan_in == pytest.approx(gain, rel=error)
        assert not arrays[f"{name}.bias"].any()


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


def run(data: Path, out: Path, kind: str, latent: int = LATENT) -> Trained:
    layers = [dense("latent", latent), *NETWORK["layers"][1:]]
    tables = {
        "baseline": kind, "network": NETWORK | {"layers": layers},
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
        error = squares(found.predict(images), images)
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
    assert not zero.network.predict(images).any()
    assert zero.summary["test_sum_squared_error"] == pytest.approx((images**2).sum() / 120)
    predicted = mean.network.predict(images[:2])
    assert predicted.shape == (2, *SHAPE)
    assert np.array_equal(predicted[0], predicted[1])
    # 20 images are held out.
    assert not np.allclose(predicted[0], images.mean(0), atol=1e-6)
    assert np.allclose(predicted[0], images.mean(0), atol=0.1)
    assert zero.network.latent(images).shape == mean.network.latent(images).shape == (120, 0)
    assert mean.records[0]["presentations"] == 100


def test_the_number_of_components_is_that_of_latent_neurons(data: Path, tmp_path: Path) -> None:
    three, five = (run(data, tmp_path / str(latent), "pca", latent) for latent in (3, 5))
    assert three.network.latent(correlated(7)).shape == (7, 3)
    assert five.network.latent(correlated(7)).shape == (7, 5)
    errors = [each.summary["validation_sum_squared_error"] for each in (five, three)]
    assert errors[0] < errors[1]
    again = load_baseline(five.model)
    images = pictures(3, *SHAPE)
    assert np.array_equal(again.predict(images), five.network.predict(images))
