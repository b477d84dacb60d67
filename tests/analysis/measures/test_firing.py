"""Counts, rates and bursting against manual counts, theory, and dense NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bioae import analysis

Make = Callable[..., xr.DataTree]


# (example, step, neuron)
RASTERS = arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)))


def values(array: xr.DataArray) -> list[float]:
    return [float(value) for value in array.to_numpy()]


def test_numbers_that_were_counted_manually(counted: xr.DataTree) -> None:
    layer = (counted, "latent")
    assert values(analysis.spike_count(*layer, dims="example")) == [0, 1, 4, 2, 2]
    assert values(analysis.is_alive(*layer)) == [False, True, True, True, True]
    assert values(analysis.is_silent(*layer)) == [False, False, True]
    assert values(analysis.active_fraction(*layer)) == pytest.approx([3 / 5, 2 / 5, 0])
    assert values(analysis.active_fraction(*layer, of="alive")) == pytest.approx([3 / 4, 2 / 4, 0])
    assert float(analysis.dead_fraction(*layer)) == pytest.approx(1 / 5)
    assert float(analysis.silent_fraction(*layer)) == pytest.approx(1 / 3)
    assert float(analysis.rate_per_step(*layer, dims=("example", "neuron"))) == pytest.approx(
        9 / (3 * 4 * 5)
    )
    assert float(analysis.rate_per_step_mean_alive(*layer)) == pytest.approx(9 / (3 * 4 * 4))
    # 4 steps of 0.5 ms: a spike in a presentation is 500 Hz.
    assert values(analysis.firing_rate(*layer)) == pytest.approx(
        [0, 500 / 3, 2000 / 3, 1000 / 3, 1000 / 3]
    )
    assert values(analysis.rate_per_step(*layer)) == pytest.approx(
        [0, 1 / 12, 4 / 12, 2 / 12, 2 / 12]
    )


@pytest.mark.parametrize(
    ("threshold", "bursting"),
    [
        (0.0, [False, True, True, True, True]),
        (0.24, [False, True, True, True, True]),
        (0.25, [False, False, True, False, True]),
        (0.49, [False, False, True, False, True]),
        (0.5, [False, False, True, False, False]),
        (1.0, [False, False, False, False, False]),
    ],
)
def test_a_neuron_bursts_by_the_examples_in_which_it_fires(
    counted: xr.DataTree, threshold: float, bursting: list[bool]
) -> None:
    found = analysis.is_bursting(counted, "latent", threshold=threshold)
    assert values(found) == bursting
    for of, neurons in (("all", 5), ("alive", 4)):
        fraction = analysis.bursting_fraction(counted, "latent", threshold=threshold, of=of)  # type: ignore[arg-type]
        assert float(fraction) == pytest.approx(sum(bursting) / neurons)


def test_undefined_numbers_of_a_dead_layer_are_nan_and_the_others_zero(make: Make) -> None:
    dead = make(np.zeros((2, 3, 4), bool))
    row = analysis.summary(dead).isel(layer=0)
    undefined = {str(name) for name, value in row.data_vars.items() if np.isnan(float(value))}
    assert undefined == {"rate_per_step_mean_alive", "bursting_of_alive", "active_of_alive"}
    assert float(row["dead_fraction"]) == float(row["silent_fraction"]) == 1
    zero = (
        "spikes",
        "rate_per_step_mean",
        "rate_hz_mean",
        "bursting_fraction",
        "active_fraction_mean",
    )
    assert [float(row[name]) for name in zero] == [0] * len(zero)


@given(raster=RASTERS)
def test_every_measure_agrees_with_the_dense_raster(make: Make, raster: NDArray[np.bool_]) -> None:
    tree = make(raster)
    alive = raster.any((0, 1))
    row = analysis.summary(tree).isel(layer=0)
    assert int(row["spikes"]) == raster.sum()
    assert float(row["rate_per_step_mean"]) == pytest.approx(raster.mean())
    assert float(row["dead_fraction"]) == pytest.approx(1 - alive.mean())
    assert float(row["active_fraction_mean"]) == pytest.approx(raster.any(1).mean())
    assert float(row["silent_fraction"]) == pytest.approx(1 - raster.any((1, 2)).mean())
    bursting = 0
    for neuron in np.flatnonzero(alive):
        per_example = raster[:, :, neuron].mean(1)
        bursting += per_example[per_example > 0].mean() > 0.5
    assert float(row["bursting_fraction"]) == pytest.approx(bursting / alive.size)
    if alive.any():
        assert float(row["rate_per_step_mean_alive"]) == pytest.approx(raster[:, :, alive].mean())
        assert float(row["active_of_alive"]) == pytest.approx(raster[:, :, alive].any(1).mean())
        # Density is that of the alive, times how many are alive.
        product = float(row["rate_per_step_mean_alive"]) * (1 - float(row["dead_fraction"]))
        assert float(row["rate_per_step_mean"]) == pytest.approx(product)


@given(raster=RASTERS, bins=st.integers(1, 12))
def test_the_distribution_holds_every_living_neuron_once(
    make: Make, raster: NDArray[np.bool_], bins: int
) -> None:
    found = analysis.rate_distribution(make(raster), "latent", bins=bins)
    assert int(found["neurons"].sum()) + int(found["dead"]) == raster.shape[2]
    assert int(found["dead"]) == (~raster.any((0, 1))).sum()
    np.testing.assert_allclose(found["rate_low"][1:], found["rate_high"][:-1])
