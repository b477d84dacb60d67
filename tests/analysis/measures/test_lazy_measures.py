"""Measures of a result that is still on disk, or in dask's chunks, are those of it in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bioae.analysis import example_result
from bioae.analysis.coding.class_responses import class_separation, rates_by_class
from bioae.analysis.coding.costs import cost, operations
from bioae.analysis.coding.information import count_information, latency_information
from bioae.analysis.coding.readout import linear_readout
from bioae.analysis.coding.receptive_fields import spike_triggered_average
from bioae.analysis.firing.rate_distributions import fit_rates, rate_statistics
from bioae.analysis.firing.rates import population_rate
from bioae.simulation.results.netcdf import write_result

Measure = Callable[[xr.DataTree], xr.DataArray | xr.Dataset]

MEASURES: dict[str, Measure] = {
    "count_information": lambda tree: count_information(tree, "conv"),
    "class_separation": lambda tree: class_separation(tree, "conv"),
    "cost": lambda tree: cost(tree, fan_out={"conv": np.arange(144)}),
    "fit_rates": lambda tree: fit_rates(tree, "conv"),
    "latency_information": lambda tree: latency_information(tree, "conv"),
    "linear_readout": lambda tree: linear_readout(tree, "conv", folds=2),
    "operations": lambda tree: operations(
        tree,
        {name: {"forward": 2, "recurrent": 3} for name in ("conv", "latent", "output")},
        input_events=np.ones(7),
    ),
    "population_rate": lambda tree: population_rate(tree, "conv", sigma_ms=2.0),
    "rate_statistics": lambda tree: rate_statistics(tree, "conv"),
    "rates_by_class": lambda tree: rates_by_class(tree, "conv"),
    "spike_triggered_average": lambda tree: spike_triggered_average(tree, "conv"),
}


def whole() -> xr.DataTree:
    """Return the example with classes that have two examples or more."""
    tree = example_result()
    root = tree.to_dataset()
    tree.dataset = root.assign(label=("example", np.arange(root.sizes["example"]) % 3))
    return tree


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[xr.DataTree]:
    path: Path = tmp_path_factory.mktemp("lazy") / "result.nc"
    write_result(whole(), path)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        yield tree


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("how", ["opened", "chunked", "chosen"])
def test_results_do_not_depend_on_the_place_of_the_arrays(
    on_disk: xr.DataTree, name: str, how: str
) -> None:
    tree, expected = on_disk, whole()
    if how == "chunked":
        tree = tree.chunk({"example": 5, "spike": 700})
    if how == "chosen":
        order = [11, 0, 1, 2, 3, 4, 5, 6]
        tree, expected = tree.isel(example=order), expected.isel(example=order)
    found = MEASURES[name](tree)
    xr.testing.assert_allclose(found.compute(), MEASURES[name](expected))
