"""Outputs of tasks: the mirror and every target of Brian2, decoder by decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import SCHEDULES, dense, drawn, need
from one_build import Simulation, simulate_several

from bioae import simulate, simulate_to
from bioae.analysis import open_result
from bioae.datasets import Data
from bioae.errors import DataError
from bioae.networks import Network
from bioae.random import stream
from bioae.simulation import write_result
from bioae.simulation.backend import Backend, Target
from bioae.simulation.workers.job import chunk_size

STEPS, OUTPUTS = 8, 3
DECODERS: dict[str, dict[str, Any]] = {
    "max": {"kind": "max"},
    "count": {"kind": "count"},
    "summed_softmax": {"kind": "summed_softmax"},
    "trajectory": {"kind": "trajectory", "scale": 4.0},
    "population": {"kind": "population", "neurons": 4},
    "population_spikes": {"kind": "population", "neurons": 4, "of": "spikes"},
    "first_spike": {"kind": "first_spike"},
}
#: The rounding of `exp`, in which the libraries of both sides differ; other decoders are exact.
TOLERANCE = {"summed_softmax": 1e-13}


def network(decoder: str, schedule: str = "brian2", **fields: Any) -> Network:
    fields = {"steps": STEPS, "input_shape": [1, 4, 4], "schedule": schedule, **fields}
    task = {"kind": "regression", "outputs": OUTPUTS}
    if decoder == "trajectory":
        task["kind"] = "sequence"
    units = OUTPUTS * DECODERS[decoder].get("neurons", 1)
    layers = [dense("first", 12, gain=4.0), dense("last", units, gain=4.0)]
    return drawn(*layers, seed=3, decoder=DECODERS[decoder], task=task, **fields)


def examples(decoder: str, count: int = 5) -> Data:
    shape = (count, STEPS, OUTPUTS) if decoder == "trajectory" else (count, OUTPUTS)
    pixels = stream(1, 0).random((count, 1, 4, 4))
    targets = stream(2, 0).normal(size=shape)
    return Data.of_images(
        pixels, name="noise", split="test", indices=np.arange(10, 10 + count), targets=targets
    )


def assert_same(actual: xr.DataTree, expected: xr.DataTree, decoder: str) -> None:
    for name, layer in expected.children["layers"].children.items():
        assert int(layer["spike_count"].sum()) > 20
        xr.testing.assert_identical(actual[f"/layers/{name}"].to_dataset(), layer.to_dataset())
    outputs = expected["output"].to_numpy()
    # Something is decoded, and examples and outputs differ.
    assert np.ptp(outputs, 0).max() > 0.1
    assert np.ptp(outputs, -1).max() > 0.1
    tolerance = TOLERANCE.get(decoder, 0.0) * np.abs(outputs).max()
    np.testing.assert_allclose(actual["output"].to_numpy(), outputs, rtol=0, atol=tolerance)
    xr.testing.assert_identical(actual["target"], expected["target"])
    assert actual["output"].dims == actual["target"].dims
    assert "reconstruction" not in actual
    assert actual.attrs["task"] == expected.attrs["task"] != "reconstruction"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("decoder", DECODERS)
def test_mirror_equals_numpy(decoder: str, schedule: str) -> None:
    net, images = network(decoder, schedule), examples(decoder)
    mirrored = simulate(net, images, "torch")
    assert_same(simulate(net, images, "numpy"), mirrored, decoder)


@pytest.mark.parametrize("decoder", ["trajectory", "first_spike"])
def test_chunks_do_not_matter(decoder: str, tmp_path: Path) -> None:
    net, images = network(decoder), examples(decoder)
    expected = simulate(net, images, "torch")
    assert_same(simulate(net, images, Backend("torch", chunk=2)), expected, decoder)
    simulate_to(tmp_path / "parts.nc", net, images, Backend("numpy", chunk=2))
    assert_same(open_result(tmp_path / "parts.nc"), expected, decoder)
    whole = simulate(net, images, "numpy")
    write_result(whole, tmp_path / "whole.nc")
    assert (tmp_path / "whole.nc").read_bytes() == (tmp_path / "parts.nc").read_bytes()


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize(
    "target", ["cpp_standalone", pytest.param("cython", marks=pytest.mark.slow)]
)
def test_compiled_targets(target: Target) -> None:
    """All decoders in one build, in both schedules."""
    need(target)
    cases = [(name, SCHEDULES[n % 2]) for n, name in enumerate(DECODERS)]
    work = [Simulation(network(*case), examples(case[0])) for case in cases]
    results = simulate_several(work, target=target)
    for (decoder, _), each, result in zip(cases, work, results, strict=True):
        assert_same(result, simulate(each.network, each.images, "torch"), decoder)


def test_float32() -> None:
    net, images = network("trajectory"), examples("trajectory")
    single = simulate(net, images, Backend("numpy", "float32"))
    assert single["output"].dtype == np.float64
    expected = simulate(net, images, "torch")["output"]
    np.testing.assert_allclose(single["output"], expected, rtol=1e-5, atol=1e-5)


def test_the_memory_of_a_chunk_counts_the_recorded_potential() -> None:
    sizes = {name: chunk_size(network(name, steps=STEPS).config, ()) for name in DECODERS}
    assert sizes["trajectory"] < sizes["count"]
    assert sizes["summed_softmax"] < sizes["max"] <= sizes["count"]


def test_examples_without_targets() -> None:
    net, images = network("max"), examples("max").as_float()
    result = simulate(net, images, "numpy")
    assert "target" not in result
    assert result["output"].shape == (5, OUTPUTS)


def test_labels_of_a_classifier() -> None:
    task = {"kind": "classification", "classes": OUTPUTS}
    net = drawn(dense("last", OUTPUTS, gain=4.0), input_shape=[1, 4, 4], steps=4, task=task)
    pixels = examples("max").values
    known = Data.of_images(pixels, labels=np.array([0, 2, 1, 1, 0]), name="noise", split="test")
    result = simulate(net, known, "numpy")
    assert result["label"].to_numpy().tolist() == [0, 2, 1, 1, 0]
    assert "target" not in result
    foreign = Data.of_images(pixels, labels=np.array([0, 3, 1, 1, 0]), name="noise", split="test")
    for target in ("torch", "numpy"):
        with pytest.raises(DataError, match="a label is not that of a class; expected 0 to 2"):
            simulate(net, foreign, target)


def test_targets_that_do_not_fit_are_refused() -> None:
    wrong = examples("trajectory")
    with pytest.raises(DataError, match=r"expected the shape \(3,\) for each.*found \(8, 3\)"):
        simulate(network("max"), wrong, "numpy")
