"""Cost of images, counted synapse by synapse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bioae.analysis import example_result
from bioae.analysis.coding.costs import cost
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]

RASTERS = arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)))


@given(raster=RASTERS, data=st.data())
def test_events_are_spikes_times_the_synapses_they_reach(
    make: Make, raster: NDArray[np.bool_], data: st.DataObject
) -> None:
    examples, steps, neurons = raster.shape
    synapses = data.draw(arrays(bool, (neurons, 3)))
    found = cost(make(raster), fan_out={"latent": synapses.sum(1)}).isel(layer=0)
    events = sum(int(synapses[neuron].sum()) for _, _, neuron in np.argwhere(raster))
    assert float(found["synaptic_events"]) == pytest.approx(events / examples)
    assert float(found["spikes"]) == pytest.approx(raster.sum() / examples)
    assert float(found["dense_operations"]) == synapses.sum()
    assert float(found["clocked_operations"]) == synapses.sum() * steps
    if synapses.any():
        quotient = events / examples / synapses.sum()
        assert float(found["events_per_dense_operation"]) == pytest.approx(quotient)
    else:
        assert np.isnan(found["events_per_dense_operation"])


def test_spikes_are_known_without_fan_out_and_the_rest_is_nan() -> None:
    tree = example_result()
    found = cost(tree, fan_out={"latent": 144})
    assert list(found["layer"].to_numpy()) == ["conv", "latent", "output"]
    assert (found["spikes"] > 0).all()
    known = np.isfinite(found["synaptic_events"].to_numpy())
    assert known.tolist() == [False, True, False]
    latent = found.sel(layer="latent")
    assert float(latent["synaptic_events"]) == pytest.approx(float(latent["spikes"]) * 144)
    assert float(latent["dense_operations"]) == 10 * 144
    assert np.isnan(cost(tree)["synaptic_events"]).all()
    assert all(array.attrs["long_name"] for array in found.values())


def test_a_neuron_that_always_fires_costs_as_much_as_a_clocked_one(make: Make) -> None:
    found = cost(make(np.ones((3, 7, 4), bool)), fan_out={"latent": [1, 2, 3, 4]}).isel(layer=0)
    assert float(found["synaptic_events"]) == float(found["clocked_operations"]) == 70
    assert float(found["events_per_dense_operation"]) == 7


def test_fan_outs_that_do_not_fit_are_refused(make: Make) -> None:
    tree = make(np.ones((2, 3, 4), bool))
    with pytest.raises(ResultError, match="no such layer"):
        cost(tree, fan_out={"input": 3})
    for wrong in ([1, 2], -1, [1, 2, 3, np.nan]):
        with pytest.raises(ResultError, match="does not fit"):
            cost(tree, fan_out={"latent": wrong})
