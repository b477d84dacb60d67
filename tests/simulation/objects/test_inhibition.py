"""Separate inhibition: sums of each sign, and what reads their difference."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
import xarray as xr
from builders import SCHEDULES, pictures
from network_cases import COUNTER, READOUT, inhibited
from refusals import refused

from bioae import simulate
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError
from bioae.simulation.backend import Backend

IMAGES = pictures(3, 1, 2, 2)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_excitation_and_inhibition_are_the_sums_of_weights_by_sign(schedule: str) -> None:
    counting = inhibited(schedule)
    brian = simulate(counting, IMAGES, Backend("numpy", record=["n_e", "n_i"]))
    events = np.rint(0.2 * IMAGES * 2**12) / 2**12
    kernel = counting.weights["a.weight"].reshape(3, 4)
    assert (kernel > 0).any()
    assert (kernel < 0).any()
    # Brian2's order has added the next step's input too, but for the last step's.
    count = np.minimum(np.arange(12) + (2 if schedule == "brian2" else 1), 12)
    for state, weights in (("n_e", np.maximum(kernel, 0)), ("n_i", np.maximum(-kernel, 0))):
        each = 2.0 * events.reshape(3, 4) @ weights.T
        actual = brian[f"/layers/a/state_{state}"].to_numpy()
        np.testing.assert_allclose(actual, each[:, None] * count[:, None], rtol=1e-14)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_potential_without_inhibition_gets_the_difference(schedule: str) -> None:
    plain = inhibited(schedule)
    separate = {**READOUT, "equations": "u : 1\nd : 1", "inhibition": "d"}
    decoded = []
    for adding in (plain, inhibited(schedule, readout=separate)):
        mirror = simulate(adding, IMAGES, "torch")
        brian = simulate(adding, IMAGES, "numpy")
        xr.testing.assert_equal(brian["reconstruction"], mirror["reconstruction"])
        decoded.append(mirror["reconstruction"].to_numpy())
    # One adds both signs, the other has a variable for each: more arrives at `u`.
    assert (decoded[1] >= decoded[0]).all()
    assert (decoded[1] > decoded[0]).any()


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"inhibition": "g"}, ("counter.toml, inhibition", "'g'")),
        ({"inhibition": "n_e"}, ("inhibition", "input")),
        ({"equations": "n_e : 1\nn_i : volt\nx : 1"}, ("counter.toml, inhibition", "unit")),
    ],
)
def test_refused_inhibition(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    with refused(ModelError, *names):
        lower(builders.model(COUNTER, "counter", **changes))
