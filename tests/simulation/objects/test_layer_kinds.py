"""Biases in closed form, and pathways without connections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import conv, dense, described

from bioae import simulate
from bioae.networks import Network
from bioae.simulation.backend import Backend, Connectivity

#: A perfect integrator, which loses input while it is refractory.
COUNTER = {
    "description": "Counts its input.", "equations": "dv/dt = 0/ms : 1 (unless refractory)",
    "method": "euler", "threshold": "v >= 1", "reset": "v = 0", "refractory": "2*ms", "input": "v",
}  # fmt: skip
#: The potential U of `COUNTER`: the sum of its input.
TOTAL = {"description": "Sums its input.", "equations": "u : 1", "input": "u"}


def silent(bias: float, schedule: str, **fields: Any) -> Network:
    """A neuron without any input but its bias."""
    config = described(
        dense("only", shape=[1, 1, 1], bias=True, readout="total", **fields),
        input_shape=[1, 1, 1], steps=10, schedule=schedule, decoder={"kind": "last", "scale": 1.0},
        neuron="counter", neurons={"counter": COUNTER, "total": TOTAL},
    )  # fmt: skip
    return Network(config, {"only.weight": np.zeros((1, 1)), "only.bias": np.array([bias])})


@pytest.mark.medium
@pytest.mark.parametrize(("schedule", "lead_in"), [("paper", 0), ("brian2", 1)])
def test_a_bias_acts_in_every_step_and_in_the_lead_in(schedule: str, lead_in: int) -> None:
    network = silent(1 / 16, schedule)
    black = np.zeros((2, 1, 1))
    mirror = simulate(network, black, Backend("torch", record=["v"]))
    result = simulate(network, black, Backend("numpy", record=["v"]))
    for each in (mirror, result):
        layer = each["layers/only"]
        expected = (np.arange(1, 11) + lead_in) / 16
        assert layer["state_v"].to_numpy()[:, :, 0].tolist() == [expected.tolist()] * 2
        assert not layer["spike_count"].any()
        assert each["reconstruction"].to_numpy().ravel().tolist() == [(10 + lead_in) / 16] * 2


@pytest.mark.medium
@pytest.mark.parametrize(
    ("schedule", "fires", "total"),
    # Two biases reach the threshold: those of steps 0 and 1, 4 and 5, and 8 and 9; in `brian2`
    # those of steps -1 and 0, 3 and 4, and 7 and 8.
    [("paper", [1, 5, 9], 10 / 2), ("brian2", [1, 5, 9], 11 / 2)],
)
def test_a_refractory_neuron_loses_its_bias_and_u_does_not(
    schedule: str, fires: list[int], total: float
) -> None:
    network = silent(0.5, schedule)
    black = np.zeros((1, 1, 1))
    for each in (simulate(network, black, "torch"), simulate(network, black, "numpy")):
        times = each["layers/only"]["spike_time_ms"].to_numpy()
        assert np.rint(times).astype(int).tolist() == fires
        assert each["reconstruction"].item() == total


# Changes of a network


def test_finer_steps_keep_the_bias_per_millisecond() -> None:
    network = silent(1 / 16, "paper").in_finer_steps(4)
    assert network.weights["only.bias"].tolist() == [1 / 64]
    result = simulate(network, np.zeros((1, 1, 1)), "numpy")
    assert result["reconstruction"].item() == 10 / 16


def one_neuron(**fields: Any) -> Network:
    first = dense("first", 1, gain=4.0, recurrent=True, **fields)
    return Network.initialise(
        described(first, dense("output", shape=[1, 2, 2]), input_shape=[1, 2, 2], steps=20), seed=0
    )


DILATED = described(
    conv("first", 1, 2, dilation=3, padding=2), dense("output", shape=[1, 1, 1]),
    input_shape=[1, 1, 1], steps=20,
)  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("connectivity", ["shared", "unrolled"])
@pytest.mark.parametrize(
    "network",
    [one_neuron(), one_neuron(recurrent_delay=["1*ms", "3*ms"]), Network.initialise(DILATED)],
    ids=["recurrent", "delays", "dilated"],
)
def test_a_pathway_may_have_no_connections(network: Network, connectivity: Connectivity) -> None:
    images = np.ones((2, *network.config.input_shape))
    found = simulate(network, images, Backend("numpy", connectivity=connectivity))
    mirror = simulate(network, images, "torch")
    for name in ("first", "output"):
        pair = [each[f"layers/{name}"]["spike_time_ms"].to_numpy() for each in (found, mirror)]
        np.testing.assert_array_equal(*pair)
