"""Weight decay, frozen weights, and settings of single layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from builders import dense

import bioae
from bioae.trainers.mirror.compiled.build import compiler
from bioae.trainers.mirror.derivatives import ArcTan, Membrane
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.trainer import GradientTrainer
from bioae.trainers.training.training import assemble

LAYERS = [dense("hidden", 6, gain=4.0), dense("output", shape=[1, 28, 28], gain=4.0)]


def config(**training: Any) -> TrainingConfig:
    settings = {
        "epochs": 1, "batch_size": 8, "threads": 1, "derivative": "arctan", "dtype": "float64",
        "compile": False, "grid_bits": 0, **training,
    }  # fmt: skip
    network = {"steps": 6, "neuron": "lif", "layers": LAYERS, "latent": "hidden"}
    data = {"train": 24, "validation": 8, "test": 8}
    return TrainingConfig.from_mapping({"data": data, "network": network, "training": settings})


def after_one_update(configuration: TrainingConfig, out: Path) -> dict[str, torch.Tensor]:
    problem = assemble(configuration)
    run = GradientTrainer(problem)
    run.update(problem.batch(problem.data.train[np.arange(8)], 0), problem.stages[0])
    return {name: weight.detach().clone() for name, weight in run.weights.items()}


def test_weight_decay_is_decoupled_and_acts_on_connections_only(tmp_path: Path) -> None:
    """AdamW moves a weight as Adam does, from the weight times (1 - rate decay)."""
    rate, decay = 1e-3, 0.5
    common: dict[str, Any] = {"learning_rate": rate, "trainable": ["tau", "theta"]}
    start = {n: w.detach().clone() for n, w in assemble(config(**common)).mirror.weights.items()}
    adam = after_one_update(config(**common), tmp_path)
    adamw = after_one_update(
        config(**common, optimiser={"name": "adamw", "weight_decay": decay}), tmp_path
    )
    for name, before in start.items():
        expected = adam[name] - (rate * decay * before if name.endswith("weight") else 0)
        torch.testing.assert_close(adamw[name], expected, rtol=1e-12, atol=1e-15)
    assert not torch.equal(adam["hidden.weight"], adamw["hidden.weight"])
    assert torch.equal(adam["hidden.tau"], adamw["hidden.tau"])
    assert config(optimiser="adamw").training.optimiser.weight_decay == 0.01


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_gradient_descent_by_its_definition(momentum: float, tmp_path: Path) -> None:
    """Each update adds the gradient to ``momentum`` times the last direction (Polyak 1964)."""
    rate = 1e-5
    given = config(
        learning_rate=rate, gradient_clip=0, optimiser={"name": "sgd", "momentum": momentum}
    )
    problem = assemble(given)
    run = GradientTrainer(problem)
    batch = problem.batch(problem.data.train[np.arange(8)], 0)
    weights = problem.mirror.weights
    expected = {name: each.detach().clone() for name, each in weights.items()}
    direction = {name: torch.zeros_like(each) for name, each in expected.items()}
    for _ in range(3):
        run.update(batch, problem.stages[0])
        for name, each in weights.items():
            assert each.grad is not None
            assert each.grad.any()
            direction[name] = momentum * direction[name] + each.grad
            expected[name] = expected[name] - rate * direction[name]
            torch.testing.assert_close(each.detach(), expected[name], rtol=1e-12, atol=1e-15)
    assert config(optimiser="sgd").training.optimiser.model_dump() == {
        "name": "sgd", "momentum": 0.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("frozen", "still"),
    [
        (["hidden"], {"hidden.weight", "hidden.tau"}),
        (["weight"], {"hidden.weight", "output.weight"}),
        (["output.weight", "tau"], {"output.weight", "hidden.tau", "output.tau"}),
    ],
)
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_frozen_weights_stay(
    frozen: list[str], still: set[str], compiled: bool, tmp_path: Path
) -> None:
    if compiled and compiler() is None:
        pytest.skip("there is no C++ compiler to compile with")
    given = config(frozen=frozen, trainable=["tau"], optimiser="adamw", compile=compiled)
    before = assemble(given).mirror.to_network().weights
    after = bioae.train(given, out=tmp_path / "run").network.weights
    same = {name for name in after if name in before and np.array_equal(after[name], before[name])}
    assert same == still


def test_settings_of_a_layer_reach_the_mirror() -> None:
    layers = {
        "hidden": {
            "derivative": {"name": "membrane", "detach_refractory": False},
            "trainable": ["theta"],
            "bounds": {"theta": ["0.9", "1.1"]},
        }
    }
    mirror = assemble(config(trainable=["tau"], truncate=3, layers=layers)).mirror
    hidden, output = (mirror.layers[name].neuron for name in ("hidden", "output"))
    assert isinstance(hidden.backward.derivative, Membrane)
    assert not hidden.backward.detach_refractory
    assert isinstance(output.backward.derivative, ArcTan)
    assert (hidden.backward.truncate, output.backward.truncate) == (3, 3)
    assert set(mirror.trained) == {"hidden.theta", "output.tau"}
    scale = mirror.trained["hidden.theta"].scale
    assert (scale.low, scale.high) == (0.9, 1.1)


def test_bounds_of_a_layer_hold(tmp_path: Path) -> None:
    layers = {"hidden": {"bounds": {"tau": ["99.9*ms", "100.1*ms"]}}}
    given = config(trainable=["tau"], learning_rates={"tau": 1.0}, layers=layers)
    weights = bioae.train(given, out=tmp_path / "run").network.weights
    assert float(weights["hidden.tau"]) in (pytest.approx(0.0999), pytest.approx(0.1001))
    assert abs(float(weights["output.tau"]) - 0.1) > 0.01


def test_bounds_let_a_parameter_be_trained_for_which_the_model_has_none(tmp_path: Path) -> None:
    neuron = {key: value for key, value in small_run.LEAKY.items() if key != "trainable"}
    layers = {"hidden": {"trainable": ["tau"], "bounds": {"tau": ["1*ms", "1*second"]}}}
    values = config(layers=layers).to_mapping()
    values["network"] |= {"neuron": "mine", "neurons": {"mine": neuron}}
    weights = bioae.train(TrainingConfig.from_mapping(values), out=tmp_path / "run").network.weights
    assert float(weights["hidden.tau"]) != 0.01
    assert "output.tau" not in weights
