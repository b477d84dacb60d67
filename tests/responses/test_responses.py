"""Responses of neuron models against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import builders
import numpy as np
import pytest
from brian2 import ms

from bioae import Network, NetworkConfig
from bioae.equations import NeuronModel, load_neuron
from bioae.errors import InputError, ModelError
from bioae.exchange.nir.populations import model_of
from bioae.responses import (
    drive_range,
    rate_curve,
    rheobase,
    step_error,
    step_response,
    time_constant,
)


def model(**changes: Any) -> NeuronModel:
    return builders.model(load_neuron("lif").to_mapping(), **changes)


MILLIVOLTS = model(
    equations="dv/dt = (v_rest - v)/tau : volt", threshold="v > theta", reset="v = v_rest",
    weight="2*mV", parameters={"tau": "10*ms", "theta": "-50*mV", "v_rest": "-65*mV"},
    initial={"v": "v_rest"}, trainable={},
)  # fmt: skip


def test_the_rheobase_of_a_neuron_that_diverges_is_almost_zero() -> None:
    diverging = model(method="euler", parameters={"tau": "0.4*ms", "theta": "1"})
    assert 0 < rheobase(diverging, dt="1*ms") < 1e-12
    assert rheobase(SILENT, dt="1*ms") == np.inf


def test_the_f_i_curve_of_the_lif_counts_inputs_to_the_threshold() -> None:
    """In Brian2's order it takes n inputs from reset to threshold, and one step more."""
    drives, leak = np.array([0.02, 0.06, 0.11, 0.3, 0.7]), np.exp(-1 / 20)
    lif = model(parameters={"tau": "20*ms", "theta": "1"})
    rate = rate_curve(lif, drives, dt="1*ms", duration="1*second", discard="0*ms")
    needed = 1 - (1 - leak) / (drives * leak)
    inputs = np.floor(np.log(np.where(needed > 0, needed, np.nan)) / np.log(leak)) + 1
    spikes = np.where(needed > 0, (1000 - 1 - inputs) // (inputs + 1) + 1, 0)
    np.testing.assert_array_equal(rate, spikes)
    assert spikes[0] == 0 < spikes[1] < spikes[-1]


def test_a_curve_per_millisecond_does_not_depend_on_the_time_step() -> None:
    """And it is that of the continuous LIF: 1/(tau ln(I/(I - theta)))."""
    drives = np.array([0.08, 0.2, 0.5])  # in units of theta / ms
    closed = 1e3 / (20 * np.log(drives * 20 / (drives * 20 - 1)))
    lif = model(parameters={"tau": "20*ms", "theta": "1"})
    errors = []
    for dt in ("0.2*ms", "0.02*ms"):
        curve = rate_curve(
            lif, drives, dt=dt, duration="0.6*second", discard="0.1*second", per="ms"
        )
        errors.append(np.abs(curve / closed - 1).max())
    assert (curve.attrs["units"], curve["drive"].attrs["units"]) == ("Hz", "1/ms")
    assert errors[1] < 0.02 < errors[0] < 0.2


def test_the_range_of_drives_follows_the_closed_form() -> None:
    lif = model(parameters={"tau": "20*ms", "theta": "1"})
    low, high = drive_range(lif, dt="0.1*ms", per="ms")
    # Its rheobase is theta/tau; at 100 Hz theta / (tau (1 - exp(-10 ms / tau))).
    assert low == pytest.approx(1 / 20, rel=0.02)
    assert high == pytest.approx(1 / (20 * (1 - np.exp(-0.5))), rel=0.03)
    assert rheobase(lif, dt="0.1*ms", per="ms") == low


def test_by_default_a_curve_spans_the_rates_of_the_neuron() -> None:
    curve = rate_curve(model(), dt="1*ms", duration="500*ms", discard="0*ms")
    assert curve.sizes["drive"] == 61
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(100, rel=0.1)
    assert (np.diff(curve) >= 0).all()


def test_a_step_of_drive_charges_the_membrane() -> None:
    actual = step_response(MILLIVOLTS, 0.5, dt="1*ms", before="5*ms", during="30*ms", after="10*ms")
    leak, v = np.exp(-1 / 10), actual["state_v"]
    assert v.attrs["units"] == "volt"
    assert (actual.sizes["time"], actual["time"].attrs["units"]) == (45, "ms")
    np.testing.assert_allclose(v[:5], -65e-3, rtol=1e-12)
    n = np.arange(30)
    np.testing.assert_allclose(v[5:35], -65e-3 + 1e-3 * (1 - leak ** (n + 1)) / (1 - leak))
    np.testing.assert_allclose(v[35:] + 65e-3, (float(v[34]) + 65e-3) * leak ** np.arange(1, 11))
    assert not actual["spike"].any()
    np.testing.assert_array_equal(actual["drive"], np.repeat([0, 0.5, 0], [5, 30, 10]))


@pytest.mark.parametrize(("tau", "k"), [("1*ms", 1.0), ("2*ms", 0.5)])
def test_the_error_of_a_step_of_euler_has_its_closed_form(tau: str, k: float) -> None:
    parameters = {"tau": tau, "theta": "1"}
    assert step_error(model(parameters=parameters), 0.5, "1*ms") < 1e-12  # exact
    n = np.arange(22)
    coarse, fine = ((1 - k / parts) ** (parts * n) for parts in (1, 4))
    expected = np.abs((coarse - 1) / np.ptp(coarse) - (fine - 1) / np.ptp(fine)).max()
    euler = model(parameters=parameters, method="euler")
    assert step_error(euler, 0.5, "1*ms") == pytest.approx(expected)


def test_time_constants_have_their_closed_form_and_warnings_come_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, expected in (("lif", 0.1), ("coba", 0.005), ("srm", 3.75e-3), ("if", np.inf)):
        assert time_constant(load_neuron(name)) == pytest.approx(expected, rel=1e-5)
    assert time_constant(model_of("LIF")) == pytest.approx(0.01, rel=1e-5)  # its input lasts a step
    network = Network.initialise(NetworkConfig.preset("strided"))
    parameters, text = {"tau": "2*ms", "theta": "1"}, "dv/dt = (I - v)/tau : 1\nI : 1"
    fast = model(name="fast", parameters=parameters, equations=text, input="I")
    for _ in range(2):
        network.with_neuron(fast, calibrate="none")
    step, sums = (line.getMessage() for line in caplog.records)
    assert '"0.4*ms"' in step
    assert "'I' adds up" in sums


@pytest.mark.parametrize("dt", ["1*ms", "0.7*ms", "0.3*ms", "0.1666*ms"])
def test_unstable_steps_of_euler_have_an_error_at_any_step(dt: str) -> None:
    for tau, stable in (("1*us", False), ("10*us", False), ("50*us", False), ("20*ms", True)):
        euler = model(parameters={"tau": tau, "theta": "1"}, method="euler")
        assert (step_error(euler, 0.5, dt) < 0.3) == stable


@pytest.mark.parametrize("name", ["glif", "izhikevich_fs", "noisy_lif", "radlif"])
def test_models_are_integrated_at_the_step_of_networks(name: str) -> None:
    assert step_error(load_neuron(name), 0.3, "1*ms") < 0.25


def test_a_step_response_shows_the_spikes() -> None:
    actual = step_response(load_neuron("cuba"), 1.0, dt="1*ms", during="100*ms")
    spikes = actual["time"][actual["spike"]]
    assert len(spikes) > 5
    assert spikes[0] > 50
    assert spikes[-1] < 160
    assert (actual["state_v"][actual["spike"]] == 0).all()
    assert {"state_v", "state_I"} == {str(n) for n in actual if str(n).startswith("state")}


def test_responses_include_run_regularly_and_custom_events() -> None:
    """Each step adds 0.25, and what passes 0.9 is halved after the resets."""
    counting = model(
        equations="v : 1", method=None, parameters={"theta": "9"}, threshold="v > theta",
        initial={}, trainable={}, run_regularly="v += 0.25",
        events={"full": {"condition": "v > 0.9", "reset": "v /= 2"}},
    )  # fmt: skip
    actual = step_response(counting, 0.0, dt="1*ms", before="0*ms", during="6*ms", after="0*ms")
    np.testing.assert_allclose(actual["state_v"], [0.25, 0.5, 0.75, 0.5, 0.75, 0.5])


def test_parameters_may_be_replaced_by_numbers() -> None:
    drives = np.array([0.1, 0.3])
    options: dict[str, Any] = {"dt": "1*ms", "duration": "300*ms", "discard": "0*ms"}
    changed = model(parameters={"tau": "7*ms", "theta": "1"})
    actual = rate_curve(model(), drives, parameters={"tau": 7e-3}, **options)
    assert actual.equals(rate_curve(changed, drives, **options))
    assert not actual.equals(rate_curve(model(), drives, **options))


SILENT = model(threshold="v > 1e9*theta", weight="1e-9")
CUBIC = model(equations="dv/dt = v**3/tau : 1", method="euler", threshold="v > 1", reset="")


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda: rate_curve(load_neuron("leaky_readout"), [1]), "leaky_readout"),
        (lambda: rate_curve(model(), [1], discard="2*second"), "discard"),
        (lambda: rate_curve(model(), [1], duration="-1*ms"), "duration"),
        (lambda: rate_curve(model(), [1], duration="1*mV"), "duration"),
        (lambda: rate_curve(model(), [1], parameters={"taw": 1.0}), "'taw'"),
        (lambda: rate_curve(model(), [1, 2] / ms, per="ms"), "drives"),
        (lambda: rate_curve(SILENT, dt="1*ms"), "'mine'"),
        (lambda: step_response(CUBIC, 9.0, dt="1*ms"), "found v"),
    ],
)
def test_refused_arguments(ask: Callable[[], object], name: str) -> None:
    with pytest.raises((InputError, ModelError)) as caught:
        ask()
    assert name in str(caught.value)
