"""Differing spikes against sets of tuples, and results that cannot be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from refusals import refused

from bioae.analysis import differing_spikes, example_result
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]

RASTERS = arrays(bool, st.just((3, 4, 5)))


def places(raster: NDArray[np.bool_]) -> set[tuple[int, ...]]:
    return {tuple(place) for place in np.argwhere(raster).tolist()}


@given(first=RASTERS, second=RASTERS)
def test_counts_are_those_of_sets(
    make: Make, first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> None:
    row = differing_spikes(make(first), make(second)).isel(layer=0)
    a, b = places(first), places(second)
    assert int(row["spikes_a"]) == len(a)
    assert int(row["spikes_b"]) == len(b)
    assert int(row["common"]) == len(a & b)
    assert int(row["differing"]) == len(a ^ b)
    assert int(row["compared"]) == 60
    if a | b:
        assert float(row["spike_agreement"]) == pytest.approx(len(a & b) / len(a | b))
    else:
        assert np.isnan(float(row["spike_agreement"]))


def test_a_result_agrees_with_itself_in_every_layer() -> None:
    found = differing_spikes(example_result(), example_result())
    assert found["layer"].to_numpy().tolist() == ["conv", "latent", "output"]
    assert np.all(found["spikes_a"] > 1000)
    assert np.all(found["differing"] == 0)
    assert np.all(found["spike_agreement"] == 1)


def test_one_spike_that_moves_by_a_step_differs_twice(make: Make) -> None:
    raster = np.zeros((2, 4, 3), bool)
    raster[1, 2, 0] = raster[0, 0, 1] = True
    moved = raster.copy()
    moved[1, 2, 0], moved[1, 3, 0] = False, True
    row = differing_spikes(make(raster), make(moved)).isel(layer=0)
    assert (int(row["differing"]), int(row["common"])) == (2, 1)


def test_examples_are_matched_by_their_index_whatever_their_order(make: Make) -> None:
    raster = np.random.default_rng(3).random((3, 4, 5)) < 0.4
    order = [2, 0, 1]
    a = make(raster, example=np.array([10, 20, 30]))
    b = make(raster[order], example=np.array([10, 20, 30])[order])
    row = differing_spikes(a, b).isel(layer=0)
    assert int(row["common"]) == raster.sum() > 10
    assert int(row["differing"]) == 0


@pytest.mark.parametrize("block", [1, 7, 40])
def test_counts_are_the_same_in_blocks_of_any_size(
    make: Make, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    shown = np.random.default_rng(5).random((2, 6, 4, 5)) < [[[[0.2]]], [[[0.6]]]]
    order = [5, 2, 0, 1, 4, 3]
    a, b = make(shown[0]), make(shown[1][order], example=np.array(order))
    monkeypatch.setattr("bioae.analysis.results.spikes.BLOCK", block)
    row = differing_spikes(a, b).isel(layer=0)
    both = int((shown[0] & shown[1]).sum())
    assert [int(row[f"spikes_{side}"]) for side in "ab"] == shown.sum((1, 2, 3)).tolist()
    assert (int(row["common"]), int(row["differing"])) == (both, (shown[0] ^ shown[1]).sum())


@pytest.mark.parametrize(
    ("shape", "changes", "found"),
    [
        ((2, 4, 5), {}, "[0, 1]"),
        ((3, 4, 5), {"example": np.array([0, 1, 7])}, "[0, 1, 7]"),
        ((3, 4, 6), {}, "[6]"),
        ((3, 5, 5), {}, "5"),
        ((3, 4, 5), {"dt_ms": 1.0}, "1.0"),
        ((3, 4, 5), {"name": "other"}, "['other']"),
    ],
)
def test_results_of_different_runs_are_refused(
    make: Make, shape: tuple[int, ...], changes: dict[str, Any], found: str
) -> None:
    a, b = make(np.ones((3, 4, 5), bool)), make(np.ones(shape, bool), **changes)
    with refused(ResultError, found=found):
        differing_spikes(a, b)
