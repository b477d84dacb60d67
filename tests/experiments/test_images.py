"""Experiments on images: networks by NumPy, label lines, noise on weights, and measures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense
from scipy.special import erf

from bioae.datasets import load as load_data
from bioae.networks import Network, NetworkConfig
from bioae.random import named_stream
from bioae.runs.splits import example_order, held_out
from experiments.baselines import load_baseline
from experiments.convolutional_structure import (
    EXPERIMENT,
    LENGTH,
    UNITS,
    _localisation,
    _tiling,
    run,
)
from experiments.csdp import tagged
from experiments.neural_variability import with_noise
from experiments.runner.trial import Trial

SIZES = {"train": 260, "validation": 60, "test": 50, "batch": 20, "epochs": 2}


def trial(folder: Path, condition: str, **settings: Any) -> Trial:
    chosen = {**EXPERIMENT.conditions[condition].settings, **settings}
    return Trial(condition, chosen, 3, SIZES, folder / "row", folder, "numpy")


@pytest.mark.parametrize("condition", ["relu", "erf"])
def test_the_network_against_gradient_descent_by_numpy(condition: str, tmp_path: Path) -> None:
    """The same fields in the same order, the mean squared error, and a fixed second layer."""
    found = run(trial(tmp_path, condition))
    rectified = condition == "relu"
    rng = named_stream(3, "convolutional_structure", "weights")
    weights = rng.normal(0.0, 0.1 / math.sqrt(LENGTH), (UNITS, LENGTH)).astype(np.float32)
    weights = weights.astype(float)
    biases = np.zeros(UNITS) if rectified else np.repeat([1.0, -1.0], UNITS // 2)
    train, _ = held_out(load_data(tmp_path / "row" / "data.npz", "train"), 60, 3)
    assert train.labels is not None
    own = train.labels[:, None] == np.arange(2)
    targets = np.where(own, 1.0, 0.0 if rectified else -1.0)
    np.testing.assert_array_equal(train.targets, targets)
    fixed = np.outer([1.0, -1.0], np.ones(UNITS)) / UNITS
    for epoch in (1, 2):
        order = example_order(3, epoch, len(train))
        for start in range(0, len(train), 20):
            chosen = order[start : start + 20]
            fields = train.as_float()[chosen, 0]  # type: ignore[union-attr]
            sums = fields @ weights.T + biases
            units = np.maximum(sums, 0) if rectified else erf(sums / math.sqrt(2))
            slopes = sums > 0 if rectified else np.sqrt(2 / np.pi) * np.exp(-(sums**2) / 2)
            errors = 2 * (units @ fixed.T - targets[chosen]) / (20 * 2)
            back = (errors @ fixed) * slopes
            weights -= 0.05 * UNITS * back.T @ fields
            if not rectified:
                biases -= 0.05 * UNITS * back.sum(0)
    arrays = load_baseline(tmp_path / "row/baseline/model").arrays()
    np.testing.assert_allclose(arrays["hidden.weight"], weights, rtol=1e-3, atol=1e-5)
    assert abs(weights).max() > 0.06  # they moved
    np.testing.assert_array_equal(arrays["output.weight"], fixed.astype(np.float32))
    assert ("hidden.bias" in arrays) == (not rectified)
    assert 0 <= found["discrimination"] <= 1


def test_localisation_in_closed_form() -> None:
    even, single = np.ones((3, LENGTH)), np.eye(LENGTH)[:3]
    assert _localisation(even) == pytest.approx({"median": 1 / LENGTH, "localised": 0.0})
    assert _localisation(-single) == pytest.approx({"median": 1.0, "localised": 1.0})
    five = np.repeat([[0.0, 1.0]], [35, 5], axis=1)
    assert _localisation(np.vstack([even, five]))["localised"] == 0.25
    assert _tiling(np.vstack([even, single, -single, five])) == {"places": 4, "eighths": 2}
    gaussian = np.random.default_rng(0).normal(size=(4000, LENGTH))
    # E w^4 / (n (E w^2)^2) = 3/n, up to terms in 1/n^2.
    assert _localisation(gaussian)["median"] == pytest.approx(3 / LENGTH, rel=0.15)


def test_noise_moves_connections_only_and_stays_on_the_grid() -> None:
    layers = [dense("hidden", 40, bias=True), dense("output", shape=[1, 6, 6])]
    config = NetworkConfig.from_mapping(
        {"input_shape": [1, 6, 6], "steps": 4, "layers": layers}, where="test"
    )
    network = Network.initialise(config, seed=0).quantised()
    noisy = with_noise(network, 0.05, seed=1)
    assert (noisy.weights["hidden.bias"] == network.weights["hidden.bias"]).all()
    for name in ("hidden.weight", "output.weight"):
        difference = noisy.weights[name] - network.weights[name]
        assert difference.std() == pytest.approx(0.05, rel=0.1)
        assert (difference * 2**12 == np.round(difference * 2**12)).all()
    again, other = (with_noise(network, 0.05, seed=seed).weights for seed in (1, 2))
    assert (again["hidden.weight"] == noisy.weights["hidden.weight"]).all()
    assert (other["hidden.weight"] != noisy.weights["hidden.weight"]).any()


def test_label_lines_are_a_row_on_top() -> None:
    images = named_stream(1, "images").random((3, 1, 28, 28))
    found = tagged(images, np.array([0, 9, 4]))
    np.testing.assert_array_equal(found[:, :, 1:], images)
    assert [tuple(each) for each in np.argwhere(found[:, 0, 0])] == [(0, 0), (1, 9), (2, 4)]
    assert not tagged(images)[:, :, 0].any()
