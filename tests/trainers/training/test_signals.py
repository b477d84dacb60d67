"""From signals in a file to a trained network, its simulation and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_arrays
from numpy.typing import NDArray
from refusals import refused

import bioae
from bioae import simulate, simulate_to
from bioae.analysis import accuracy, open_result
from bioae.datasets import Data, load
from bioae.errors import DataError
from bioae.networks import artefact
from bioae.simulation import Backend
from bioae.simulation.presentations import Presentations
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.training import assemble

STEPS = 20


def rising_and_falling(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return ramps (example, time, 1) of class 0 upward and of class 1 downward, anywhere."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    slopes = rng.uniform(0.05, 0.15, (count, 1)) * np.where(labels, -1, 1)[:, None]
    ramps = rng.uniform(-5, 5, (count, 1)) + slopes * np.arange(STEPS)
    return ramps[..., None], labels


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arrays: dict[str, Any] = {}
    for split, count in (("train", 120), ("test", 40)):
        arrays[f"signals_{split}"], arrays[f"labels_{split}"] = rising_and_falling(count, count)
    return write_arrays(tmp_path_factory.mktemp("data") / "ramps.h5", **arrays)


def config(file: Path, **network: Any) -> TrainingConfig:
    fields: dict[str, Any] = {
        "input_shape": [1], "steps": STEPS, "task": {"kind": "classification", "classes": 2},
        "encoder": {"kind": "level_crossing", "delta": 0.2}, "decoder": {"kind": "mean"},
        "latent": "output", "layers": [{"kind": "dense", "name": "output", "units": 2}], **network,
    }  # fmt: skip
    training = {
        "epochs": 6, "batch_size": 20, "threads": 1, "learning_rate": 0.05,
        "derivative": "fast_sigmoid", "compile": False,
    }  # fmt: skip
    return TrainingConfig.from_mapping(
        {"data": {"name": str(file)}, "network": fields, "training": training}
    )


@pytest.mark.medium
def test_the_direction_of_a_ramp_is_learnt_and_reported(file: Path, tmp_path: Path) -> None:
    result = bioae.train(config(file), out=tmp_path / "run")
    assert result.records[-1]["validation_accuracy"] > 0.9
    network = artefact.load(result.model).network
    held_out = load(file, "test")
    simulate_to(tmp_path / "ramps.nc", network, held_out, Backend("numpy", chunk=16))
    simulated = open_result(tmp_path / "ramps.nc")
    mirrored = simulate(network, held_out, "torch")
    np.testing.assert_array_equal(simulated["output"], mirrored["output"])
    np.testing.assert_array_equal(simulated["input"], rising_and_falling(40, 40)[0])
    assert float(accuracy(simulated)["accuracy"]) == pytest.approx(
        result.records[-1]["validation_accuracy"]
    )
    bioae.analyze([tmp_path / "ramps.nc"], out=tmp_path / "report")
    figures = {path.name for path in (tmp_path / "report" / "figures").iterdir()}
    assert {"signals.svg", "confusion.svg"} <= figures
    assert not {"fields.svg", "transfer.svg"} & figures


@pytest.mark.parametrize(
    "encoder",
    [
        {"kind": "frames"},
        {"kind": "frames", "random": True},
        {"kind": "population", "neurons": 5, "low": -8.0, "high": 8.0},
    ],
    ids=str,
)
def test_training_and_simulation_encode_the_same(file: Path, encoder: dict[str, Any]) -> None:
    problem = assemble(config(file, encoder=encoder))
    images = problem.data.train[:7]
    batch = problem.batch(images, seed=5)
    presented = Presentations.of(problem.config.network, images, seed=5)
    assert batch.drive.count_nonzero() > 10
    np.testing.assert_array_equal(batch.drive.numpy(), presented.drive())


def test_events_are_trained_on(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).poisson(0.3, (24, STEPS, 3))
    addresses = Data.of_frames(frames).values
    path = write_arrays(
        tmp_path / "events.npz", event_example=addresses.example, event_step=addresses.time,
        event_channel=addresses.channel, channels=3, labels=np.arange(24) % 2,
    )  # fmt: skip
    problem = assemble(config(path, input_shape=[3], encoder={"kind": "frames"}))
    chosen = problem.data.train[10:13]
    drive = problem.batch(chosen, seed=0).drive
    np.testing.assert_array_equal(drive.numpy(), frames[chosen.indices].swapaxes(0, 1))


def test_signals_of_another_length_are_refused_before_training(file: Path) -> None:
    with refused(DataError, "ramps.h5", "10", str(STEPS)):
        assemble(config(file, steps=10))
