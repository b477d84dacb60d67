"""Every target gives the mirror's spikes for each shipped neuron model, and a LIF's exact rate."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from builders import dense, described, need
from numpy.typing import NDArray
from one_build import Simulation, simulate_several

from bioae import simulate
from bioae.analysis import differing_spikes, is_alive, layer_names
from bioae.api import engine_of
from bioae.equations import available, load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.networks import Network
from bioae.simulation import TARGETS, Backend
from bioae.simulation.backend import Target
from bioae.trainers.parity import parity_network
from bioae.trainers.parity.comparison import Comparison, recorded

pytestmark = pytest.mark.usefixtures("quick_compiler")

UNITS = 16
SPIKING = [name for name in available() if load_neuron(name).threshold is not None]
EXACT = [name for name in SPIKING if lower(load_neuron(name)).reproducible]
INEXACT = [name for name in SPIKING if name not in EXACT]

#: A model of each kind in `make test`, and every model in `make test-all`, where Cython, which
#: compiles for seconds for each code object, runs few.
FEW = [EXACT[0], INEXACT[0]]
RUNS = [
    pytest.param(("numpy", FEW), id="numpy"),
    pytest.param(("cpp_standalone", FEW), id="cpp_standalone"),
    pytest.param(("numpy", SPIKING), id="numpy, all", marks=pytest.mark.slow),
    pytest.param(("cpp_standalone", SPIKING), id="cpp_standalone, all", marks=pytest.mark.slow),
    pytest.param(("cython", FEW), id="cython", marks=pytest.mark.slow),
]

Shown = tuple[Network, NDArray[np.float64]]
Results = dict[str, xr.DataTree]


@cache
def example_of(name: str) -> Shown:
    """Return a small network of a model, with recurrence and delays, and its input."""
    return parity_network(load_neuron(name), neurons=8, steps=60, examples=3, seed=0)


@cache
def mirrored(name: str) -> xr.DataTree:
    network, images = example_of(name)
    return simulate(network, images, Backend("torch", record=recorded(network)))


@pytest.fixture(scope="module", params=RUNS)
def results(request: pytest.FixtureRequest) -> Results:
    """The result of each model on a target, from one build if the target is a compiled program."""
    target, names = request.param
    need(target)
    simulations = [
        Simulation(network, images, record=recorded(network))
        for network, images in map(example_of, names)
    ]
    return dict(zip(names, simulate_several(simulations, target=target), strict=True))


def test_at_least_half_of_the_neurons_fire(results: Results) -> None:
    assert results
    for name, result in results.items():
        for layer in layer_names(result):
            alive = float(is_alive(result, layer).mean())
            assert alive >= 0.5, f"{name}, {layer}: only {alive:.0%} of the neurons fire"


def test_every_spike_and_state_equals_the_mirrors(results: Results) -> None:
    compared = set()
    for name in set(EXACT) & set(results):
        spikes = differing_spikes(results[name], mirrored(name))
        assert spikes["differing"].values.tolist() == [0, 0], name
        for layer in layer_names(results[name]):
            data, expected = (tree[f"/layers/{layer}"] for tree in (results[name], mirrored(name)))
            for state in example_of(name)[0].config.placed[0].program.states:
                values = data[f"state_{state}"]
                np.testing.assert_array_equal(values, expected[f"state_{state}"], err_msg=name)
                compared.add((name, state))
        reconstruction = results[name]["reconstruction"]
        assert (reconstruction != 0).any()
        np.testing.assert_array_equal(reconstruction, mirrored(name)["reconstruction"])
    assert len(compared) >= len(set(EXACT) & set(results)) > 0


def test_every_step_equals_the_mirrors_up_to_rounding_of_libraries(results: Results) -> None:
    for name in set(INEXACT) & set(results):
        network, images = example_of(name)
        actual = Comparison(network, images, engine_of, name=name).with_result(results[name])
        assert not actual.exact
        assert actual.one_step == 1.0, actual
        assert actual.passed, actual


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name == "cython" else ()) for name in TARGETS
    ],
)
def result(request: pytest.FixtureRequest) -> xr.DataTree:
    """A LIF whose neurons each hear one pixel: a constant current."""
    target: Target = request.param
    need(target)
    # Two chunks, the second one padded: one build serves both.
    return simulate(*constant_current(), Backend(target, chunk=2))


@cache
def constant_current() -> Shown:
    encoder = {"kind": "constant_current", "gain": 0.5}
    config = described(dense("rate", UNITS), input_shape=[1, 4, 4], steps=60, encoder=encoder)
    images = np.linspace(0.02, 1.0, 3 * UNITS).reshape(3, 1, 4, 4)
    return Network(config, {"rate.weight": np.eye(UNITS)}), images


def test_lif_fires_at_the_rate_of_its_closed_form(result: xr.DataTree) -> None:
    """Under a constant current w, v is w (1 - l^n) / (1 - l) after n inputs, n - 1 leaks between.

    In Brian2's order the leak comes between input and threshold, so a neuron fires at the first n
    with l w (1 - l^n) / (1 - l) > theta. The input of the step in which it fires is lost to the
    reset: from one spike to the next it takes n + 1 steps.
    """
    config = constant_current()[0].config
    leak = np.exp(-1 / 100)
    drive = np.rint(0.5 * constant_current()[1].reshape(3, UNITS) * 2**12) / 2**12
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
