"""Training a network with pooling, biases and parameters that start from different values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import bioae
from bioae import simulate
from bioae.networks import Network
from bioae.trainers.training.config import TrainingConfig

pytestmark = pytest.mark.medium  # it trains for seconds

LAYERS: list[dict[str, Any]] = [
    {"kind": "conv2d", "name": "features", "channels": 3, "kernel": 5, "stride": 3, "bias": True},
    {"kind": "avg_pool2d", "name": "pooled", "kernel": 2, "bias": True, "weight": "4"},
    {"kind": "dense", "name": "output", "shape": [1, 28, 28], "bias": True,
     "initial": "orthogonal", "spread": {"tau": ["50*ms", "200*ms"]}},
]  # fmt: skip


def config(**training: Any) -> TrainingConfig:
    network = {"steps": 8, "latent": "pooled", "layers": LAYERS}
    settings = {
        "epochs": 1, "batch_size": 10, "threads": 1, "derivative": "arctan", "trainable": ["tau"],
        "compile": False,
        **training,
    }  # fmt: skip
    return TrainingConfig.from_mapping(
        {
            "data": {"name": "sample", "train": 40, "validation": 10},
            "network": network,
            "training": settings,
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return bioae.train(
        config(learning_rate=0.01), out=tmp_path_factory.mktemp("run") / "run"
    ).network


def test_biases_and_single_parameters_are_trained(trained: Network) -> None:
    before = Network.initialise(config().network, seed=config().training.seed)
    assert trained.weights.keys() == before.weights.keys() | {"features.tau", "pooled.tau"}
    for name in ("features.bias", "pooled.bias", "output.bias", "output.tau"):
        assert trained.weights[name].shape == before.weights[name].shape
        assert (trained.weights[name] != before.weights[name]).mean() > 0.5, name


def test_trained_biases_are_on_the_grid(trained: Network) -> None:
    for name in ("features.bias", "pooled.bias", "output.bias"):
        ticks = trained.weights[name] * 4096
        assert (ticks == np.rint(ticks)).all()


def test_the_trained_network_is_the_same_in_brian2(trained: Network) -> None:
    images = np.random.default_rng(0).random((3, 28, 28))
    mirror, brian = simulate(trained, images, "torch"), simulate(trained, images, "numpy")
    for name in ("features", "pooled", "output"):
        assert brian[f"layers/{name}/spike_count"].any()
        xr.testing.assert_identical(
            mirror[f"layers/{name}"].to_dataset(), brian[f"layers/{name}"].to_dataset()
        )
