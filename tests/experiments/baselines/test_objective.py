"""The objective of variational auto-encoders against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import dense, pictures
from finite_differences import assert_gradients
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as oracle

from bioae.datasets import Data
from bioae.noise import Key
from bioae.runs.splits import Splits
from experiments.baselines.autoencoder import AutoencoderModule, kl_divergence
from experiments.baselines.config import BaselineConfig
from experiments.baselines.problem import BaselineProblem

LINEAR: dict[str, Any] = {
    "input_shape": [1, 3, 4],
    "latent": "latent",
    "layers": [dense("latent", 2), dense("output", shape=[1, 3, 4])],
}


def images(count: int, *, same: bool = False) -> Data:
    pixels = np.repeat(pictures(1, 1, 3, 4), count, 0) if same else pictures(count, 1, 3, 4)
    return Data.of_images(pixels, name="noise")


def problem(data: Data, beta: float, **training: Any) -> BaselineProblem:
    settings = {"dtype": "float64", **training}
    kind = {"kind": "variational", "beta": beta}
    config = BaselineConfig.from_mapping(
        {"baseline": kind, "network": LINEAR, "training": settings}
    )
    return BaselineProblem(config, AutoencoderModule(config), Splits(data, data, data))


def test_the_divergence_and_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64).requires_grad_()
    log_variance = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64).requires_grad_()
    found = kl_divergence(mean, log_variance)
    gaussian = Independent(Normal(mean, torch.exp(log_variance / 2)), 2)
    standard = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 2)
    assert found.item() == pytest.approx(oracle(gaussian, standard).mean().item(), rel=1e-12)
    found.backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert torch.allclose(mean.grad, mean / 5)
    assert torch.allclose(log_variance.grad, (log_variance.exp() - 1) / 10)
    zero = torch.zeros(4, 7)
    assert kl_divergence(zero, zero).item() == 0


def test_the_gradient_against_finite_differences() -> None:
    data = images(6)
    task = problem(data, 0.7)
    batch = task.batch(data, seed=2)

    def loss() -> torch.Tensor:
        return task.terms(batch, task.stages[0], 0.0)["loss"]

    loss().backward()
    assert_gradients(loss, task.weights, every=5, tolerance=1e-6)


def test_noise_depends_on_the_example_and_the_seed_alone() -> None:
    data = images(10)
    task = problem(data, 1.0)
    whole = task.run(task.batch(data, seed=1)).layers["latent"]
    part = task.run(task.batch(data[4:7], seed=1)).layers["latent"]
    assert torch.allclose(part, whole[4:7], rtol=1e-12)
    other = task.run(task.batch(data, seed=2)).layers["latent"]
    assert not torch.isclose(other, whole).any()
    module = task.module
    values = torch.from_numpy(data.as_float())
    assert (
        module(values).layers["latent"].equal(task.evaluated(task.batch(data, 1)).layers["latent"])
    )
    drawn = module(values, Key(1, data.indices)).layers["latent"]
    assert drawn.equal(whole)


@pytest.mark.parametrize("symbol", ["l1", "l2"])
def test_penalties_of_the_latent_layer_act_on_its_log_variance(symbol: str) -> None:
    data = images(4)
    tables = {
        "baseline": "variational", "network": LINEAR, "training": {"dtype": "float64"},
        "regularisers": {symbol: {"coefficient": 0.5, "layers": ["latent"]}},
    }  # fmt: skip
    config = BaselineConfig.from_mapping(tables)
    task = BaselineProblem(config, AutoencoderModule(config), Splits(data, data, data))
    names = ["latent.weight", "latent.log_variance_weight"]
    assert {*task.synaptic} == {*names, "output.weight"}
    with torch.no_grad():
        task.weights["latent.log_variance_bias"].fill_(3.0)
    power = {"l1": 1, "l2": 2}[symbol]
    expected = sum(task.weights[name].abs().pow(power).sum().item() for name in names)
    found = task.terms(task.batch(data, 0), task.stages[0], 1.0)
    assert found[symbol].item() == pytest.approx(0.5 * expected)
