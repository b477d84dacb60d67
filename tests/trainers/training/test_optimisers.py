"""Optimisers, frozen weights, settings of single layers, and training of every kind of array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
import xarray as xr
from builders import dense
from mirrors import mirror_of
from refusals import refused

import bioae
from bioae.errors import NetworkError
from bioae.networks import Network, artefact
from bioae.trainers.mirror.compiled.build import compiler
from bioae.trainers.mirror.derivatives import ArcTan, Membrane
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.reach import check_reached
from bioae.trainers.training.trainer import GradientTrainer
from bioae.trainers.training.training import assemble

LAYERS = [
    dense("hidden", 6, gain=4.0, recurrent=True),
    dense("output", shape=[1, 28, 28], gain=4.0),
]


def config(network: dict[str, Any] | None = None, **training: Any) -> TrainingConfig:
    """Return a small configuration, with other keys of its tables."""
    settings = {
        "epochs": 1, "batch_size": 8, "threads": 1, "derivative": "arctan", "dtype": "float64",
        "compile": False, "grid_bits": 0, **training,
    }  # fmt: skip
    tables = {"steps": 6, "neuron": "lif", "layers": LAYERS, "latent": "hidden", **(network or {})}
    data = {"train": 24, "validation": 8, "test": 8}
    return TrainingConfig.from_mapping({"data": data, "network": tables, "training": settings})


def after_one_update(problem: Problem) -> dict[str, torch.Tensor]:
    run = GradientTrainer(problem)
    run.update(problem.batch(problem.data.train[np.arange(8)], 0), problem.stages[0])
    return {name: weight.detach().clone() for name, weight in run.weights.items()}


def test_weight_decay_is_decoupled_and_acts_on_connections_only() -> None:
    """AdamW moves a weight as Adam does, from the weight times (1 - rate decay)."""
    rate, decay = 1e-3, 0.5
    common: dict[str, Any] = {"learning_rate": rate, "trainable": ["tau", "theta"]}
    start = {n: w.detach().clone() for n, w in assemble(config(**common)).mirror.weights.items()}
    adam = after_one_update(assemble(config(**common)))
    table = {"name": "adamw", "weight_decay": decay}
    adamw = after_one_update(assemble(config(**common, optimiser=table)))
    for name, before in start.items():
        decays = name.endswith(("weight", "recurrent"))
        expected = adam[name] - (rate * decay * before if decays else 0)
        torch.testing.assert_close(adamw[name], expected, rtol=1e-12, atol=1e-15)
    assert not torch.equal(adam["hidden.weight"], adamw["hidden.weight"])
    assert torch.equal(adam["hidden.tau"], adamw["hidden.tau"])
    assert config(optimiser="adamw").training.optimiser.weight_decay == 0.01


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_gradient_descent_by_its_definition(momentum: float) -> None:
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
        (["hidden"], {"hidden.weight", "hidden.recurrent", "hidden.tau"}),
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
    given = config({"neuron": "mine", "neurons": {"mine": neuron}}, layers=layers)
    weights = bioae.train(given, out=tmp_path / "run").network.weights
    assert float(weights["hidden.tau"]) != 0.01
    assert "output.tau" not in weights


# Neuron parameters

EVERYTHING: dict[str, Any] = {
    "trainable": ["tau", "theta"], "per_neuron": ["tau"],
    "learning_rates": {"tau": 2e-2, "hidden": {"tau": 3e-2}, "recurrent": 1e-4},
    "derivative": {"name": "arctan", "detach_reset": True, "detach_refractory": False},
    "truncate": 5, "recompute": 3,
}  # fmt: skip


def test_parameters_of_each_neuron() -> None:
    assert config(**EVERYTHING).training.own == ("tau",)
    assert config(trainable=["tau", "theta"], per_neuron=True).training.own == ("tau", "theta")
    assert config(trainable=["tau"], per_neuron=False).training.own == ()


def test_groups_of_learning_rates() -> None:
    run = GradientTrainer(assemble(config(**EVERYTHING)))
    names = {id(weight): name for name, weight in run.weights.items()}
    rates = {
        names[id(each)]: group["lr"]
        for group in run.optimiser.param_groups
        for each in group["params"]
    }
    assert rates == {
        "hidden.weight": 5e-4, "hidden.recurrent": 1e-4, "hidden.tau": 3e-2, "hidden.theta": 5e-4,
        "output.weight": 5e-4, "output.tau": 2e-2, "output.theta": 5e-4,
    }  # fmt: skip


def test_first_step_is_the_learning_rate_in_any_unit() -> None:
    """Adam's first step is its rate, in the unit in which a parameter is trained."""
    rates = {"tau": 1e-2, "theta": 2e-2}
    problem = assemble(config(trainable=["tau", "theta"], learning_rates=rates))
    after_one_update(problem)
    for name, each in problem.mirror.trained.items():
        start, rate = (0.1, 1e-2) if name.endswith("tau") else (1.0, 2e-2)
        # The last layer's potential is read, and its threshold with nothing to do.
        expected = 0.0 if name == "output.theta" else rate
        assert abs(np.log(each.values() / start)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.medium
def test_each_neuron_trains_its_own_to_the_artefact(tmp_path: Path) -> None:
    network = bioae.train(config(**EVERYTHING, epochs=2), out=tmp_path / "run").network
    stored = artefact.load(tmp_path / "run" / "model").network
    for layer, size in (("hidden", 6), ("output", 784)):
        tau, theta = (stored.weights[f"{layer}.{name}"] for name in ("tau", "theta"))
        assert tau.shape == (size,)
        assert theta.shape == ()
        np.testing.assert_array_equal(tau, network.weights[f"{layer}.tau"])
        assert 0.005 <= tau.min() < tau.max() <= 0.5
    assert len(np.unique(stored.weights["hidden.tau"])) > 2


def test_a_threshold_of_zero_is_refused() -> None:
    given = config(trainable=["tau", "theta"])
    thresholds = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    network = Network.initialise(given.network, seed=0)
    changed = network.with_parameters({"theta": thresholds}, layers=["hidden"])
    with refused(NetworkError, "theta", where="layer 'hidden'"):
        check_reached(given, given.stages, mirror_of(changed))


@pytest.mark.medium
def test_pooling_biases_and_single_parameters_are_trained(tmp_path: Path) -> None:
    """On the grid, and the same in Brian2."""
    layers = [
        {"kind": "conv2d", "name": "features", "channels": 3, "kernel": 5, "stride": 3,
         "bias": True},
        {"kind": "avg_pool2d", "name": "pooled", "kernel": 2, "bias": True, "weight": "4"},
        dense("output", shape=[1, 28, 28], bias=True, initial="orthogonal",
              spread={"tau": ["50*ms", "200*ms"]}),
    ]  # fmt: skip
    options = {"trainable": ["tau"], "learning_rate": 0.01, "grid_bits": 12, "dtype": "float32"}
    given = config({"steps": 8, "latent": "pooled", "layers": layers}, **options)
    before = Network.initialise(given.network, seed=given.training.seed).weights
    trained = bioae.train(given, out=tmp_path / "run").network
    assert trained.weights.keys() == before.keys() | {"features.tau", "pooled.tau"}
    for name in ("features.bias", "pooled.bias", "output.bias", "output.tau"):
        values = trained.weights[name]
        assert values.shape == before[name].shape
        assert (values != before[name]).mean() > 0.5, name
        assert name == "output.tau" or (values * 4096 % 1 == 0).all()
    images = np.random.default_rng(0).random((3, 28, 28))
    mirror, brian = (bioae.simulate(trained, images, target) for target in ("torch", "numpy"))
    for name in ("features", "pooled", "output"):
        assert brian[f"layers/{name}/spike_count"].any()
        xr.testing.assert_identical(
            mirror[f"layers/{name}"].to_dataset(), brian[f"layers/{name}"].to_dataset()
        )
