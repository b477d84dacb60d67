"""Keys of a file beyond Brian2's equations: the same bits in Brian2 and both mirrors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import LEAKY, SCHEDULES, model, need
from mirrors import compare, drive_of, needs_compiler
from refusals import refused

from bioae import parity, simulate
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.simulation.backend import Backend, Target
from bioae.trainers.parity import parity_network

SMALL: dict[str, Any] = {"neurons": 8, "steps": 30, "examples": 2}

EULER = {**LEAKY, "method": "euler"}

#: A spike drives three variables, of two units; the last one only counts.
SEVERAL: dict[str, Any] = {
    **EULER,
    "equations": """
    dv/dt = (-v + g_f*(4 - v) + g_s*(3 - v))/tau : 1 (unless refractory)
    dg_f/dt = -g_f/(2*ms) : 1
    dg_s/dt = -g_s/(20*ms) : 1 (unless refractory)
    count : volt
    """,
    "refractory": "3*ms",
    "input": "g_f",
    "inputs": {"g_s": "0.25", "count": "1*mV"},
}

#: Both variables that are written at an interval are kept while the neuron is refractory.
INTERVAL: dict[str, Any] = {
    **EULER,
    "equations": """
    dv/dt = -v/(10*ms) : 1 (unless refractory)
    dw/dt = -w/(40*ms) : 1 (unless refractory)
    n : integer
    """,
    "threshold": "v > 1 + w",
    "reset": "v = 0; w += 0.5",
    "run_regularly": "half = w/2; w = half; n += 1",
    "run_every": "4*ms",
    "refractory": "3*ms",
}

#: A current and a rise of the threshold, each at an interval of its own; [surrogate] names one.
TIMED: dict[str, Any] = {
    **EULER,
    "equations": """
    dv/dt = (-v + R*current)/(10*ms) : 1 (unless refractory)
    current = drive(t) : amp
    R : 1/amp (constant)
    w : 1
    """,
    "threshold": "v > 1 + lift(t)",
    "reset": "v = 0; w += lift( t )",
    "run_regularly": "w = w*drive(t)/nA",
    "refractory": "2*ms",
    "parameters": {"R": "1/nA"},
    "timed_arrays": {
        "drive": {"values": [0.25, 0.5, 1.25, 0.0, 1.5], "unit": "nA", "dt": "5*ms"},
        "lift": {"values": [0, 0.5, 0.25], "dt": "3*ms"},
    },
}

MODELS: dict[str, dict[str, Any]] = {
    "several inputs": SEVERAL,
    "several inputs and inhibition": {
        **SEVERAL,
        "equations": f"{SEVERAL['equations']}\n dg_i/dt = -g_i/(5*ms) : 1",
        "inhibition": "g_i",
    },
    "random constants": {
        **EULER,
        "equations": "dv/dt = -v/tau : 1\ntheta : 1 (constant)",
        "threshold": "v > theta",
        "reset": "v -= theta",
        "weight": "gain",
        "parameters": {
            "theta": "1 + 0.25*randn()*rand()",
            "gain": "theta/2",
            "tau": "(10 + 10*rand())*ms",
        },
    },
    "statements at an interval": INTERVAL,
    "noise at an interval": {
        **INTERVAL,
        "run_regularly": f"{INTERVAL['run_regularly']}; v += 0.25*rand()",
    },
    "timed arrays": TIMED,
    "steps and last spikes": {
        **EULER,
        "equations": """
        dv/dt = -v/(10*ms) + drive/ms : 1
        drive = 0.0625*int(t_in_timesteps % 7 < 3) : 1
        w : 1
        k : integer
        x : 1
        """,
        "threshold": "clip(v, -inf, 3) > 1 and t - lastspike > 4*ms and t_in_timesteps >= 5",
        "reset": "v = 0; w += t_in_timesteps/4; k = t_in_timesteps//3",
        "run_regularly": "x = clip(w, x, inf)",
    },
}

#: Brian2's own code for NumPy gives an array two names where a value is copied, and its C++ code
#: gives a temporary variable the type of its first value.
MODELS["copies and temporary variables"] = {
    **LEAKY,
    "equations": "dv/dt = -v/(10*ms) : 1\nw : 1\nx : 1\ny : 1\nn : 1",
    "threshold": "v > 1 + 0.25*w",
    "reset": """
    w = v
    v -= 1
    one = 1
    x = one/3
    high = v > 0.25
    high = int(high)*0.25 + 0.25
    k = 1
    k += w
    k = k*low + i*0.01
    k += high
    v = v*0.5 + 0.01*k
    """,
    "run_regularly": "former = v; v = v*0.9; y = low; y += former - v",
    "parameters": {"low": "0.125"},
    "events": {"always": {"condition": "True", "reset": "n += 1"}},
}

COUNTING: dict[str, Any] = {
    **EULER, "equations": "x : 1\ny : volt\nz : 1", "threshold": "x > z + 3", "reset": "z += 3",
    "input": "x",
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)]
)
def test_spikes_and_states_are_equal(name: str, target: Target) -> None:
    need(target)
    report = parity(model(MODELS[name]), target=target, **SMALL)
    assert report.exact
    assert report.passed
    assert report.spikes > 10
    assert report.max_state_error == 0


@pytest.mark.medium
@pytest.mark.parametrize("threshold", ["(v > 1) == True", "(v > 1) > (w > 3)"])
def test_conditions_may_be_compared(threshold: str) -> None:
    fields = {**MODELS["copies and temporary variables"], "threshold": threshold}
    report = parity(model(fields), **SMALL)
    assert report.exact
    assert report.passed
    assert report.spikes > 2


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("name", MODELS)
def test_compiled_steps_are_equal(name: str) -> None:
    """Without delays, of which a connection may have several."""
    network, _ = parity_network(model(MODELS[name]), **SMALL, seed=0)
    changes = {"recurrent": False, "autapses": False, "recurrent_delay": None, "delay": None}
    layers = tuple(each.model_copy(update=changes) for each in network.config.layers)
    config = network.config.varied(layers=layers)
    weights = {n: 2 * w for n, w in network.weights.items() if n.endswith(".weight")}
    compare(Network(config, weights), ((2 * drive_of(config)).round() / 2).requires_grad_())


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("interval", [1, 3])
def test_an_interval_is_counted_from_the_presentations_start(schedule: str, interval: int) -> None:
    fields = {
        **COUNTING, "equations": f"{COUNTING['equations']}\nn : 1",
        "run_regularly": "n += 1; y = t_in_timesteps*mV", "run_every": f"{interval}*ms",
    }  # fmt: skip
    network, images = parity_network(model(fields), **SMALL, seed=0)
    network = Network(network.config.varied(schedule=schedule), network.weights)
    step = np.arange(SMALL["steps"])
    # An interval of one step includes the lead-in.
    lead_in = schedule == "brian2" and interval == 1
    for result in (
        simulate(network, images, Backend("numpy", record=["n", "y"])),
        simulate(network, images, Backend("torch", record=["n", "y"])),
    ):
        for layer in ("first", "second"):
            states = result[f"/layers/{layer}"]
            count, last = (states[f"state_{name}"].to_numpy() for name in "ny")
            assert (count == (step // interval + 1 + lead_in)[:, None]).all()
            assert (last == 1e-3 * (step - step % interval)[:, None]).all()


@pytest.mark.parametrize("dt", ["3*ms", "0.3*ms", "5*ms"])
def test_an_interval_is_a_multiple_of_the_time_step(dt: str) -> None:
    network, _ = parity_network(model(INTERVAL), **SMALL, seed=0)
    with refused(ModelError, where="mine.toml, run_every"):
        Network(network.config.varied(dt=dt), network.weights)
    assert Network(network.config.varied(dt="0.1*ms"), network.weights).config.dt_seconds == 1e-4
