"""Repeats: presentations of one example that differ in nothing but noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import conv, dense, drawn, need, numbered
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refused

from bioae import simulate, simulate_to
from bioae.api import build
from bioae.errors import InputError, OutputError
from bioae.networks import Network
from bioae.noise import Key, draw
from bioae.random import stream, uniform
from bioae.simulation import write_result
from bioae.simulation.backend import Backend, Target
from bioae.simulation.presentations import Presentations
from bioae.simulation.targets.activation import activated

LAYERS = (conv("first", 2, 3), dense("output", shape=[1, 6, 6]))
EXAMPLES = [17, 4, 250]
IMAGES = numbered(np.random.default_rng(0).random((3, 6, 6)), EXAMPLES)
REPEATS = 3

#: Networks with noise of each kind.
NOISY: dict[str, dict[str, Any]] = {
    "encoder": {"encoder": {"kind": "bernoulli", "rate": 0.5}},
    "neurons": {"encoder": {"kind": "constant_current"}, "neuron": "noisy_lif"},
    "both": {"neuron": "noisy_lif", "encoder": {"kind": "bernoulli", "rate": 0.5}},
    "decoded": {"neuron": "noisy_lif", "decoder": {"kind": "mean"}, "schedule": "paper"},
}


def network(kind: str = "both", **fields: Any) -> Network:
    return drawn(*LAYERS, factor=2.0, input_shape=[1, 6, 6], steps=8, **NOISY[kind], **fields)


def ran(target: str, net: Network, images: Any = IMAGES, **options: Any) -> xr.DataTree:
    """Simulate on a Brian2 target, or in the mirror."""
    known: Any = target
    how = {name: options.pop(name) for name in ("chunk", "workers") if name in options}
    return simulate(net, images, Backend(known, record=["v"], **how), seed=5, **options)


def repeat_of(tree: xr.DataTree, number: int) -> dict[str, NDArray[Any]]:
    """Return the variables of one repeat, all of them if there is one."""
    several = "repeat" in tree.dims
    variables = {"/reconstruction": tree.to_dataset()["reconstruction"]}
    for name, node in tree["layers"].children.items():
        data = node.to_dataset()
        chosen = data["spike_repeat"] == number if several else np.ones(data.sizes["spike"], bool)
        spikes = data[["spike_example", "spike_neuron", "spike_time_ms"]]
        variables |= {f"{name}/{key}": each[chosen] for key, each in spikes.data_vars.items()}
        for key in ("spike_count", "state_v"):
            variables[f"{name}/{key}"] = data[key]
    return {
        name: (each.isel(repeat=number) if "repeat" in each.dims else each).to_numpy()
        for name, each in variables.items()
    }


@pytest.fixture(scope="module")
def expected() -> xr.DataTree:
    return ran("numpy", network(), repeats=REPEATS)


@pytest.mark.medium
@pytest.mark.parametrize("kind", NOISY)
def test_repeat_0_is_the_run_without_repeats_and_others_differ(kind: str) -> None:
    net = network(kind)
    once, repeated = ran("numpy", net), ran("numpy", net, repeats=REPEATS)
    assert "repeat" not in once.dims
    assert not any("spike_repeat" in layer for layer in once["layers"].children.values())
    first, expected = repeat_of(repeated, 0), repeat_of(once, 0)
    assert first.keys() == expected.keys()
    assert expected["output/spike_neuron"].size
    for name, values in expected.items():
        np.testing.assert_array_equal(first[name], values, err_msg=name)
    potential = repeated["/layers/output/state_v"].to_numpy()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (potential[:, one] != potential[:, other]).any(axis=(1, 2)).all()


@pytest.mark.medium
def test_the_dimensions_of_a_result(expected: xr.DataTree) -> None:
    assert expected["repeat"].to_numpy().tolist() == [0, 1, 2]
    assert expected["input"].dims == ("example", "y", "x")
    assert expected["reconstruction"].dims == ("example", "repeat", "y", "x")
    layer = expected["/layers/first"].to_dataset()
    assert layer["spike_count"].dims == ("example", "repeat", "neuron")
    assert layer["state_v"].dims == ("example", "repeat", "time", "neuron")
    place = layer.indexes["example"].get_indexer(layer["spike_example"]), layer["spike_repeat"]
    counted = np.zeros(layer["spike_count"].shape, int)
    np.add.at(counted, (*place, layer["spike_neuron"]), 1)
    assert counted.sum() > 100
    np.testing.assert_array_equal(counted, layer["spike_count"])


@pytest.mark.medium
@pytest.mark.parametrize("target", ["torch", "cpp_standalone", "cuda_standalone"])
def test_targets_agree(target: Target) -> None:
    if target != "torch":
        need(target)
    net = network("decoded")
    options: dict[str, Any] = {"repeats": REPEATS, "chunk": 4}
    expected, tree = (ran(each, net, **options) for each in ("numpy", target))
    assert int(expected["/layers/output/spike_count"].sum()) > 50
    for name in ("first", "output"):
        assert_layers_agree(tree, expected, name)
    np.testing.assert_allclose(tree["reconstruction"], expected["reconstruction"], rtol=1e-12)


@pytest.mark.medium
def test_workers(expected: xr.DataTree) -> None:
    options = {"chunk": 2, "workers": 3}
    assert ran("numpy", network(), repeats=REPEATS, **options).identical(expected)


class KilledError(Exception):
    pass


@pytest.mark.medium
def test_an_interrupted_run_goes_on_with_chunks_of_another_size(
    expected: xr.DataTree, tmp_path: Path
) -> None:
    write_result(expected, tmp_path / "expected.nc")
    backend, path = Backend("numpy", record=["v"]), tmp_path / "r.nc"

    def kill(done: int, total: int) -> None:
        assert total == 9
        if done >= 4:
            raise KilledError

    with pytest.raises(KilledError):
        simulate_to(
            path, network(), IMAGES, replace(backend, chunk=2),
            progress=kill, repeats=REPEATS, seed=5,
        )  # fmt: skip
    with refused(OutputError, "repeats", expected="3", found="2"):
        simulate_to(path, network(), IMAGES, backend, resume=True, repeats=2, seed=5)
    backend = replace(backend, chunk=3)
    simulate_to(path, network(), IMAGES, backend, resume=True, repeats=REPEATS, seed=5)
    assert path.read_bytes() == (tmp_path / "expected.nc").read_bytes()


@pytest.mark.medium
def test_signals() -> None:
    net = drawn(
        dense("first", 5, delay="2*ms", gain=3.0), dense("last", 3, gain=3.0),
        input_shape=[2], steps=9, encoder={"kind": "frames", "random": True}, neuron="noisy_lif",
        task={"kind": "classification", "classes": 3},
    )  # fmt: skip
    signals = np.random.default_rng(3).normal(size=(3, 9, 2))
    expected = simulate(net, signals, "numpy", repeats=3)
    assert int(expected["/layers/last/spike_count"].sum()) > 20
    cut = simulate(net, signals, Backend("numpy", chunk=2), repeats=3)
    mirrored = simulate(net, signals, Backend("torch", chunk=4), repeats=3)
    alone = simulate(net, signals, "numpy", examples=[1])
    for name in ("first", "last"):
        one = expected[f"/layers/{name}"].to_dataset()
        for other in (cut, mirrored):
            xr.testing.assert_equal(one, other[f"/layers/{name}"].to_dataset())
        counts = alone[f"/layers/{name}/spike_count"]
        xr.testing.assert_equal(one["spike_count"].isel(example=[1], repeat=0, drop=True), counts)
    assert expected["output"].sizes == {"example": 3, "repeat": 3, "unit": 3}


def test_brian2_objects_present_repeats(expected: xr.DataTree) -> None:
    with activated("numpy"):  # Cython, Brian2's default, takes seconds for each code object
        built = build(network(), 9, record=["v"])
        built.present(IMAGES, seed=5, repeats=REPEATS)
        built.run()
        tree = built.result()
    xr.testing.assert_equal(tree["reconstruction"], expected["reconstruction"])
    assert_layers_agree(tree, expected, "output")


def assert_layers_agree(tree: xr.DataTree, expected: xr.DataTree, name: str) -> None:
    """Compare spikes exactly; noise of compiled code may differ in the last bit of a potential."""
    one, other = (each[f"/layers/{name}"].to_dataset() for each in (tree, expected))
    assert other["spike"].size > 20
    xr.testing.assert_equal(one.drop_vars("state_v"), other.drop_vars("state_v"))
    np.testing.assert_allclose(one["state_v"], other["state_v"], rtol=1e-12, atol=1e-12)


QUIET = {"encoder": {"kind": "constant_current"}}


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_a_network_without_noise_is_refused(target: Target) -> None:
    quiet = drawn(*LAYERS, input_shape=[1, 6, 6], steps=4, **QUIET)
    for repeats in (2, 0, -1, 1.5, "2", True, 2**32):
        with refused(InputError, "repeats"):
            simulate(quiet, IMAGES, target, repeats=repeats)


@given(repeats=st.integers(1, 5), cuts=st.lists(st.integers(0, 20), min_size=2, max_size=2))
def test_a_part_has_the_keys_and_the_input_of_its_presentations(
    repeats: int, cuts: list[int]
) -> None:
    whole = Presentations.of(network("encoder").config, IMAGES, repeats=repeats)
    assert len(whole) == 3 * repeats
    part = slice(*sorted(cuts))
    inner = slice(1, 3)
    for chosen, places in ((whole[part], [part]), (whole[part][inner], [part, inner])):
        expected = np.arange(len(whole))
        for place in places:
            expected = expected[place]
        assert len(chosen) == len(expected)
        example, repeat = np.divmod(expected, repeats)
        np.testing.assert_array_equal(chosen.key().examples, np.array(EXAMPLES)[example])
        if repeats > 1:
            np.testing.assert_array_equal(chosen.key().repeats, repeat)
        if len(chosen):
            np.testing.assert_array_equal(chosen.held(), whole.held()[expected])
            np.testing.assert_array_equal(chosen.drive(), whole.drive()[:, expected])


def test_the_keys_of_repeats() -> None:
    """The stream of a repeat is that of NumPy's generator, and of population 2^32 r."""
    drawn = uniform(3, np.array([7, 7]), 6, repeats=np.array([0, 2]))
    drawn_numbers = [numbers.copy() for numbers in drawn]
    np.testing.assert_array_equal(drawn_numbers[0], stream(3, 7).random(6))
    philox = np.random.Philox(key=[3, 7], counter=[0, 0, 0, 2 * 2**32])
    np.testing.assert_array_equal(drawn_numbers[1], np.random.Generator(philox).random(6))
    place: dict[str, Any] = {"step": 0, "call": 0, "count": 6}
    noise = draw("uniform", Key(3, np.array([7, 7]), np.array([0, 2])), population=0, **place)
    np.testing.assert_array_equal(noise, drawn_numbers)
