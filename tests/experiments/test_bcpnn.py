"""The experiment `bcpnn`: its measures by closed forms, and what its conditions differ in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.bcpnn import EXPERIMENT, RINGS, _places, _readouts, _use


def flat(tables: Any, prefix: str = "") -> dict[str, Any]:
    """Return tables of tables as keys with dots."""
    found = {}
    for key, value in tables.items():
        found |= (
            flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


@pytest.mark.parametrize(
    ("condition", "reference", "keys"),
    [
        ("fixed", "learned", {"tables.structure.swaps"}),
        ("shuffled", "learned", {"kind"}),
        ("untrained", "learned", {"kind", "scale"}),
        ("untrained-weak", "untrained", {"scale"}),
        ("no-bias", "learned", {"tables.network.bias_gain"}),
        ("noisy-start", "learned", {"tables.network.counts"}),
        ("noisy-start-fixed", "noisy-start", {"tables.structure.swaps"}),
        ("large", "learned", {"tables.network.hypercolumns", "tables.network.minicolumns"}),
        ("large-fixed", "large", {"tables.structure.swaps"}),
    ],
)
def test_conditions_differ_as_they_say(condition: str, reference: str, keys: set[str]) -> None:
    one, other = (flat(EXPERIMENT.conditions[name].settings) for name in (condition, reference))
    assert len(other) > 8
    assert {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)} == keys


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
