"""Stages that cannot run are refused for what they are, before a folder is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import dense

import bioae
from bioae.errors import DataError, NetworkError
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.reach import check_reached
from bioae.trainers.training.stages import stages_of
from bioae.trainers.training.trainer import GradientTrainer
from bioae.trainers.training.training import assemble

SIDE = 4
LAYERS = [dense("hidden", 6, recurrent=True, bias=True), dense("output", shape=[1, SIDE, SIDE])]
POOLED = [{"kind": "avg_pool2d", "name": "pool", "kernel": 1, "stride": 1}, LAYERS[1]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8))
    return path


def config(
    data: Path | str = "nowhere", network: dict[str, Any] | None = None, **settings: Any
) -> TrainingConfig:
    terms = settings.pop("regularisers", {})
    described = {"input_shape": [1, SIDE, SIDE], "steps": 5, "layers": LAYERS, **(network or {})}
    options = {"batch_size": 4, "threads": 1, "derivative": "arctan", "compile": False, **settings}
    return TrainingConfig.from_mapping(
        {
            "data": {"name": str(data), "validation": 2},
            "network": described,
            "training": options,
            "regularisers": terms,
        }
    )


def refused_by_configuration(given: TrainingConfig, out: Path) -> str:
    """Return the line by which a run is refused: the data do not exist, and no folder is made."""
    with pytest.raises(NetworkError) as caught:
        bioae.train(given, out=out)
    assert not out.exists()
    return str(caught.value)


FROZEN = {"frozen": ["weight", "recurrent", "bias"]}
L2 = {"l2": {"coefficient": 1.0, "layers": ["pool"]}}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (FROZEN, "training, frozen: nothing is left to train; found weight, recurrent, bias"),
        ({"stages": [{}, {}, FROZEN]}, "training.stages.3rd, frozen: nothing is left to train"),
        (
            {"frozen": ["hiden"], "stages": [{"frozen": ["bias"]}]},
            "training, frozen: no trained weight or parameter is called 'hiden'",
        ),
        (
            {"stages": [{}, {"frozen": ["hiden"]}]},
            "training.stages.2nd, frozen: no trained weight or parameter is called 'hiden'",
        ),
        (
            {"stages": [{"learning_rates": {"tua": 1}}]},
            "training.stages.1st, learning_rates: no trained weight or parameter is called 'tua'",
        ),
        (
            {"network": {"layers": POOLED}, "regularisers": L2},
            "regularisers.l2: the regulariser acts on 'pool', a layer without trained weights",
        ),
        (
            {"network": {"layers": POOLED}, "stages": [{}, {"regularisers": L2}]},
            "training.stages.2nd.regularisers.l2: the regulariser acts on 'pool'",
        ),
        (
            {"network": {"layers": POOLED[:1]}, "regularisers": {"l1": 1}},
            "regularisers.l1: the regulariser acts on no layer: each is one without trained",
        ),
        ({"network": {"layers": POOLED[:1]}}, "network.layers: the network has nothing to train"),
    ],
)
def test_by_the_configuration_before_data_are_read(
    settings: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="nowhere"):
        assemble(config())  # what fits gets as far as the data
    assert line in refused_by_configuration(config(**settings), tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"derivative": "membrane", "trainable": ["tau"]},
            "training, trainable: no gradient reaches 'hidden.tau'; found the derivative",
        ),
        (
            {"derivative": "membrane", "stages": [{}, {"trainable": ["tau"]}]},
            "training.stages.2nd, trainable: no gradient reaches 'hidden.tau'",
        ),
        (
            {"stages": [{}, {"frozen": ["weight", "recurrent", "bias", "hidden"]}, {}],
             "trainable": ["theta"]},
            "training.stages.2nd, trainable: no gradient reaches 'output.theta'",
        ),
        (
            {"truncate": 1},
            "training, frozen: no gradient reaches 'hidden.weight'",
        ),
        (
            {"compile": True, "network": {"neuron": "noisy_lif"}},
            "layer hidden: the layer cannot be compiled",
        ),
    ],
)  # fmt: skip
def test_by_the_gradients_before_a_folder_is_made(
    settings: dict[str, Any], line: str, data: Path, tmp_path: Path
) -> None:
    assert line in refused_by_configuration(config(data, **settings), tmp_path / "run")


@pytest.mark.parametrize("compiled", [False, "auto"])
@pytest.mark.parametrize(
    "settings", [{"trainable": ["tau", "theta"]}, {"derivative": "membrane"}, {"truncate": 3}]
)
def test_what_is_accepted_is_reached_in_training(
    settings: dict[str, Any], compiled: bool | str, data: Path, tmp_path: Path
) -> None:
    """The presentation that is tried stands for the batches: the same gradients are missing."""
    problem = assemble(config(data, compile=compiled, **settings))
    run = GradientTrainer(problem)
    assert all(weight.requires_grad for weight in run.weights.values())
    assert all(weight.grad is None for weight in run.weights.values())
    run.optimisation.enter(problem.stages[0])
    run.update(problem.batch(problem.data.train[np.arange(4)], 0), problem.stages[0])
    missing = {name for name, each in run.weights.items() if each.grad is None}
    assert missing <= {"output.theta"}
    weights = {name: each.detach().clone() for name, each in run.weights.items()}
    check_reached(problem.config, problem.stages, problem.mirror)
    assert all(torch.equal(each, weights[name]) for name, each in run.weights.items())


def test_equal_stages_are_tried_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(data, stages=[{}, {"learning_rate": 1e-4}, {"frozen": ["bias"]}, {}])
    problem = assemble(given)
    seen = []
    forward = type(problem.mirror).forward
    monkeypatch.setattr(
        type(problem.mirror), "forward", lambda *a, **k: (seen.append(1), forward(*a, **k))[1]
    )
    check_reached(given, stages_of(given), problem.mirror)
    assert len(seen) == 2


COSINE = {"name": "cosine", "warm_up": 3}
WARM = {"coefficient": 1.0, "warm_up": 2.5}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"epochs": 2, "schedule": {"name": "cosine", "warm_up": 2.5}}, "schedule: the warm-up of"),
        ({"epochs": 2, "regularisers": {"l2": WARM}}, "regularisers.l2: the warm-up of 2.5 epochs"),
        (
            {
                "stages": [
                    {"epochs": 9},
                    {"epochs": 2, "schedule": {"name": "cosine", "warm_up": 3}},
                ]
            },
            "stages.2nd.schedule: the warm-up of 3 epochs is longer than the stage, of 2",
        ),
        (
            {"stages": [{"epochs": 9}, {"epochs": 2, "regularisers": {"l2": WARM}}]},
            "training.stages.2nd.regularisers.l2: the warm-up of 2.5 epochs is longer than the sta",
        ),
        (
            {"epochs": 3, "stages": [{"epochs": 1}, {"epochs": 2}]},
            "training: epochs = 3 has no effect: every stage has its own `epochs`",
        ),
    ],
)
def test_times_that_do_not_fit(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(NetworkError) as caught:
        config(**settings)
    assert line in str(caught.value)


def test_times_that_fit() -> None:
    exact = {"coefficient": 1.0, "warm_up": 3.0}
    given = config(
        stages=[{"epochs": 1}, {"epochs": 2}], regularisers={"l2": exact},
        schedule={"name": "step", "every": 1, "warm_up": 3},
    )  # fmt: skip
    assert "epochs" not in given.to_mapping()["training"]
    assert TrainingConfig.from_mapping(given.to_mapping()).to_mapping() == given.to_mapping()
    shared = config(stages=[{"epochs": 1}, {}], epochs=4)
    assert [stage.end for stage in stages_of(shared)] == [1, 5]
    assert shared.to_mapping()["training"]["epochs"] == 4


@pytest.mark.parametrize("value", [0, 0.0])
def test_a_run_needs_images_for_validation(value: float) -> None:
    with pytest.raises(NetworkError, match=r"data.validation: every run needs examples for valid"):
        TrainingConfig.from_mapping({"data": {"validation": value}})


def test_starting_values_are_moved_into_the_layers_bounds(data: Path) -> None:
    """Those that `spread` draws outside start at the nearest bound; the others stay."""
    bounds = {"tau": ["80*ms", "120*ms"]}
    given = {
        "trainable": ["tau"],
        "network": {"layers": [{**LAYERS[0], "units": 200, "spread": {"tau": 0.5}}, LAYERS[1]]},
    }
    free = assemble(config(data, **given)).mirror.to_network().weights["hidden.tau"]
    assert free.min() < 0.08
    assert free.max() > 0.12
    bounded = config(data, **given, layers={"hidden": {"bounds": bounds}})
    network = assemble(bounded).mirror.to_network()
    np.testing.assert_array_equal(network.weights["hidden.tau"], np.clip(free, 0.08, 0.12))
    assert len(np.unique(network.weights["hidden.tau"])) > 20
    assert "output.tau" in network.weights
