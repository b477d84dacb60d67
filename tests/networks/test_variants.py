"""Heterogeneity, background input and delays: draws, agreement of mirror and Brian2, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import builders
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.analysis.results.outputs import neurons_of
from bioae.equations import load_neuron
from bioae.networks import Network
from bioae.networks.schedule import ScheduleName
from bioae.simulation.backend import Backend

IMAGES = np.random.default_rng(0).random((5, 1, 4, 4)) ** 2


def make(*layers: dict[str, Any], **changes: Any) -> Network:
    last = builders.dense("out", shape=[1, 4, 4], gain=4.0)
    fields = {"input_shape": [1, 4, 4], "steps": 12, **changes}
    return builders.drawn(*layers, last, seed=2, **fields)


def dense(name: str, units: int, **fields: Any) -> dict[str, Any]:
    return builders.dense(name, units, gain=4.0, **fields)


@pytest.fixture(scope="module")
def network() -> Network:
    return make(dense("a", 20, recurrent=True), dense("b", 12))


def values(network: Network, array: str) -> NDArray[np.float64]:
    return np.asarray(network.weights[array], dtype=np.float64)


def test_spread_has_the_requested_mean_and_variation() -> None:
    wide = make(dense("a", 20_000)).with_spread({"theta": 0.5}, seed=1)
    theta = values(wide, "a.theta")
    assert theta.mean() == pytest.approx(1, abs=4 * 0.5 / 141)
    assert theta.std() == pytest.approx(0.5, rel=0.05)
    # That of two spreads is that of their product.
    twice = wide.with_spread({"theta": 0.4}, seed=2)
    theta = values(twice, "a.theta")
    assert twice.spread["theta"] == pytest.approx(math.sqrt(1.25 * 1.16 - 1))
    assert theta.std() / theta.mean() == pytest.approx(twice.spread["theta"], rel=0.05)


def test_spread_depends_only_on_seed_layer_and_parameter(network: Network) -> None:
    both = network.with_spread({"tau": 0.1, "theta": 0.1}, seed=7)
    tau = values(both, "b.tau")
    other = make(dense("z", 3), dense("b", 9)).with_spread({"tau": 0.1}, seed=7)
    np.testing.assert_array_equal(values(other, "b.tau"), tau[:9])
    for array in ("a.tau", "b.theta"):
        assert not (values(both, array)[:12] / values(both, array).mean() == tau / 0.1).any()
    assert not (values(network.with_spread({"tau": 0.1}, seed=8), "b.tau") == tau).any()
    assert network.with_spread({"tau": 0.1}, seed=7).weights.keys() < both.weights.keys()


def test_spread_is_centred_on_trained_values(network: Network) -> None:
    trained = np.linspace(0.02, 0.3, 12)
    given = Network(network.config, {**network.weights, "b.tau": trained, "a.tau": np.array(0.05)})
    actual = given.with_spread({"tau": 1e-3})
    np.testing.assert_allclose(values(actual, "b.tau"), trained, rtol=0.006)
    np.testing.assert_allclose(values(actual, "a.tau"), 0.05, rtol=0.006)
    np.testing.assert_array_equal(values(given.with_spread({"tau": 0.0}), "b.tau"), trained)


def test_a_network_knows_its_spread_and_its_hash_does_not_depend_on_it(network: Network) -> None:
    varied = network.with_spread({"tau": 0.1}).with_delay("1*ms").with_spread({"theta": 0.05})
    assert varied.quantised().spread == {"tau": 0.1, "theta": 0.05}
    assert varied.sha256 == Network(varied.config, varied.weights).sha256
    assert varied.with_neuron("alif", calibrate="none").spread == varied.spread
    assert varied.with_neuron("alif", calibrate="none", copy=False).spread == {}


def potentials(network: Network) -> xr.DataArray:
    """Return v of the first layer without input (example, time, neuron)."""
    result = simulate(network, np.zeros((4, 1, 4, 4)), Backend("torch", record=["v"]))
    return result["/layers/a/state_v"]


def test_gaussian_background_has_its_variance_whatever_the_step() -> None:
    """Through a leak it makes v an Ornstein-Uhlenbeck process: variance sigma^2 tau/2."""
    still = builders.model(
        load_neuron("lif").to_mapping(), "still", threshold="v > 1e9*theta", initial={},
        parameters={"tau": "5*ms", "theta": "1"}, trainable={},
    )  # fmt: skip
    for dt, tolerance in (("1*ms", 0.15), ("0.25*ms", 0.1)):
        steps = round(40e-3 / (float(dt.split("*")[0]) * 1e-3))
        quiet = make(dense("a", 400), dt=dt, steps=steps).with_neuron(still, calibrate="none")
        actual = quiet.with_background(0.3)
        traces = [potentials(each) for each in (quiet, actual)]
        assert not traces[0].any()
        settled = traces[1].isel(time=slice(steps // 2, None))
        assert float(settled.std()) == pytest.approx(0.3 * np.sqrt(5 / 2), rel=tolerance)
        assert abs(float(settled.mean())) < 0.05


def test_background_spikes_come_at_their_rate() -> None:
    """A neuron without a leak counts them."""
    counting = make(dense("a", 300), steps=50, neuron="if").with_background((0.125, "40*Hz"))
    never = {"parameters": {"theta": "1e9"}}
    layers = tuple(layer.model_copy(update=never) for layer in counting.config.layers)
    config = counting.config.varied(layers=layers)
    count = potentials(Network(config, counting.weights)).isel(time=-1) / 0.125
    assert (count == np.rint(count)).all()
    # 50 steps bring input, the last of them too late for the threshold but in time for v.
    assert float(count.mean()) == pytest.approx(50 * 0.04, rel=0.1)
    assert float(count.var()) == pytest.approx(50 * 0.04 * 0.96, rel=0.2)


def agree(one: xr.DataTree, other: xr.DataTree) -> None:
    table = differing_spikes(one, other)
    assert (table["spikes_a"] > 30).all(), table["spikes_a"]
    assert (table["differing"] == 0).all(), table["differing"]
    for name in ("a", "b", "out"):
        states = [n for n in one[f"/layers/{name}"].data_vars if str(n).startswith("state")]
        assert states
        for state in states:
            np.testing.assert_array_equal(
                one[f"/layers/{name}/{state}"], other[f"/layers/{name}/{state}"]
            )


COBA = builders.model(
    builders.COBA, "coba_like", parameters={"tau": "10*ms", "tau_e": "5*ms", "tau_i": "5*ms"}
)
VARIANTS: dict[str, tuple[ScheduleName, Callable[[Network], Network]]] = {
    "spikes and delays": (
        "brian2", lambda network: network.with_background((0.375, "80*Hz")).with_delay("2*ms")
    ),
    "separate inhibition": (
        "brian2", lambda network: network.with_neuron(COBA).with_background(0.3)
    ),
    "all": (
        "paper",
        lambda network: network.with_neuron("alif")
        .with_spread({"tau_adapt": 0.2, "beta": 0.2}, seed=5)
        .with_background(0.25)
        .with_delay("1*ms"),
    ),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("name", VARIANTS)
def test_the_mirror_and_brian2_agree(name: str) -> None:
    schedule, change = VARIANTS[name]
    network = change(make(dense("a", 20, recurrent=True), dense("b", 12), schedule=schedule))
    mirror = simulate(network, IMAGES, Backend("torch", record=["v"]), seed=11)
    agree(mirror, simulate(network, IMAGES, Backend("numpy", record=["v"]), seed=11))


@pytest.mark.medium
def test_changes_of_a_network_are_recorded_in_its_result() -> None:
    layers = dense("a", 5, parameters={"tau": "7*ms"}), dense("b", 4, parameters={"tau": "9*ms"})
    network = make(*layers)
    plain = simulate(network, IMAGES[:1], "torch")
    assert not {"spread", "background", "delay", "weight"} & plain.attrs.keys()
    varied = network.with_parameters({"theta": 2}, layers=["b"])
    varied = varied.with_background((0.5, "30*Hz")).with_delay("1*ms")
    attributes = simulate(varied, IMAGES[:1], "torch").attrs
    own = "a: tau 7. ms; b: tau 9. ms, theta 2.0"
    assert varied.with_spread({"theta": 0.2, "tau": 0.1}).described()["spread"] == (
        "theta=0.2, tau=0.1"
    )
    expected = {
        "background": "0.5, 30*Hz", "delay": "1*ms", "parameters": own,
        "network_sha256": varied.sha256, "neuron_model": load_neuron("lif").to_toml(),
    }  # fmt: skip
    assert expected.items() <= attributes.items()
    assert neurons_of(plain).endswith("layers: a: tau 7. ms; b: tau 9. ms")
