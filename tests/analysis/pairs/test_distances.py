"""Distances of trains against elephant, PySpike and closed forms."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import pyspike
import pytest
import quantities as pq
import xarray as xr
from elephant import spike_train_dissimilarity as elephant
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from refusals import refused

from bioae import analysis as distances
from bioae.analysis import example_result, raster
from bioae.errors import ResultError

DT_MS = 0.5
Raster = NDArray[np.bool_]
Distance = Callable[[xr.DataArray], xr.DataArray]

# (train, step): empty, single-spike and saturated trains among them.
RASTERS = st.tuples(st.integers(1, 5), st.integers(1, 14)).flatmap(
    lambda shape: st.tuples(
        arrays(bool, shape), st.sampled_from([np.zeros(shape[1], bool), np.ones(shape[1], bool)])
    ).map(np.vstack)
)
EVERY: list[Distance] = [
    distances.isi_distance, distances.spike_distance, distances.spike_synchronization,
    lambda trains: distances.van_rossum_distance(trains, tau_ms=1.0),
    lambda trains: distances.victor_purpura_distance(trains, cost_per_ms=0.3),
]  # fmt: skip


def trains_of(dense: Raster) -> xr.DataArray:
    grid = np.arange(dense.shape[1]) * DT_MS
    return xr.DataArray(dense, dims=("neuron", "time"), coords={"time": grid})


def in_neo(dense: Raster) -> list[neo.SpikeTrain]:
    stop = dense.shape[1] * DT_MS
    return [neo.SpikeTrain(np.flatnonzero(row) * DT_MS, units="ms", t_stop=stop) for row in dense]


@given(dense=RASTERS, tau=st.sampled_from([0.05, 0.7, 4.0, 1000.0, np.inf]))
@example(dense=np.eye(6, dtype=bool), tau=2.0)
def test_van_rossum_equals_that_of_elephant(dense: Raster, tau: float) -> None:
    found = distances.van_rossum_distance(trains_of(dense), tau_ms=tau)
    with warnings.catch_warnings():
        # Its own cancellation, where trains are equal.
        warnings.filterwarnings("ignore", "van_rossum_distance: very small", RuntimeWarning)
        expected = elephant.van_rossum_distance(in_neo(dense), tau * pq.ms)
    # Where trains are equal, elephant's distance is the root of its rounding.
    np.testing.assert_allclose(found**2, expected**2, rtol=1e-9, atol=1e-9)


def test_van_rossum_loses_no_digits_where_trains_are_nearly_equal() -> None:
    dense = np.ones((3, 400), bool)
    dense[1, 399] = False
    found = distances.van_rossum_distance(trains_of(dense), tau_ms=1e6).to_numpy()
    assert (found[0, 2], found[0, 1]) == (0, pytest.approx(1, rel=1e-12))


@given(dense=RASTERS, cost=st.sampled_from([0.0, 0.1, 0.77, 3.0, 50.0]))
@example(dense=np.eye(6, dtype=bool), cost=0.5)
def test_victor_purpura_equals_that_of_elephant(dense: Raster, cost: float) -> None:
    found = distances.victor_purpura_distance(trains_of(dense), cost_per_ms=cost)
    expected = elephant.victor_purpura_distance(in_neo(dense), cost / pq.ms)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    single = distances.victor_purpura_distance(trains_of(dense), cost_per_ms=np.inf)
    np.testing.assert_array_equal(single, (dense[:, None] ^ dense).sum(2))


def test_victor_purpura_across_blocks_equals_that_of_elephant() -> None:
    dense = np.random.default_rng(3).random((200, 12)) < 0.3
    found = distances.victor_purpura_distance(trains_of(dense), cost_per_ms=0.4).to_numpy()
    some = [0, 7, 95, 96, 97, 150, 191, 192, 199]
    expected = elephant.victor_purpura_distance(in_neo(dense[some]), 0.4 / pq.ms)
    np.testing.assert_allclose(found[np.ix_(some, some)], expected, atol=1e-9)
    np.testing.assert_array_equal(found, found.T)


@given(dense=RASTERS)
@example(dense=np.eye(6, dtype=bool))
@example(dense=np.random.default_rng(0).random((12, 60)) < 0.2)
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (distances.isi_distance, pyspike.isi_distance_matrix),
        (distances.spike_distance, pyspike.spike_distance_matrix),
        (distances.spike_synchronization, pyspike.spike_sync_matrix),
    ],
)
def test_parameter_free_distances_equal_those_of_pyspike(
    mine: Distance, theirs: Callable[..., Any], dense: Raster
) -> None:
    ends = [0.0, dense.shape[1] * DT_MS]
    trains = [pyspike.SpikeTrain(np.flatnonzero(row) * DT_MS, ends) for row in dense]
    np.testing.assert_allclose(mine(trains_of(dense)), theirs(trains), rtol=1e-9, atol=1e-9)


def test_spikes_one_step_from_each_other_coincide() -> None:
    dense = np.zeros((2, 40), bool)
    dense[0, 5::8] = dense[1, 6::8] = True
    assert float(distances.spike_synchronization(trains_of(dense))[0, 1]) == 1


@pytest.mark.parametrize("distance", EVERY)
def test_every_distance_is_a_matrix_of_its_trains(distance: Distance) -> None:
    trains = raster(example_result(), "conv", neuron=3)
    found = distance(trains)
    assert (found.dims, found.attrs["units"]) == (("example", "example_"), "1")
    assert found.attrs["long_name"]
    np.testing.assert_array_equal(found["example"], trains["example"])
    np.testing.assert_array_equal(found["example_"], trains["example"])
    own = 1 if found.name == "spike_synchronization" else 0
    np.testing.assert_array_equal(np.diag(found), own)
    np.testing.assert_allclose(found, found.T.to_numpy(), rtol=1e-12)
    assert found.to_numpy().std() > 0
    xr.testing.assert_identical(distance(trains.transpose("time", ...)), found)


@pytest.mark.parametrize("distance", EVERY)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 1), (3, 5), (0, 5)])
@pytest.mark.parametrize("full", [False, True])
def test_equal_trains_are_at_zero(distance: Distance, shape: tuple[int, int], full: bool) -> None:
    found = distance(trains_of(np.full(shape, full)))
    assert found.shape == (shape[0], shape[0])
    assert np.all(found == (1 if found.name == "spike_synchronization" else 0))


@pytest.mark.parametrize("distance", EVERY)
def test_data_other_than_rasters_are_refused(distance: Distance) -> None:
    trains = trains_of(np.eye(4, dtype=bool))
    for wrong in (trains.astype(int), trains[0], trains.rename(time="step"), trains[:, :0]):
        with refused(ResultError):
            distance(wrong)
    for wrong in (trains.drop_vars("time"), trains.assign_coords(time=[0, 1, 3, 4])):
        with refused(ResultError, where="time"):
            distances.van_rossum_distance(wrong, tau_ms=1)
