"""Separate inhibition: sums of each sign, and the mirror's spikes on every target."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
import xarray as xr
from builders import SCHEDULES, conv, dense, described, pictures
from refusals import refused

from bioae import simulate
from bioae.analysis import differing_spikes, is_alive
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.simulation.backend import Backend

#: Adds up what arrives, and fires when the difference is 2; what it counted stays.
COUNTER: dict[str, Any] = {
    "description": "Counts excitation and inhibition.",
    "equations": "n_e : 1\nn_i : 1\nx : 1",
    "threshold": "n_e - 2*n_i > x + 1.5",
    "reset": "x += 1",
    "input": "n_e",
    "inhibition": "n_i",
    "weight": "2",
}
READOUT: dict[str, Any] = {"description": "Adds up.", "equations": "u : 1", "input": "u"}


def network(
    schedule: str, *, readout: dict[str, Any] = READOUT, encoder: str = "constant_current"
) -> Network:
    config = described(
        conv("a", 3, 2, readout="total"),
        dense("b", shape=[1, 2, 2], recurrent=True, readout="total"),
        input_shape=[1, 2, 2], steps=12, schedule=schedule, encoder={"kind": encoder},
        decoder={"kind": "last"}, neuron="counter",
        neurons={"counter": COUNTER, "total": readout},
    )  # fmt: skip
    weights = {n: 4.0 * w for n, w in Network.initialise(config, seed=3).weights.items()}
    weights["a.weight"] += 1.0
    return Network(config, weights).quantised()


IMAGES = pictures(3, 1, 2, 2)


@pytest.mark.parametrize(
    ("schedule", "encoder"), [("brian2", "bernoulli"), ("paper", "constant_current")]
)
def test_mirror_equals_brian2(schedule: str, encoder: str) -> None:
    counting = network(schedule, encoder=encoder)
    mirror = simulate(counting, IMAGES, Backend("torch", record=["n_e", "n_i"]))
    brian = simulate(counting, IMAGES, Backend("numpy", record=["n_e", "n_i"], chunk=2))
    assert differing_spikes(brian, mirror)["differing"].values.tolist() == [0, 0]
    for layer in ("a", "b"):
        assert float(is_alive(brian, layer).mean()) >= 0.5
        for state in ("state_n_e", "state_n_i"):
            actual, expected = brian[f"/layers/{layer}"][state], mirror[f"/layers/{layer}"][state]
            assert float(expected.max()) > 0
            assert float(expected.min()) >= 0
            xr.testing.assert_equal(actual, expected)
    xr.testing.assert_equal(brian["reconstruction"], mirror["reconstruction"])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_excitation_and_inhibition_are_the_sums_of_weights_by_sign(schedule: str) -> None:
    counting = network(schedule)
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


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_potential_without_inhibition_gets_the_difference(schedule: str) -> None:
    plain = network(schedule)
    separate = {**READOUT, "equations": "u : 1\nd : 1", "inhibition": "d"}
    decoded = []
    for adding in (plain, network(schedule, readout=separate)):
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
