"""Every target runs the same network of every shipped neuron model, and agrees with the mirror."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis import differing_spikes, is_alive, layer_names
from bioae.equations import available, load_model
from bioae.errors import TargetError
from bioae.network import Network, NetworkConfig
from bioae.simulation import TARGETS, simulate, targets
from bioae.simulation.targets import Target, check_target
from bioae.trainers import simulate_mirror

UNITS = 16
SPIKING = [name for name in available() if load_model(name).threshold is not None]


@cache
def zoo() -> tuple[Network, NDArray[np.float64]]:
    """Return a network with a layer of each spiking model, on the dyadic grid, and its images.

    The first layer, `rate`, is a LIF whose neurons each hear one pixel: a constant current. The
    others are densely connected, and recurrent.
    """
    layers = [
        {"kind": "dense", "name": "rate", "units": UNITS, "neuron": "lif"},
        *(
            {"kind": "dense", "name": f"layer_{name}", "units": UNITS, "recurrent": True}
            | {"neuron": name}
            for name in SPIKING
        ),
    ]
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 4, 4],
            "steps": 60,
            "encoder": {"kind": "constant_current", "gain": 0.5},
            "layers": layers,
        },
        where="zoo",
    )
    network = Network.initialise(config, seed=1)
    weights = {
        name: array * (0.5 if name.endswith("recurrent") else 1.5)
        for name, array in network.weights.items()
    }
    # The current of the model with synaptic currents is small against its membrane.
    weights["layer_cuba.weight"] *= 4
    weights["rate.weight"] = np.eye(UNITS)
    images = np.linspace(0.02, 1.0, 3 * UNITS).reshape(3, 1, 4, 4)
    return Network(config, weights).quantised(), images


@pytest.fixture(scope="module", params=TARGETS)
def result(request: pytest.FixtureRequest) -> Iterator[xr.DataTree]:
    target: Target = request.param
    try:
        check_target(target)
    except TargetError as error:
        pytest.skip(str(error))
    network, images = zoo()
    with pytest.MonkeyPatch.context() as patch:
        # Arithmetic is the same at every level, and less optimised code compiles sooner.
        patch.setattr(targets, "IEEE_FLAGS", ["-w", "-O0", "-ffp-contract=off"])
        # Two chunks, the second one padded: one build serves both.
        yield simulate(network, images, target=target, chunk=2, record=recorded(target))


@pytest.fixture(scope="module")
def mirror() -> xr.DataTree:
    network, images = zoo()
    return simulate_mirror(network, images, record=recorded("numpy"))


def recorded(target: Target) -> set[str]:
    """Return which states to record: all, but where each monitor costs seconds to compile."""
    if target == "cython":
        return {"I"}
    return {name for placed in zoo()[0].config.placed for name in placed.program.states}


def test_every_spike_is_the_mirrors(result: xr.DataTree, mirror: xr.DataTree) -> None:
    spikes = differing_spikes(result, mirror)
    assert set(spikes["layer"].values) == {"rate", *(f"layer_{name}" for name in SPIKING)}
    for layer in layer_names(result):
        alive = float(is_alive(result, layer).mean())
        assert alive >= 0.5, f"{layer}: only {alive:.0%} of the neurons fire"
    assert spikes["differing"].values.tolist() == [0] * len(spikes["layer"])


def test_every_state_is_the_mirrors(result: xr.DataTree, mirror: xr.DataTree) -> None:
    compared = set()
    for layer in layer_names(result):
        for name, values in result[f"/layers/{layer}"].data_vars.items():
            if str(name).startswith("state_"):
                np.testing.assert_array_equal(values, mirror[f"/layers/{layer}"][name])
                assert (values != 0).any()
                compared.add((layer, str(name)))
    assert ("layer_cuba", "state_I") in compared


def test_the_reconstruction_is_the_mirrors(result: xr.DataTree, mirror: xr.DataTree) -> None:
    assert (result["reconstruction"] != 0).any()
    np.testing.assert_array_equal(result["reconstruction"], mirror["reconstruction"])


def test_lif_fires_at_the_rate_of_its_closed_form(result: xr.DataTree) -> None:
    """Under a constant current w, v is w (1 - l^n) / (1 - l) after n inputs, n - 1 leaks between.

    In Brian2's order the leak comes between input and threshold, so a neuron fires at the first n
    with l w (1 - l^n) / (1 - l) > theta. The input of the step in which it fires is lost to the
    reset: from one spike to the next it takes n + 1 steps.
    """
    config = zoo()[0].config
    leak = np.exp(-1 / 100)
    drive = np.rint(0.5 * zoo()[1].reshape(3, UNITS) * 2**12) / 2**12
    spikes = result["/layers/rate"]
    fired = 0
    for example, row in enumerate(drive):
        for neuron, w in enumerate(row):
            needed = 1 - (1 - leak) / (leak * w)
            n = int(np.floor(np.log(needed) / np.log(leak))) + 1 if needed > 0 else None
            mine = (spikes["spike_example"] == example) & (spikes["spike_neuron"] == neuron)
            steps = np.rint(spikes["spike_time_ms"].values[mine.values]).astype(int)
            expected = [] if n is None else list(range(n - 1, config.steps, n + 1))
            assert steps.tolist() == expected, f"w = {w}"
            fired += len(expected)
    assert fired > 100
