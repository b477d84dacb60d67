"""The experiment `bcpnn`: its measures by closed forms, and what its conditions differ in."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.bcpnn import RINGS, _places, _readouts, _use


def test_places_of_all_pixels_and_of_the_corners() -> None:
    every = np.ones((3, 784), bool)
    found = _places(every, 28, 28)
    places = np.arange(28) - 13.5
    assert found["radius"] == pytest.approx(np.hypot(places[:, None], places).mean(), rel=1e-12)
    assert (found["fan_out"], found["pixels"]) == (3, 1.0)
    assert [found[f"ring{each}"] for each in range(len(RINGS) + 1)] == [3.0] * (len(RINGS) + 1)
    corners = np.zeros((2, 784), bool)
    corners[:, [0, 27, 756, 783]] = True
    found = _places(corners, 28, 28)
    assert found["radius"] == pytest.approx(13.5 * np.sqrt(2), rel=1e-12)
    assert found["ring0"] == 0.0 < found[f"ring{len(RINGS)}"]


def test_read_outs_of_the_class_itself_and_of_noise() -> None:
    rng = np.random.default_rng(0)
    labels = {split: rng.integers(0, 10, 400) for split in ("train", "test")}
    classes = {split: np.eye(10)[each] for split, each in labels.items()}
    found = _readouts(classes, labels)
    assert found["accuracy"] == found["logistic"] == 1.0
    noise = {split: rng.normal(size=(400, 5)) for split in labels}
    assert _readouts(noise, labels)["accuracy"] < 0.2


def test_use_of_minicolumns() -> None:
    activity = np.zeros((10, 1, 4))
    activity[:, 0, 1], activity[:, 0, 2] = 0.75, 0.25
    found = _use(activity)
    assert found == {"sharpness": 0.75, "used": 0.5}
