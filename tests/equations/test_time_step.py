"""The time step of a neuron model: in its unit of weight, and the largest that it allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import dense, described, model
from refusals import refused

from bioae.equations import NeuronModel, load_neuron, lower
from bioae.errors import ModelError, NetworkError
from bioae.networks import NetworkConfig
from bioae.responses import rate_curve
from bioae.trainers.parity import parity_network

LIF = {**load_neuron("lif").to_mapping(), "parameters": {"tau": "20*ms", "theta": "1"}}
FAST: dict[str, Any] = {**LIF, "description": "A neuron of short steps.", "dt": "0.2*ms"}


def pulses(weight: str, **changes: Any) -> NeuronModel:
    """Return a neuron to which a spike adds a weight."""
    return model({**LIF, "weight": weight, **changes}, "pulses")


@pytest.mark.parametrize(("dt", "number"), [("1*ms", "0.05"), ("0.5*ms", "0.025")])
def test_dt_is_the_time_step_of_the_network(dt: str, number: str) -> None:
    drives = np.linspace(0.0, 60.0, 13)
    found = rate_curve(pulses("dt/tau"), drives, dt=dt)
    assert float(found.max()) > 100
    xr.testing.assert_identical(found, rate_curve(pulses(number), drives, dt=dt))


@pytest.mark.medium
def test_a_constant_current_has_the_same_effect_in_steps_of_any_length() -> None:
    # A mean input of 2 per time constant: ln 2 of it to the threshold.
    expected = 1 / (0.02 * np.log(2))
    rates = [
        float(rate_curve(pulses("dt/tau"), [2.0], dt=dt, duration="2*second")[0])
        for dt in ("1*ms", "0.25*ms", "0.05*ms")
    ]
    assert rates == pytest.approx([expected] * 3, rel=0.2)
    assert rates[-1] == pytest.approx(expected, abs=1)  # a spike more or less, and the steps


@pytest.mark.parametrize(
    ("weight", "name"),
    [
        ("dt", "'dt'"),
        ("dt/tau*mV", "volt"),
        ("t/tau", "'t'"),
        ("0*dt/tau", "0*dt/tau"),
        ("dt/tau > 1", "'dt / tau > 1' is not a constant"),
    ],
)
def test_refused(weight: str, name: str) -> None:
    with refused(ModelError, name, where="pulses.toml, weight"):
        lower(pulses(weight))


@pytest.mark.parametrize("key", ["parameters", "initial"])
def test_other_constants_do_not_know_the_time_step(key: str) -> None:
    name, text = ("tau", "20*dt") if key == "parameters" else ("settle", "20*dt")
    with refused(ModelError, "'dt'"):
        lower(pulses("1", **{key: {**LIF.get(key, {}), name: text}}))


def network(dt: str, neuron: dict[str, Any] = FAST) -> NetworkConfig:
    fields = {"dt": dt, "neuron": "fast", "neurons": {"fast": neuron}}
    return described(dense("only", 2), where="a network", input_shape=[1, 1, 2], **fields)


@pytest.mark.parametrize("dt", ["0.2*ms", "0.1*ms", "200*usecond"])
def test_a_shorter_step_is_accepted(dt: str) -> None:
    assert network(dt).placed[0].model.dt == "0.2*ms"


def test_a_longer_step_is_refused_in_one_line() -> None:
    names = ("'fast'", "'only'", "at most 0.2*ms", "1*ms", 'dt = "0.2*ms"')
    with refused(NetworkError, *names) as caught:
        _ = network("1*ms").placed
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dt", ["0.1", "-1*ms", "1*mV", "fast"])
def test_the_largest_step_must_be_a_time(dt: str) -> None:
    with refused(ModelError, where="fast.toml, dt"):
        lower(model(FAST, "fast", dt=dt))


def test_parity_runs_at_it() -> None:
    result, _ = parity_network(model(FAST, "fast"), neurons=4, steps=20, examples=1, seed=0)
    assert result.config.dt_seconds == pytest.approx(2e-4)
