"""Spikes read by blocks and as rasters: every spike once, of the right example, from disk too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st
from rasters import Raster, make, rasters
from refusals import refused

from bioae.analysis.results.rasters import raster
from bioae.analysis.results.spikes import blocks, trains
from bioae.errors import ResultError

RASTERS = rasters((1, 5), (1, 6), (1, 5))


def dense(tree: xr.DataTree, spikes: int) -> tuple[Raster, list[int]]:
    """Lay out all blocks, (example, step, neuron), and return their starts."""
    data = tree["layers/latent"]
    found = np.zeros((data.sizes["example"], tree.attrs["steps"], data.sizes["neuron"]), bool)
    starts = []
    for block in blocks(tree, "latent", spikes=spikes):
        starts.append(block.start)
        place = (block.position + block.start, block.step, block.neuron)
        assert not found[place].any()
        found[place] = True
        # Sorted by example, time and neuron.
        assert (np.diff(np.ravel_multi_index(place, found.shape)) > 0).all()
        assert (block.position < block.examples).all()
    return found, starts


@given(shown=RASTERS, spikes=st.integers(1, 40), data=st.data())
@example(shown=np.zeros((3, 2, 2), bool), spikes=1, data=None)
@example(shown=np.ones((3, 2, 2), bool), spikes=1, data=None)
def test_blocks_hold_spikes_of_chosen_examples_once(shown: Raster, spikes: int, data: Any) -> None:
    examples = len(shown)
    order = list(range(examples))
    if data is not None:
        order = data.draw(st.permutations(order))[: data.draw(st.integers(1, examples))]
    # Values that are no positions, and not sorted.
    tree = make(shown, example=(np.arange(examples) * 7 + 3) % (examples * 7))
    chosen = tree.isel(example=order)
    found, starts = dense(chosen, spikes)
    assert (found == shown[order]).all()
    assert starts[0] == 0
    assert starts == sorted(set(starts))


def test_a_block_is_cut_between_examples_and_holds_no_more_than_asked() -> None:
    tree = make(np.ones((6, 2, 3), bool))
    sizes = [(block.start, block.neuron.size) for block in blocks(tree, "latent", spikes=13)]
    assert sizes == [(0, 12), (2, 12), (4, 12)]
    assert [block.examples for block in blocks(tree, "latent", spikes=1)] == [1] * 6
    silent = make(np.zeros((6, 2, 3), bool))
    assert [block.examples for block in blocks(silent, "latent", spikes=4)] == [2, 2, 2]


@pytest.mark.parametrize("chunks", [None, {}], ids=["file", "dask"])
def test_a_result_is_read_from_disk_as_is(tmp_path: Path, chunks: dict[str, int] | None) -> None:
    shown = np.random.default_rng(3).random((7, 5, 4)) < 0.4
    make(shown).to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "result.nc", engine="h5netcdf", chunks=chunks) as tree:
        found, starts = dense(tree.isel(example=[5, 0, 2]), 8)
        assert (found == shown[[5, 0, 2]]).all()
        assert len(starts) > 1


@given(shown=RASTERS)
def test_trains_are_the_spikes_sorted_by_neuron(shown: Raster) -> None:
    (block,) = blocks(make(shown), "latent")
    bounds, position, step = trains(block)
    neuron = np.repeat(np.arange(block.neurons), np.diff(bounds))
    expected = np.argwhere(shown.transpose(2, 0, 1))
    assert (np.stack([neuron, position, step], 1) == expected).all()


def test_a_raster_is_of_one_example_or_of_one_neuron() -> None:
    shown = np.random.default_rng(4).random((3, 5, 4)) < 0.5
    tree = make(shown, example=np.array([30, 10, 20]))
    for position, value in enumerate((30, 10, 20)):
        found = raster(tree, "latent", example=value)
        assert found.dims == ("neuron", "time")
        assert found.dtype == bool
        assert (found.to_numpy() == shown[position].T).all()
        assert int(found["example"]) == value
    for neuron in range(4):
        found = raster(tree, "latent", neuron=neuron)
        assert found.dims == ("example", "time")
        assert (found.to_numpy() == shown[:, :, neuron]).all()
        assert list(found["example"]) == [30, 10, 20]
    assert list(found["time"]) == [0, 0.5, 1, 1.5, 2]
    assert found["time"].attrs["units"] == "ms"


@pytest.mark.parametrize(
    ("which", "fields"),
    [
        ({}, {"expected": "one of the two"}),
        ({"example": 0, "neuron": 0}, {"expected": "one of the two"}),
        ({"example": 9}, {"where": "latent", "found": "9"}),
        ({"neuron": 5}, {"where": "latent", "expected": "0 to 4", "found": "5"}),
        ({"neuron": -1}, {"where": "latent", "found": "-1"}),
    ],
)
def test_a_raster_of_a_missing_example_or_neuron_is_refused(
    counted: xr.DataTree, which: dict[str, int], fields: dict[str, str]
) -> None:
    with refused(ResultError, **fields):
        raster(counted, "latent", **which)


def test_an_example_that_is_selected_twice_is_refused(counted: xr.DataTree) -> None:
    with refused(ResultError, where="example", found="0 again"):
        list(blocks(counted.isel(example=[0, 0]), "latent"))
