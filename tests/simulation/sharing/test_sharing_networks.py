"""Networks whose weights are shared fire as those with a synapse for each connection do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from brian2 import Synapses
from builders import conv, deconv, dense, drawn, need, pictures

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.networks import Network
from bioae.simulation.backend import Backend, Dtype, Target
from bioae.simulation.sharing import SharedSynapses
from bioae.simulation.targets.activation import activated

COBA: dict[str, Any] = {
    "description": "Separate excitation and inhibition.",
    "equations": "dv/dt = -v/tau : 1\ng_e : 1\ng_i : 1",
    "threshold": "v + g_e - 1.5*g_i > 1",
    "reset": "v = 0\ng_e = 0\ng_i = 0",
    "input": "g_e",
    "inhibition": "g_i",
    "parameters": {"tau": "20*ms"},
}
LAYERS: list[dict[str, Any]] = [
    conv("a", 4, 3, stride=2, padding=1, delay="2*ms"),
    dense("b", 10, neuron="coba", recurrent=True, recurrent_delay="3*ms"),
    dense("c", shape=[4, 3, 3], delay=["0*ms", "2*ms"]),
    deconv("d", 2, 3, stride=2, padding=1, output_padding=1, groups=2, neuron="coba"),
    conv("e", 1, 3, padding=2, dilation=2),
]
IMAGES = pictures(3, 1, 6, 6)


def network(schedule: str, encoder: str) -> Network:
    return drawn(
        *LAYERS, seed=1, factor=4, input_shape=[1, 6, 6], steps=12, schedule=schedule,
        encoder={"kind": encoder}, neurons={"coba": COBA},
    )  # fmt: skip


def assert_fires(result: xr.DataTree) -> None:
    for layer in LAYERS:
        counts = result[f"/layers/{layer['name']}/spike_count"]
        assert float((counts.sum("example") > 0).mean()) >= 0.5


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # in Brian2, of float32
@pytest.mark.parametrize(
    ("target", "schedule", "encoder", "dtype"),
    [
        ("numpy", "brian2", "constant_current", "float64"),
        ("numpy", "paper", "bernoulli", "float32"),
        ("cpp_standalone", "paper", "constant_current", "float64"),
        pytest.param("cpp_standalone", "brian2", "bernoulli", "float32", marks=pytest.mark.slow),
        pytest.param("cython", "paper", "constant_current", "float64", marks=pytest.mark.slow),
    ],
)
def test_shared_weights_equal_unrolled_synapses(
    target: Target, schedule: str, encoder: str, dtype: Dtype, quick_compiler: None
) -> None:
    need(target)
    described = network(schedule, encoder)
    # Spikes under way as a presentation ends are dropped, in the first run and in the second.
    shared = simulate(described, IMAGES, Backend(target, dtype=dtype, chunk=2))
    other: Target = "numpy" if dtype == "float64" else target  # compiles nothing
    unrolled = simulate(described, IMAGES, Backend(other, dtype=dtype, connectivity="unrolled"))
    assert_fires(shared)
    assert shared.equals(unrolled)
    if dtype == "float64":
        mirror = simulate(described, IMAGES, "torch")
        assert differing_spikes(shared, mirror)["differing"].values.tolist() == [0] * len(LAYERS)
        xr.testing.assert_equal(shared["reconstruction"], mirror["reconstruction"])


def test_every_weight_is_kept_once_where_connections_share_a_delay() -> None:
    described = network("paper", "bernoulli")
    with activated("numpy"):
        for connectivity in ("shared", "unrolled"):
            built = build(described, connectivity=connectivity)
            assert built.synapses.keys() == {
                "a.weight", "b.weight", "b.recurrent", "c.weight", "d.weight", "e.weight"
            }  # fmt: skip
            for name, synapses in built.synapses.items():
                own_delays = name == "c.weight"
                kept_once = connectivity == "shared" and not own_delays
                assert isinstance(synapses, SharedSynapses if kept_once else Synapses)
                if kept_once:
                    weights = np.asarray(synapses.bioae_w)
                    np.testing.assert_array_equal(weights, described.weights[name].ravel())
            built.run()
