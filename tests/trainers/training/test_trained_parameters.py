"""Training of neuron parameters, as configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import conv, dense
from mirrors import mirror_of
from refusals import refused

import bioae
from bioae.errors import NetworkError
from bioae.networks import Network, artefact
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.reach import check_reached
from bioae.trainers.training.trainer import GradientTrainer
from bioae.trainers.training.training import assemble

LAYERS: list[dict[str, Any]] = [
    conv("outer", 2, 5, stride=4),
    dense("latent", 12, recurrent=True),
    dense("output", shape=[1, 28, 28]),
]


def config(**training: Any) -> TrainingConfig:
    settings = {
        "epochs": 2, "batch_size": 8, "threads": 1, "checkpoint_seconds": 0,
        "derivative": "arctan", "trainable": ["tau", "theta"], **training,
    }  # fmt: skip
    network = {"input_shape": [1, 28, 28], "steps": 8, "neuron": "lif", "layers": LAYERS}
    data = {"train": 24, "validation": 8, "test": 8}
    return TrainingConfig.from_mapping({"data": data, "network": network, "training": settings})


EVERYTHING: dict[str, Any] = {
    "per_neuron": ["tau"],
    "learning_rates": {"tau": 2e-2, "latent": {"tau": 3e-2}, "recurrent": 1e-4},
    "derivative": {"name": "arctan", "detach_reset": True, "detach_refractory": False},
    "truncate": 5,
    "recompute": 3,
}


def test_parameters_of_each_neuron() -> None:
    assert config(**EVERYTHING).training.own == ("tau",)
    assert config(per_neuron=True).training.own == ("tau", "theta")
    assert config(per_neuron=False).training.own == ()


def test_groups_of_learning_rates(tmp_path: Path) -> None:
    given = config(**EVERYTHING)
    run = GradientTrainer(assemble(given))
    names = {id(weight): name for name, weight in run.weights.items()}
    rates = {
        names[id(each)]: group["lr"]
        for group in run.optimiser.param_groups
        for each in group["params"]
    }
    assert rates == {
        "outer.weight": 5e-4, "outer.tau": 2e-2, "outer.theta": 5e-4,
        "latent.weight": 5e-4, "latent.recurrent": 1e-4, "latent.tau": 3e-2, "latent.theta": 5e-4,
        "output.weight": 5e-4, "output.tau": 2e-2, "output.theta": 5e-4,
    }  # fmt: skip


def test_first_step_is_the_learning_rate_in_any_unit(tmp_path: Path) -> None:
    # Adam's first step is its rate, in the unit in which a parameter is trained.
    problem = assemble(config(learning_rates={"tau": 1e-2, "theta": 2e-2}, dtype="float64"))
    run = GradientTrainer(problem)
    run.update(problem.batch(problem.data.train[np.arange(8)], 0), problem.stages[0])
    for name, each in problem.mirror.trained.items():
        start, rate = (0.1, 1e-2) if name.endswith("tau") else (1.0, 2e-2)
        # The last layer's potential is read, and its threshold with nothing to do.
        expected = 0.0 if name == "output.theta" else rate
        assert abs(np.log(each.values() / start)) == pytest.approx(expected, rel=1e-3)


def test_each_neuron_trains_its_own_to_the_artefact(tmp_path: Path) -> None:
    network = bioae.train(config(**EVERYTHING), out=tmp_path / "run").network
    stored = artefact.load(tmp_path / "run" / "model").network
    for layer, size in (("outer", 72), ("latent", 12), ("output", 784)):
        tau, theta = (stored.weights[f"{layer}.{name}"] for name in ("tau", "theta"))
        assert tau.shape == (size,)
        assert theta.shape == ()
        np.testing.assert_array_equal(tau, network.weights[f"{layer}.tau"])
        assert 0.005 <= tau.min() < tau.max() <= 0.5
    assert len(np.unique(stored.weights["latent.tau"])) > 2


def test_a_threshold_of_zero_is_refused() -> None:
    network = Network.initialise(config().network, seed=0)
    size = network.config.placed[0].size
    thresholds = np.ones(size)
    thresholds[1] = 0.0
    changed = network.with_parameters({"theta": thresholds}, layers=[network.config.placed[0].name])
    mirror = mirror_of(changed)
    with refused(NetworkError, "theta", where="layer 'outer'"):
        check_reached(config(), config().stages, mirror)
