"""The unit of weight of a neuron model, which may contain the time step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import COBA, SCHEDULES, dense, drawn, model, pictures
from refusals import refused

from bioae import simulate
from bioae.equations import NeuronModel, lower
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.responses import rate_curve

PULSES: dict[str, Any] = {
    "description": "A spike is a pulse of current of one step.",
    "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > 1",
    "reset": "v = 0",
    "method": "exact",
    "input": "v",
    "parameters": {"tau": "20*ms"},
    "trainable": {"tau": ["5*ms", "50*ms"]},
}


def pulses(weight: str, **changes: Any) -> NeuronModel:
    return model({**PULSES, "weight": weight, **changes}, "pulses")


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


def network(weight: str, schedule: str) -> Network:
    """Neurons of pulses, and of conductances whose unit of weight is replaced in the layer."""
    return drawn(
        dense("hidden", 9, neuron="pulses"),
        dense("output", shape=[1, 4, 4], neuron="coba", weight="40*dt/tau", gain=8.0),
        input_shape=[1, 4, 4], steps=20, schedule=schedule, dt="0.5*ms",
        neurons={"pulses": {**PULSES, "weight": weight}, "coba": COBA},
    )  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_mirror_equals_brian2(schedule: str) -> None:
    described = network("20*dt/tau", schedule)
    images = pictures(3, 4, 4)
    mirror, brian = simulate(described, images, "torch"), simulate(described, images, "numpy")
    number = simulate(network("0.5", schedule), images, "numpy")
    for name in ("hidden", "output"):
        assert float((brian[f"layers/{name}/spike_count"].sum("example") > 0).mean()) >= 0.5
        for other in (mirror, number):
            xr.testing.assert_identical(
                brian[f"layers/{name}"].to_dataset(), other[f"layers/{name}"].to_dataset()
            )


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
        lower(pulses("1", **{key: {**PULSES.get(key, {}), name: text}}))
