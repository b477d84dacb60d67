"""Pooling, biases, spread and weights of dt in one network: the mirror and every target agree."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import COBA, SCHEDULES, conv, dense, described, need, pictures

from bioae import simulate
from bioae.networks import Network
from bioae.random import stream
from bioae.simulation.backend import Backend, Connectivity, Target

IMAGES = pictures(3, 2, 8, 8)

#: Conductances that a refractory neuron does not receive.
REFRACTORY = {
    **COBA,
    "equations": COBA["equations"].replace("g_e/tau_e : 1", "g_e/tau_e : 1 (unless refractory)"),
    "refractory": "3*ms",
    "weight": "0.25",
}
#: A spike is a pulse of one step, which is lost while the neuron is refractory.
PULSES = {
    "description": "Pulses.",
    "equations": "dv/dt = -v/tau : 1 (unless refractory)",
    "threshold": "v > theta",
    "reset": "v = 0",
    "refractory": "2*ms",
    "method": "exact",
    "input": "v",
    "weight": "10*dt/tau",
    "parameters": {"tau": "20*ms", "theta": "1"},
}


@cache
def combined(schedule: str) -> Network:
    """Every kind of layer that pools, and biases of both signs in neurons of three models."""
    config = described(
        conv("conv", 4, 3, bias=True, neuron="coba", gain=4.0),
        {"kind": "avg_pool2d", "name": "average", "kernel": 3, "stride": 2, "padding": 1,
         "weight": "4", "bias": True, "delay": "1*ms"},
        {"kind": "sum_pool2d", "name": "sum", "kernel": 2, "stride": 1, "weight": "0.5",
         "recurrent": True, "initial": "orthogonal", "recurrent_gain": 0.5},
        dense("output", shape=[2, 8, 8], initial="orthogonal", gain=6.0, bias=True,
              neuron="pulses", spread={"tau": 0.3, "theta": ["0.5", "1.5"]}),
        input_shape=[2, 8, 8], steps=15, schedule=schedule,
        neurons={"coba": REFRACTORY, "pulses": PULSES},
    )  # fmt: skip
    network = Network.initialise(config, seed=1).quantised()
    biases = {
        name: stream(7, key).integers(-1000, 2000, network.weights[name].shape) / 4096
        for key, name in enumerate(("conv.bias", "average.bias", "output.bias"))
    }
    return Network(config, {**network.weights, **biases})


@cache
def mirrored(schedule: str) -> xr.DataTree:
    return simulate(combined(schedule), IMAGES, Backend("torch", record=["v", "g_e", "g_i"]))


def assert_same(result: xr.DataTree, schedule: str) -> None:
    expected = mirrored(schedule)
    for name, layer in expected.children["layers"].children.items():
        counts = layer["spike_count"]
        assert float((counts.sum("example") > 0).mean()) > 0.5, name
        xr.testing.assert_identical(result[f"/layers/{name}"].to_dataset(), layer.to_dataset())
    assert float(abs(expected["reconstruction"]).max()) > 0
    xr.testing.assert_equal(result["reconstruction"], expected["reconstruction"])


@pytest.mark.parametrize("connectivity", ["shared", "unrolled"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_numpy(schedule: str, connectivity: Connectivity) -> None:
    backend = Backend("numpy", connectivity=connectivity, record=["v", "g_e", "g_i"])
    assert_same(simulate(combined(schedule), IMAGES, backend), schedule)


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize(
    ("target", "schedule", "connectivity"),
    [
        ("cpp_standalone", "brian2", "shared"),
        ("cpp_standalone", "paper", "unrolled"),
        pytest.param("cpp_standalone", "paper", "shared", marks=pytest.mark.slow),
        pytest.param("cython", "brian2", "shared", marks=pytest.mark.slow),
    ],
)
def test_compiled(target: Target, schedule: str, connectivity: Connectivity) -> None:
    need(target)
    backend = Backend(target, connectivity=connectivity, record=["v", "g_e", "g_i"])
    assert_same(simulate(combined(schedule), IMAGES, backend), schedule)


# Biases in closed form

#: A perfect integrator, which loses input while it is refractory.
COUNTER = {
    "description": "Counts its input.",
    "equations": "dv/dt = 0/ms : 1 (unless refractory)",
    "method": "euler",
    "threshold": "v >= 1",
    "reset": "v = 0",
    "refractory": "2*ms",
    "input": "v",
}
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
