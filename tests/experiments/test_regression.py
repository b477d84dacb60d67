"""The experiment ``regression``: its data, networks, controls and errors."""

from __future__ import annotations

import numpy as np
import pytest

from bioae import simulate
from bioae.datasets import Data
from bioae.networks import Network, NetworkConfig
from bioae.simulation import Backend
from experiments.regression import (
    EXPERIMENT,
    errors,
    examples,
    pointwise,
    recipe,
    silenced,
)


def untrained(material: str) -> tuple[Network, Data]:
    """Return a network of the quick form with initial weights, and its test set."""
    train, test = examples(material, EXPERIMENT.quick, seed=0)
    tables = recipe(material, EXPERIMENT.quick, train.shape[0])["network"]
    config = NetworkConfig.from_mapping(tables, where=material)
    return Network.initialise(config, seed=0).quantised(), test


def test_points_keep_no_history() -> None:
    _, test = examples("ramberg_osgood", EXPERIMENT.quick, seed=0)
    assert test.targets is not None
    count = len(test) * test.points
    for inputs, channels in (("present", 2), ("clock", 1), ("present and clock", 3)):
        points = pointwise(test, inputs)
        assert points.targets is not None
        assert points.as_float().shape == (count, 1, channels)
        assert points.targets.shape == (count, 1)
    # The point after the first presentation is the start of the second one.
    at = test.points
    np.testing.assert_array_equal(points.as_float()[at, 0], [*test.as_float()[1, 0], 0.0])
    np.testing.assert_array_equal(points.targets[at], test.targets[1, 0])
    assert points.as_float()[at - 1, 0, 2] == 1.0


def test_errors() -> None:
    targets = np.random.default_rng(0).normal(2.0, 0.5, (6, 5, 1))
    test = Data.of_signals(np.zeros((6, 5)), targets=targets)
    mean = np.full(targets.shape, targets.mean())
    assert errors(mean, test)["error"] == pytest.approx(1.0)
    assert errors(0 * targets, test)["relative_error"] == pytest.approx(1.0)
    assert errors(1.1 * targets, test)["relative_error"] == pytest.approx(0.1)
    assert errors(targets, test) == {"error": 0.0, "relative_error": 0.0}


@pytest.mark.medium
@pytest.mark.parametrize("material", ["elasticity", "plasticity"])
def test_without_spikes_of_two_layers_the_output_depends_on_nothing(material: str) -> None:
    network, test = untrained(material)
    mute = silenced(network)
    before, after = (simulate(each, test[:4], Backend("numpy")) for each in (network, mute))
    for layer in ("first", "middle"):
        assert before[f"layers/{layer}"]["spike_count"].sum() > 0
        assert after[f"layers/{layer}"]["spike_count"].sum() == 0
    output = after["output"].to_numpy()
    assert (output == output[:1]).all()
    assert (before["output"].to_numpy() != before["output"].to_numpy()[:1]).any()
    assert errors(output, test[:4])["error"] >= 1
