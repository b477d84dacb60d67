"""Conventional auto-encoders have the shapes of the spiking network's layers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from builders import conv, dense
from torch import nn

from bioae.networks import NetworkConfig
from bioae.networks.config import presets
from experiments.baselines.autoencoder import AutoencoderModule
from experiments.baselines.config import BaselineConfig

BATCH = 3


def module(
    network: dict[str, Any], kind: Any = "autoencoder", **training: Any
) -> AutoencoderModule:
    tables = {"baseline": kind, "network": network, "training": training}
    return AutoencoderModule(BaselineConfig.from_mapping(tables))


def assert_shapes(network: dict[str, Any], kind: Any) -> None:
    """Compare the shapes of weights and of activations with those of the spiking network."""
    config = NetworkConfig.from_mapping(network, where="test")
    autoencoder = module(network, kind)
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


@pytest.mark.parametrize("kind", ["autoencoder", "variational"])
@pytest.mark.parametrize("preset", presets())
def test_shapes_of_the_presets(preset: str, kind: str) -> None:
    assert_shapes({"preset": preset}, kind)


def test_the_strided_network_against_modules_of_torch() -> None:
    """The same weights in the classes of torch.nn, without anything of ours."""
    autoencoder = module({"preset": "strided"}, {"kind": "autoencoder", "output": "sigmoid"})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, each in autoencoder.arrays.items():
            if name.endswith(".bias"):
                each.normal_(0.0, 0.1, generator=generator)
    oracle = nn.Sequential(
        nn.Conv2d(1, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
        nn.ConvTranspose2d(32, 16, 5, 2, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 5, 2, output_padding=1), nn.Sigmoid(),
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


def test_activations_of_a_linear_latent_layer() -> None:
    images = torch.rand(20, 1, 28, 28)
    linear = module({"preset": "strided"}, {"kind": "autoencoder", "latent": "linear"})(images)
    rectified = module({"preset": "strided"})(images)
    assert (linear.layers["latent"] < 0).any()
    assert (rectified.layers["latent"] >= 0).all()
    for name in ("encoder1", "encoder2", "decoder2", "decoder1"):
        assert (linear.layers[name] >= 0).all()
    assert (linear.output < 0).any()


def test_equal_seeds_give_equal_weights() -> None:
    first, again, other = (
        module({"preset": "strided"}, "variational", seed=seed).arrays for seed in (3, 3, 4)
    )
    assert all(first[name].equal(again[name]) for name in first)
    weights = [name for name in first if name.endswith("weight")]
    assert len(weights) == 7
    assert not any(first[name].equal(other[name]) for name in weights)
    drawn = [first[name].flatten()[:16] for name in weights]
    assert all(not a.equal(b) for i, a in enumerate(drawn) for b in drawn[:i])


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
