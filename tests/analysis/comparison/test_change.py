"""Differing spikes against sets of tuples, and effects of a change of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from rasters import Raster, make, rasters
from refusals import refused

from bioae import analysis
from bioae.errors import ResultError

RASTERS = rasters((3, 3), (4, 4), (5, 5))


def places(raster: Raster) -> set[tuple[int, ...]]:
    return {tuple(place) for place in np.argwhere(raster).tolist()}


@given(first=RASTERS, second=RASTERS)
def test_counts_are_those_of_sets(first: Raster, second: Raster) -> None:
    row = analysis.differing_spikes(make(first), make(second)).isel(layer=0)
    a, b = places(first), places(second)
    assert (int(row["spikes_a"]), int(row["spikes_b"])) == (len(a), len(b))
    assert (int(row["common"]), int(row["differing"])) == (len(a & b), len(a ^ b))
    assert int(row["compared"]) == 60
    if a | b:
        assert float(row["spike_agreement"]) == pytest.approx(len(a & b) / len(a | b))
    else:
        assert np.isnan(float(row["spike_agreement"]))


def test_a_result_agrees_with_itself_in_every_layer() -> None:
    found = analysis.differing_spikes(analysis.example_result(), analysis.example_result())
    assert found["layer"].to_numpy().tolist() == ["conv", "latent", "output"]
    assert np.all(found["spikes_a"] > 1000)
    assert np.all(found["differing"] == 0)
    assert np.all(found["spike_agreement"] == 1)


def test_one_spike_that_moves_by_a_step_differs_twice() -> None:
    raster = np.zeros((2, 4, 3), bool)
    raster[1, 2, 0] = raster[0, 0, 1] = True
    moved = raster.copy()
    moved[1, 2, 0], moved[1, 3, 0] = False, True
    row = analysis.differing_spikes(make(raster), make(moved)).isel(layer=0)
    assert (int(row["differing"]), int(row["common"])) == (2, 1)


def test_examples_are_matched_by_their_index_whatever_their_order() -> None:
    raster = np.random.default_rng(3).random((3, 4, 5)) < 0.4
    order = [2, 0, 1]
    a = make(raster, example=np.array([10, 20, 30]))
    b = make(raster[order], example=np.array([10, 20, 30])[order])
    row = analysis.differing_spikes(a, b).isel(layer=0)
    assert int(row["common"]) == raster.sum() > 10
    assert int(row["differing"]) == 0


@pytest.mark.parametrize("block", [1, 7, 40])
def test_counts_are_those_of_any_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    shown = np.random.default_rng(5).random((2, 6, 4, 5)) < [[[[0.2]]], [[[0.6]]]]
    order = [5, 2, 0, 1, 4, 3]
    a, b = make(shown[0]), make(shown[1][order], example=np.array(order))
    monkeypatch.setattr("bioae.analysis.results.spikes.BLOCK", block)
    row = analysis.differing_spikes(a, b).isel(layer=0)
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
    shape: tuple[int, ...], changes: dict[str, Any], found: str
) -> None:
    a, b = make(np.ones((3, 4, 5), bool)), make(np.ones(shape, bool), **changes)
    with refused(ResultError, found=found):
        analysis.differing_spikes(a, b)


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return analysis.example_result()


def test_nothing_changed(tree: xr.DataTree) -> None:
    found = analysis.firing_change(tree, tree)
    table = analysis.summary(tree)
    assert list(found["layer"]) == list(table["layer"])
    for name in ("rate_hz_mean", "rate_per_step_mean", "dead_fraction", "bursting_fraction"):
        for when in ("before", "after"):
            np.testing.assert_array_equal(found[f"{name}_{when}"], table[name])
    assert found["rate_hz_mean_after"].attrs == {"long_name": "mean rate after", "units": "Hz"}


def test_a_neuron_bursts_at_the_same_rate_where_steps_are_finer(tree: xr.DataTree) -> None:
    finer = tree.copy()
    finer.attrs |= {"dt_ms": tree.attrs["dt_ms"] / 4, "steps": tree.attrs["steps"] * 4}
    found = analysis.firing_change(tree, finer)
    np.testing.assert_allclose(found["rate_hz_mean_after"], found["rate_hz_mean_before"])
    np.testing.assert_allclose(
        4 * found["rate_per_step_mean_after"], found["rate_per_step_mean_before"]
    )
    np.testing.assert_array_equal(
        found["bursting_fraction_after"], found["bursting_fraction_before"]
    )
    bursting = analysis.summary(tree, bursting_threshold=0.125)["bursting_fraction"]
    assert (bursting != found["bursting_fraction_after"]).any()


def test_a_better_reconstruction(tree: xr.DataTree) -> None:
    better = tree.copy()
    better["reconstruction"] = tree["input"]
    errors = analysis.score_change(tree, better)["value"].sel(score="mean_squared_error")
    assert errors["when"].to_numpy().tolist() == ["before", "after"]
    assert float(errors[1]) == 0 < float(errors[0])


def test_other_examples_or_layers_are_refused(tree: xr.DataTree) -> None:
    with refused(ResultError, found=str([*range(101, 112)])):
        analysis.firing_change(tree, tree.isel(example=slice(1, None)))
    first = next(iter(tree["layers"].children))
    rest = {node.path: node.to_dataset() for node in tree.subtree if node.name != first}
    fewer = xr.DataTree.from_dict(rest)
    with refused(ResultError, found="['latent', 'output']"):
        analysis.score_change(tree, fewer)
