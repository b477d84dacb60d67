"""Tasks: sizes of outputs, targets of examples, and what is refused."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from builders import dense, described

from bioae.datasets import Data
from bioae.networks import Network, NetworkConfig, artefact
from bioae.networks.tasks import (
    Classification,
    LossName,
    Reconstruction,
    Regression,
    Representation,
    ScoreName,
    Sequence,
)

TASKS = (Reconstruction, Classification, Regression, Sequence, Representation)
CLASSES = {"kind": "classification", "classes": 3}
NUMBERS = {"kind": "regression", "outputs": 3}
TRACE = {"kind": "sequence", "outputs": 3}
EACH_STEP = {"kind": "trajectory"}


def network(units: int = 3, **fields: Any) -> NetworkConfig:
    return described(dense("last", units), input_shape=[1, 2, 2], steps=5, **fields)


def examples(labels: Any = None, targets: Any = None) -> Data:
    pixels = np.zeros((2, 1, 2, 2))
    return Data.of_images(pixels, labels=labels, name="zeros", split="test", targets=targets)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"task": CLASSES}, (3,)),
        ({"task": NUMBERS}, (3,)),
        ({"task": TRACE, "decoder": EACH_STEP}, (5, 3)),
        ({"units": 4}, (1, 2, 2)),
        ({"task": {"kind": "representation", "outputs": 3}}, (3,)),
        ({"units": 6, "task": CLASSES, "decoder": {"kind": "population", "neurons": 2}}, (3,)),
    ],
)
def test_shapes_of_outputs(fields: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert network(**fields).output_shape == shape


def test_the_scale_of_an_auto_encoder_alone_follows_the_encoder() -> None:
    encoder = {"kind": "bernoulli", "rate": 0.4}
    assert network(4, encoder=encoder).default_scale == pytest.approx(0.4 * 5)
    assert network(task=NUMBERS, encoder=encoder).default_scale == 1.0


@pytest.mark.parametrize(
    ("decoder", "scale"),
    [
        ({"kind": "summed_softmax"}, 3.0),
        ({"kind": "first_spike", "scale": 2.0}, 6.0),
        ({"kind": "count"}, 1.0),
        ({"kind": "mean", "scale": 2.0}, 2.0),
    ],
)
def test_sums_over_steps_stay_the_same_in_finer_steps(
    decoder: dict[str, Any], scale: float
) -> None:
    finer = Network.initialise(network(task=NUMBERS, decoder=decoder)).in_finer_steps(3).config
    assert finer.steps == 15
    assert (finer.decoder.scale or finer.default_scale) == scale


def test_an_artefact_holds_the_task(tmp_path: Any) -> None:
    for task in (CLASSES, NUMBERS):
        before = Network.initialise(network(task=task))
        artefact.save(before, tmp_path / "model", overwrite=True)
        after = artefact.load(tmp_path / "model").network
        assert after.config.to_mapping()["task"] == task
        assert after.sha256 == before.sha256
    assert "task" not in network(4).to_mapping()  # as in descriptions older than tasks


def test_targets() -> None:
    labels, values, traces = np.array([2, 0]), np.ones((2, 3)), np.ones((2, 5, 3))
    known = examples(labels, values)
    assert Reconstruction().target_of(known, 5).shape == (2, 1, 2, 2)
    assert Classification(classes=3).target_of(known, 5) is known.labels
    assert Regression(outputs=3).target_of(known, 5) is known.targets
    in_time = examples(None, traces)
    assert Sequence(outputs=3).target_of(in_time, 5) is in_time.targets


def test_names_of_losses_and_scores_are_used() -> None:
    assert {name for task in TASKS for name in task.losses} == set(get_args(LossName))
    assert {name for task in TASKS for name in task.scores} == set(get_args(ScoreName))
    assert all(set(task.scores.values()) <= {"lower", "higher"} for task in TASKS)
