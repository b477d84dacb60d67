"""Networks whose weights are shared fire as those with a synapse for each connection do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from brian2 import Synapses

from bioae.analysis import differing_spikes
from bioae.errors import TargetError
from bioae.networks import Network, NetworkConfig
from bioae.random import stream
from bioae.simulation import build, simulate
from bioae.simulation.backend import Backend, Dtype, Target
from bioae.simulation.sharing import SharedSynapses
from bioae.simulation.targets import activation as targets
from bioae.simulation.targets.activation import activated, check_target
from bioae.trainers import simulate_mirror

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
    {"kind": "conv2d", "name": "a", "channels": 4, "kernel": 3, "stride": 2, "padding": 1,
     "delay": "2*ms"},
    {"kind": "dense", "name": "b", "units": 10, "neuron": "coba",
     "recurrent": True, "recurrent_delay": "3*ms"},
    {"kind": "dense", "name": "c", "shape": [4, 3, 3], "delay": ["0*ms", "2*ms"]},
    {"kind": "conv_transpose2d", "name": "d", "channels": 2, "kernel": 3, "stride": 2,
     "padding": 1, "output_padding": 1, "groups": 2, "neuron": "coba"},
    {"kind": "conv2d", "name": "e", "channels": 1, "kernel": 3, "padding": 2, "dilation": 2},
]  # fmt: skip
IMAGES = stream(0, 0).random((3, 1, 6, 6))


def network(schedule: str, encoder: str) -> Network:
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 6, 6], "steps": 12, "schedule": schedule, "layers": LAYERS,
            "encoder": {"kind": encoder}, "neurons": {"coba": COBA},
        },
        where="the test's network",
    )  # fmt: skip
    drawn = Network.initialise(config, seed=1)
    weights = {name: w if name.endswith("_delay") else 4 * w for name, w in drawn.weights.items()}
    return Network(config, weights).quantised()


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
    target: Target, schedule: str, encoder: str, dtype: Dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        check_target(target)
    except TargetError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(targets, "IEEE_FLAGS", ["-w", "-O0", "-ffp-contract=off"])
    described = network(schedule, encoder)
    # Spikes under way as a presentation ends are dropped, in the first run and in the second.
    shared = simulate(described, IMAGES, Backend(target, dtype=dtype), chunk=2)
    other: Target = "numpy" if dtype == "float64" else target  # compiles nothing
    unrolled = simulate(described, IMAGES, Backend(other, dtype=dtype, connectivity="unrolled"))
    assert_fires(shared)
    assert shared.equals(unrolled)
    if dtype == "float64":
        mirror = simulate_mirror(described, IMAGES)
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
