"""A part of each presentation: its spikes, counts, states, signals and outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import strategies as st
from rasters import ODD, Raster, make, properties, rasters
from refusals import refused

from bioae.analysis import (
    differing_spikes,
    from_monitors,
    open_result,
    presentations,
    raster,
    time_slice,
)
from bioae.analysis.comparison.effects import is_paired
from bioae.errors import ResultError
from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.netcdf import write_result

CUT = st.integers(0, 100)


def dense(tree: xr.DataTree) -> Raster:
    return np.array([raster(tree, "latent", example=each).T for each in tree["example"].to_numpy()])


@properties(rasters(steps=(2, 9)), cut=(CUT, 50))
def test_a_part_is_the_result_of_a_part_of_the_raster(raster: Raster, cut: int) -> None:
    middle = max(1, raster.shape[1] * cut // 101)
    tree = make(raster)
    for part, window in (
        (raster[:, :middle], (0, middle * 0.5)),
        (raster[:, middle:], (middle * 0.5,)),
    ):
        expected = make(part)
        expected.attrs["start_ms"] = float(window[0])
        xr.testing.assert_identical(time_slice(tree, *window), expected)


@pytest.mark.parametrize("chosen", [slice(None), [2, 0]], ids=str)
def test_repeats_and_selections_are_cut_and_written(chosen: Any, tmp_path: Path) -> None:
    spikes = np.random.default_rng(3).random((3, 4, 9, 5)) < 0.4
    tree = make(spikes).isel(example=chosen)
    part = time_slice(time_slice(tree, 1.0), 0.5, 3.0)
    assert part.attrs["start_ms"] == 1.5
    expected = spikes[chosen][:, :, 3:8]
    np.testing.assert_array_equal(part["layers/latent/spike_count"], expected.sum(2))
    write_result(part, tmp_path / "part.nc")
    xr.testing.assert_identical(open_result(tmp_path / "part.nc"), part)
    np.testing.assert_array_equal(dense(presentations(part)), expected.reshape(-1, 5, 5))
    write_result(tree, tmp_path / "whole.nc")
    xr.testing.assert_identical(time_slice(tmp_path / "whole.nc", 1.5, 4.0), part)


def test_what_has_steps_is_cut() -> None:
    values = np.random.default_rng(1).random((3, 9, 5))

    def spiking(steps: int, step: int) -> LayerSpikes:
        states = {"v": (values[:, 4 - step : 4 - step + steps], "mV")}
        one = {n: np.array([v]) for n, v in {"example": 0, "step": step, "neuron": 2}.items()}
        return LayerSpikes.of("latent", (5,), **one, examples=3, steps=steps, states=states)

    sequence = {"images": values, "output": values[..., :2], "desired": values[..., 2:4]}
    sequence |= {"task": "sequence", "layers": [spiking(9, 4)]}
    tree = make(np.zeros((3, 9, 5), bool), **sequence)
    part = time_slice(tree, 1.0, 3.0)
    sliced: dict[str, Any] = {n: sequence[n][:, 2:6] for n in ("images", "output", "desired")}
    expected = make(np.zeros((3, 4, 5), bool), **(sequence | sliced | {"layers": [spiking(4, 2)]}))
    expected.attrs["start_ms"] = 1.0
    xr.testing.assert_identical(part, expected)
    tree = make(np.zeros((3, 9, 5), bool), layers=[spiking(9, 4)])
    layer = tree["layers/latent"].to_dataset(inherit=False).isel(time=slice(4))
    tree["layers/latent"] = xr.DataTree(layer)
    with refused(ResultError, where=re.compile("latent"), found="4"):
        time_slice(tree, 1.0, 2.0)


@pytest.mark.parametrize(
    ("window", "name"),
    [((0.2,), "start_ms"), ((-0.5,), "start_ms"), ((0, 5), "stop_ms"), ((2, 2), "stop_ms"),
     ((np.nan,), "start_ms"), ((0, np.inf), "stop_ms"), ((4.5,), "stop_ms")],
)  # fmt: skip
def test_times_that_are_no_window(window: tuple[float, ...], name: str) -> None:
    with refused(ResultError, where=name):
        time_slice(make(ODD[1]), *window)


def test_a_result_without_all_neurons_is_refused() -> None:
    with refused(ResultError, where=re.compile("latent")):
        time_slice(make(ODD[1]).isel(neuron=[1]))


def test_long_trials_have_no_times_between_steps() -> None:
    recorded = from_monitors([[10.0]], duration=20.0)
    assert time_slice(recorded, 10_000.0, 10_000.1).attrs["steps"] == 1
    for window in ((10_000.04, 10_000.06), (0, 20_000.09)):
        with refused(ResultError, expected=re.compile("multiple of 0.1 ms")):
            time_slice(recorded, *window)


def test_parts_of_a_recording_are_of_the_same_neurons() -> None:
    recorded = from_monitors([[0.1, 0.6], [0.2], [0.7, 0.8]], duration=1.0)
    early, late = time_slice(recorded, 0, 500), time_slice(recorded, 500)
    assert is_paired(early, late) is None
    assert is_paired(early, time_slice(from_monitors([[0.1]] * 3, duration=1.0), 500)) is False
    with refused(ResultError, "start_ms"):
        differing_spikes(early, late)
