"""Every kind of network gives the same spikes, states and outputs on all targets."""

from __future__ import annotations

import network_cases
import numpy as np
import pytest
import xarray as xr
from builders import LEAKY, need, numbered
from one_build import Simulation, simulate_several

from bioae import simulate
from bioae.simulation import Backend
from bioae.simulation.backend import Target

UNROLLED = ["layer kinds, brian2", "geometry, paper", "random signals, delays"]
#: One of each kind, in one program; and all others in `make test-all`.
COMPILED = [
    *network_cases.MODELS, "recurrent, paper",
    "layer kinds, brian2", "geometry, paper", "inhibition, brian2", "trajectory of a task",
    "summed_softmax of a task", "population_spikes of a task", "first_spike of a task",
    "random signals, delays", "level crossings", "layer spikes, paper",
]  # fmt: skip
USUAL = [name for name in network_cases.CASES if name not in network_cases.MORE]
OTHERS = [name for name in USUAL if name not in COMPILED]
#: Those of the compiled that run on NumPy in `make test`, too; `make test-fast` runs no others.
FEW = ["lif", "recurrent, paper", "layer kinds, brian2", "inhibition, brian2", "signals"]


def mirrored(name: str) -> xr.DataTree:
    each = network_cases.case(name)
    return simulate(each.network, each.data, Backend("torch", record=each.record))


@pytest.mark.parametrize(
    "name",
    [
        *FEW,
        *(pytest.param(name, marks=pytest.mark.medium) for name in OTHERS if name not in FEW),
        *(pytest.param(name, marks=pytest.mark.slow) for name in (*COMPILED, *network_cases.MORE)
          if name not in FEW),
    ],
)  # fmt: skip
def test_numpy_equals_the_mirror(name: str) -> None:
    """In chunks of two, the last one padded: spikes under way at the end of each are dropped."""
    each = network_cases.case(name)
    brian = simulate(each.network, each.data, Backend("numpy", record=each.record, chunk=2))
    network_cases.assert_agree(brian, mirrored(name), each)


@pytest.mark.medium
@pytest.mark.parametrize("name", UNROLLED)
def test_unrolled_connections_change_nothing(name: str) -> None:
    each = network_cases.case(name)
    backend = Backend("numpy", connectivity="unrolled", record=each.record)
    network_cases.assert_agree(simulate(each.network, each.data, backend), mirrored(name), each)


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize(
    ("target", "names"),
    [
        pytest.param("cpp_standalone", COMPILED, id="cpp_standalone"),
        pytest.param("cpp_standalone", OTHERS, id="others", marks=pytest.mark.slow),
        pytest.param("cython", COMPILED[2::6], id="cython", marks=pytest.mark.slow),
    ],
)
def test_compiled_targets_equal_the_mirror(target: Target, names: list[str]) -> None:
    """All networks are in one program."""
    need(target)
    cases = [network_cases.case(name) for name in names]
    work = [Simulation(each.network, each.data, record=each.record) for each in cases]
    for name, result in zip(names, simulate_several(work, target=target), strict=True):
        network_cases.assert_agree(result, mirrored(name), network_cases.case(name))


def raster(result: xr.DataTree, layer: str, example: int) -> list[tuple[int, float]]:
    data = result[f"/layers/{layer}"]
    chosen = np.asarray(data["spike_example"] == example)
    neuron, time = (np.asarray(data[name])[chosen] for name in ("spike_neuron", "spike_time_ms"))
    return list(zip(neuron.tolist(), time.tolist(), strict=True))


def assert_same_example(one: xr.DataTree, other: xr.DataTree, example: int) -> None:
    expected = {name: raster(other, name, example) for name in other.children["layers"].children}
    assert sum(map(bool, expected.values())) > 1
    assert {name: raster(one, name, example) for name in expected} == expected
    actual = one["reconstruction"].sel(example=example)
    xr.testing.assert_equal(actual, other["reconstruction"].sel(example=example))


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["paper", pytest.param("brian2", marks=pytest.mark.slow)])
def test_an_example_does_not_depend_on_other_examples(schedule: str) -> None:
    network = network_cases.recurrent(schedule, "cuba")
    images = numbered(network_cases.IMAGES, [17, 4, 99, 0, 5])
    for target in ("torch", "numpy"):
        everything = simulate(network, images, target, seed=6)
        some = simulate(network, images[[2, 0]], target, seed=6)
        for number in (99, 17):
            assert_same_example(some, everything, number)
        other_seed = simulate(network, images[:1], target, seed=7)
        assert raster(other_seed, "outer", 17) != raster(everything, "outer", 17)


#: Fires without input, at times that depend on the neuron.
SPONTANEOUS = {
    **LEAKY, "equations": "dv/dt = (drift - v)/tau : 1 (unless refractory)\ndrift : 1 (constant)",
    "parameters": {"tau": "5*ms", "drift": "1.5"}, "initial": {"v": "i/N"},
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["paper", pytest.param("brian2", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("refractory", "recur"),
    [
        (3, True),
        pytest.param(1, False, marks=pytest.mark.slow),
        pytest.param(3, False, marks=pytest.mark.slow),
    ],
)
def test_nothing_leaks_into_the_next_presentation(
    schedule: str, refractory: int, recur: bool
) -> None:
    neuron = {"own": {**SPONTANEOUS, "refractory": f"{refractory}*ms"}}
    layers = [{**layer, "recurrent": recur} for layer in network_cases.LAYERS]
    network = network_cases.strided(neuron="own", neurons=neuron, schedule=schedule, layers=layers)
    first = raster(simulate(network, 0 * network_cases.IMAGES, "torch"), "outer", 0)
    assert min(time for _, time in first) < 3
    assert max(time for _, time in first) == 11
    both = simulate(network, network_cases.IMAGES[:2], Backend("numpy", chunk=2))
    for example in (0, 1):
        single = simulate(network, network_cases.IMAGES[:2], "numpy", examples=[example])
        assert_same_example(both, single, example)
        assert_same_example(simulate(network, network_cases.IMAGES[:2], "torch"), single, example)
