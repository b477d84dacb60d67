"""Exported networks fire the same spikes in an independent interpreter of NIR, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, drawn
from exchange.nir.euler import run
from exchange.nir.graphs import BACK, DT, EXAMPLES, NETWORKS, STEPS, ran, spikes_of
from refusals import refused

from bioae import simulate
from bioae.errors import NetworkError
from bioae.exchange.nir import from_nir, to_nir, write_graph
from bioae.networks import Network

FIELDS: dict[str, Any] = {
    "description": "A model of a user.", "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > theta", "reset": "v = 0", "method": "euler", "input": "v",
    "parameters": {"tau": "20*ms", "theta": "0.3"},
}  # fmt: skip


def network_of(**changes: Any) -> Network:
    """Return a network of neurons of one's own."""
    return drawn(
        dense("a", 4, gain=3.0), schedule="paper", neuron="mine", input_shape=[1, 2, 2], steps=8,
        neurons={"mine": FIELDS | changes},
    )  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"dt": "0.1*ms"}, {"fold_r": True}], ids=str)
def test_exported_layers_fire_the_same_spikes(name: str, options: dict[str, Any]) -> None:
    network, drive, expected = ran(name)
    graph = to_nir(network, **options)
    dt = 1e-4 if "dt" in options else DT
    for example in range(EXAMPLES):
        outputs = run(graph, drive[:, example], dt, back=BACK.get(name, ()))
        for layer, spikes in expected.items():
            assert (outputs[layer].reshape(STEPS, -1) == spikes[example]).all()


@pytest.mark.medium
@pytest.mark.parametrize("name", ["dense", *BACK])
def test_networks_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    network, _, expected = ran(name)
    write_graph(to_nir(network), tmp_path / "x.nir")
    options: dict[str, Any] = {"steps": STEPS, "encoder": network.config.encoder}
    shape = network.config.input_shape
    again = from_nir(tmp_path / "x.nir", dt=f"{DT}*second", input_shape=shape, **options)
    images = np.random.default_rng(0).random((EXAMPLES, *network.config.input_shape))
    result = simulate(again, images, "numpy", seed=0)
    for layer, spikes in expected.items():
        assert (spikes_of(result, layer, spikes.shape, DT) == spikes).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "exact"},
        {"method": "rk4"},
        {"method": "exponential_euler"},
        {"threshold": "2*theta < v"},
        {"reset": "old = theta\nv = -old"},
        {"equations": "dv/dt = (1 - 3)*v/(2*tau) : 1\ntheta : 1 (constant)"},
    ],
    ids=str,
)
def test_linear_models_of_any_form_are_exported(changes: dict[str, Any]) -> None:
    network = network_of(**changes)
    node = to_nir(network).nodes["a"]
    dt, tau = network.config.dt_seconds, 0.02
    kept = {"exact": np.exp(-dt / tau), "exponential_euler": np.exp(-dt / tau),
            "rk4": sum((-dt / tau) ** n / np.prod(range(1, n + 1)) for n in range(5))}  # fmt: skip
    expected = dt / (1 - kept.get(changes.get("method", "euler"), 1 - dt / tau))
    np.testing.assert_allclose(node.tau, expected, rtol=1e-12)
    threshold = 0.6 if "threshold" in changes else 0.3
    np.testing.assert_allclose(node.v_threshold, threshold, rtol=1e-12)
    assert (node.v_reset == (-0.3 if "reset" in changes else 0)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"equations": "dv/dt = -v/tau + 5*int(v > 2)/tau : 1"},
        {"equations": "dv/dt = (-v + 3*v*(v - 1)*(v + 0.75))/tau : 1"},
        {"reset": "v = 0.5*int(v > 1)"}, {"reset": "v = clip(v - theta, 0, 0.1)*int(v > 1.5)"},
        {"reset": "old = v\nv = old"}, {"reset": "v = t/second"},
        {"threshold": "v > theta + t/second"}, {"threshold": "v >= theta"},
        {"threshold": "v > theta and v > 0.5"}, {"threshold": "v > theta - v"},
    ],
    ids=str,
)  # fmt: skip
def test_models_that_are_not_linear_are_refused(changes: dict[str, Any]) -> None:
    with refused(NetworkError, "'mine'", where="layer 'a'"):
        to_nir(network_of(**changes))


@pytest.mark.medium
def test_folded_resistances_leave_steps_that_add_the_input() -> None:
    network = ran("integrate and fire").network
    for dt, rate in ((None, 1 / DT), ("0.1*ms", 1e4)):
        graph = to_nir(network, dt=dt, fold_r=True)
        np.testing.assert_allclose(graph.nodes["a"].r, rate)
        np.testing.assert_allclose(graph.nodes["a_weight"].weight, network.weights["a.weight"])
    graph = to_nir(ran("dense").network, fold_r=True)
    assert (graph.nodes["a"].r == 1).all()
