"""Calibration of weights, against models with a known factor."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from builders import dense, described, drawn, model
from refusals import refused

from bioae import simulate
from bioae.equations import NeuronModel, load_neuron
from bioae.errors import InputError, ModelError, NetworkError
from bioae.networks import Network
from bioae.responses.calibration import CALIBRATIONS, Calibration, calibrate

TIMES: dict[str, Any] = {"dt": "1*ms", "duration": "25*ms"}


def lif(name: str = "mine", **changes: Any) -> NeuronModel:
    return model(load_neuron("lif").to_mapping(), name, **changes)


VOLTS = lif(
    equations="dv/dt = (v_rest - v)/tau : volt", threshold="v > v_rest + 20*mV",
    reset="v = v_rest", weight="2*mV", initial={"v": "v_rest"}, trainable={},
    parameters={"tau": "100*ms", "v_rest": "-70*mV"},
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Network:
    layers = [dense("a", 6), dense("b", shape=[1, 3, 3], parameters={"tau": "20*ms"})]
    return Network.initialise(described(*layers, input_shape=[1, 3, 3]), seed=1)


@pytest.mark.parametrize("by", CALIBRATIONS)
@pytest.mark.parametrize("name", ["lif", "adex"])
def test_calibration_of_a_model_to_itself_is_1(name: str, by: Calibration) -> None:
    model = load_neuron(name)
    assert calibrate(model, model, by=by, **TIMES) == 1


def test_an_unknown_calibration_is_refused(network: Network) -> None:
    with refused(InputError, expected="rate or psp or none", found="'x'"):
        network.with_neuron("alif", calibrate="x")  # type: ignore[arg-type]
    with refused(InputError, expected="rate or psp or none", found="'x'"):
        calibrate(lif(), lif(), by="x", **TIMES)  # type: ignore[arg-type]


@pytest.mark.parametrize(("by", "tolerance"), [("psp", 0.02), ("rate", 0.01)])
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_the_same_neuron_in_other_units(by: Calibration, tolerance: float, schedule: Any) -> None:
    """20 mV away from a threshold that a weight of 1 brings 2 mV nearer: ten times less."""
    factor = calibrate(lif(), VOLTS, by=by, schedule=schedule, **TIMES)
    assert factor == pytest.approx(10, rel=tolerance)


def test_single_spikes_are_matched_by_the_peak_of_the_response() -> None:
    """Of a current that decays with tau_syn = tau/4, whose response peaks at (1/4)^(4/3)."""
    factor = calibrate(lif(), load_neuron("cuba"), by="psp", dt="0.1*ms", duration="50*ms")
    assert factor == pytest.approx(4 ** (4 / 3), rel=0.02)


def test_rates_are_matched_over_the_whole_presentation() -> None:
    """With a leak of tau = 5 ms, the same rate takes more input than with 100 ms."""
    quick = lif(parameters={"tau": "5*ms", "theta": "1"})
    by_rate = calibrate(lif(), quick, by="rate", **TIMES)
    assert by_rate > 1.5
    assert calibrate(lif(), quick, by="psp", **TIMES) == pytest.approx(
        np.exp(1 / 5 - 1 / 100), rel=0.02
    )
    parameters = {"tau": 5e-3}
    assert calibrate(lif(), lif(), target_parameters=parameters, **TIMES) == by_rate
    assert calibrate(lif(), quick, source_parameters=parameters, **TIMES) == 1


@pytest.mark.parametrize("by", ["psp", "rate"])
def test_a_model_that_never_rests_cannot_be_calibrated(by: Calibration) -> None:
    restless = lif(threshold="v > -theta")
    with refused(ModelError, "'mine'"):
        calibrate(lif(), restless, by=by, **TIMES)
    assert calibrate(lif(), restless, by="none", **TIMES) == 1
    biased = VOLTS.model_copy(update={"equations": "dv/dt = (0.3*volt + v_rest - v)/tau : volt"})
    for cause, neuron in (
        ("bias current", biased), ("initial", VOLTS.model_copy(update={"initial": {}})),
    ):  # fmt: skip
        if by == "rate":
            with refused(ModelError, hint=re.compile(cause)):
                calibrate(lif(), neuron, by=by, **TIMES)


def test_each_layer_is_calibrated_with_its_own_parameters(network: Network) -> None:
    trained = Network(network.config, {**network.weights, "a.tau": np.full(6, 0.02)})
    separate = network.calibration_factors("alif", "rate")
    assert separate["a"] != separate["b"]
    same = trained.calibration_factors("alif", "rate")
    assert same["a"] == same["b"] == separate["b"]


def test_a_calibrated_network_keeps_its_weights_and_scales_their_unit(network: Network) -> None:
    changed = network.with_neuron("adex", calibrate={"a": 2.0, "b": 0.3})
    assert [placed.model.weight for placed in changed.config.placed] == ["2.0*(1*nA)", "0.3*(1*nA)"]
    for name, weights in network.weights.items():
        assert changed.weights[name] is weights
    assert network.with_neuron("adex", calibrate="none").config.layers[0].weight is None
    by_default = network.with_neuron("adex").config.placed[0].model.weight
    factor = network.calibration_factors("adex", "rate")["a"]
    assert by_default == f"{factor!r}*(1*nA)"


def test_the_read_out_stays_that_of_the_former_neuron(network: Network) -> None:
    trained = Network(network.config, {**network.weights, "a.tau": np.linspace(0.01, 0.06, 6)})
    for neuron in ("alif", "adex", "lif"):
        changed = trained.with_neuron(neuron, calibrate="none")
        for before, after in zip(trained.config.placed, changed.config.placed, strict=True):
            old, new = (
                net.parameters(placed, readout=True)
                for net, placed in ((trained, before), (changed, after))
            )
            assert old.keys() == new.keys() == {"tau"}
            np.testing.assert_array_equal(old["tau"], new["tau"])
    again = changed.with_neuron("qif", calibrate="none")
    np.testing.assert_array_equal(
        again.parameters(again.config.placed[0], readout=True)["tau"], trained.weights["a.tau"]
    )


def test_read_outs_keep_their_model_unless_named() -> None:
    network = drawn(
        dense("first", 6, gain=4.0), dense("output", 4, neuron="leaky_readout", gain=2.0),
        input_shape=[1, 2, 2], steps=25, task={"kind": "regression", "outputs": 4},
        encoder={"kind": "constant_current", "gain": 0.5},
    )  # fmt: skip
    tau = np.linspace(0.01, 0.06, 4)
    network = Network(network.config, {**network.weights, "output.tau": tau})
    assert network.calibration_factors("adex").keys() == {"first"}
    pixels = np.linspace(0.2, 1, 8).reshape(2, 1, 2, 2)
    results = []
    for layers, second in ((None, "leaky_readout"), (["output", "first"], "adex")):
        changed = network.with_neuron("adex", calibrate="none", layers=layers)
        assert [placed.model.name for placed in changed.config.placed] == ["adex", second]
        kept = changed.parameters(changed.config.placed[1], readout=True)
        np.testing.assert_array_equal(kept["tau"], tau)
        results.append(simulate(changed, pixels, "torch")["output"].to_numpy())
    assert np.ptp(results[0]) > 0
    np.testing.assert_array_equal(results[0], results[1])
    only = network.with_neuron("adex", layers=["output"]).config.placed
    assert [placed.model.name for placed in only] == ["lif", "adex"]
    for layers in ([], ["x"], "output"):
        with refused(NetworkError):
            network.with_neuron("adex", layers=layers)
    with refused(NetworkError, where="layer 'output'"):
        network.with_neuron(lif("leaky_readout"), calibrate="none")


def test_a_model_that_needs_finer_steps_gets_them(network: Network) -> None:
    changed = network.with_neuron(lif(dt="0.3*ms"), calibrate="none").config
    assert changed.dt_seconds == pytest.approx(0.25e-3)
    assert changed.steps == 4 * network.config.steps
    assert changed.encoder.mean_drive(changed.steps) == network.config.encoder.mean_drive(25)
    assert network.with_dt_of(lif(dt="1*ms")) is network
    assert network.with_dt_of(lif(dt="5*ms")) is network


@pytest.mark.medium
def test_the_step_of_a_response_is_one_that_the_model_allows() -> None:
    lif, fine = load_neuron("lif"), load_neuron("hodgkin_huxley")
    with refused(InputError, "'hodgkin_huxley'", where="dt"):
        calibrate(fine, lif, dt="1*ms", by="psp")
    found = calibrate(lif, fine, by="psp", duration="20*ms")
    assert found == calibrate(lif, fine, by="psp", duration="20*ms", target_dt="0.1*ms")
