"""Properties of all measures of spikes: results on disk, and nearly empty results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.latent_space import participation_ratio
from bioae.analysis.firing.counts import bursting_fraction, dead_fraction, silent_fraction
from bioae.analysis.firing.intervals import (
    burst_index,
    chance_isi_cv,
    interval_histogram,
    isi_cv,
    isi_cv2,
    isi_distribution,
    lv,
    lvr,
    mean_interval,
    refractory_violations,
)
from bioae.analysis.firing.sparseness import lifetime_sparseness, population_sparseness
from bioae.analysis.firing.variability import dispersion, fano_factor
from bioae.analysis.pairs.coincidences import cross_correlogram, spike_time_tiling, synchrony
from bioae.analysis.pairs.correlations import (
    correlation_matrix,
    mean_pairwise_correlation,
    temporal_correlation_matrix,
)
from bioae.analysis.results.rasters import raster
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]
Found = xr.DataArray | xr.Dataset

MEASURES: dict[str, Callable[[xr.DataTree, str], Found]] = {
    "interval_histogram": interval_histogram,
    "isi_distribution": isi_distribution,
    "mean_interval": mean_interval,
    "burst_index": lambda *layer: burst_index(*layer, shorter_than_ms=1),
    "refractory_violations": lambda *layer: refractory_violations(*layer, period_ms=1),
    "isi_cv": isi_cv,
    "chance_isi_cv": chance_isi_cv,
    "isi_cv2": isi_cv2,
    "lv": lv,
    "lvr": lvr,
    "fano_factor": fano_factor,
    "fano_factor in windows": lambda *layer: fano_factor(*layer, window_ms=0.5),
    "dispersion": dispersion,
    "lifetime_sparseness": lifetime_sparseness,
    "lifetime kurtosis": lambda *layer: lifetime_sparseness(*layer, measure="kurtosis"),
    "population_sparseness": population_sparseness,
    "population hoyer": lambda *layer: population_sparseness(*layer, measure="hoyer"),
    "correlation_matrix": correlation_matrix,
    "noise correlation": lambda *layer: correlation_matrix(*layer, kind="noise"),
    "signal correlation": lambda *layer: correlation_matrix(*layer, kind="signal"),
    "mean_pairwise_correlation": mean_pairwise_correlation,
    "mean noise": lambda *layer: mean_pairwise_correlation(*layer, kind="noise"),
    "mean signal": lambda *layer: mean_pairwise_correlation(*layer, kind="signal"),
    "temporal": lambda *layer: temporal_correlation_matrix(*layer, example=0),
    "participation_ratio": participation_ratio,
    "cross_correlogram": lambda *layer: cross_correlogram(*layer, [(0, 0)]),
    "synchrony": synchrony,
    "spike_time_tiling": lambda *layer: spike_time_tiling(*layer, window_ms=0.5),
    "raster": lambda *layer: raster(*layer, example=0),
}
# These vary over several, and one is refused.
OVER_EXAMPLES = {
    "fano_factor",
    "fano_factor in windows",
    "dispersion",
    "lifetime_sparseness",
    "lifetime kurtosis",
    "correlation_matrix",
    "noise correlation",
    "signal correlation",
    "mean_pairwise_correlation",
    "mean noise",
    "mean signal",
    "participation_ratio",
}
OVER_NEURONS = {"population_sparseness", "population hoyer"}

# Of each: (example, step, neuron)
SHAPES = {
    "usual": (4, 6, 3),
    "one example": (1, 6, 3),
    "one neuron": (4, 6, 1),
    "one step": (4, 1, 3),
    "one of each": (1, 1, 1),
}


def labelled(make: Make, shown: NDArray[np.bool_]) -> xr.DataTree:
    return make(shown, label=np.arange(len(shown)) % 2)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("fill", ["silent", "saturated", "single"])
def test_a_nearly_empty_result_is_measured_or_refused(
    make: Make, name: str, size: str, fill: str
) -> None:
    shown = np.full(SHAPES[size], fill == "saturated")
    shown[0, 0, 0] |= fill == "single"
    few = set()
    if SHAPES[size][0] == 1:
        few |= OVER_EXAMPLES
    if SHAPES[size][2] == 1:
        few |= OVER_NEURONS
    tree = labelled(make, shown)
    if name in few:
        with pytest.raises(ResultError):
            MEASURES[name](tree, "latent")
    else:
        found = MEASURES[name](tree, "latent")
        arrays = list(found.data_vars.values()) if isinstance(found, xr.Dataset) else [found]
        assert arrays
        assert not any(np.isinf(array).any() for array in arrays)


def test_fractions_of_no_examples_are_undefined(make: Make) -> None:
    tree = make(np.ones((2, 5, 3), bool)).isel(example=[])
    for measure in (bursting_fraction, dead_fraction, silent_fraction):
        assert np.isnan(measure(tree, "latent")), measure.__name__


@pytest.mark.parametrize("chunks", [None, {}], ids=["file", "dask"])
def test_a_result_on_disk_has_the_same_measures_as_in_memory(
    make: Make, tmp_path: Path, chunks: dict[str, int] | None
) -> None:
    tree = labelled(make, np.random.default_rng(41).random((8, 12, 5)) < 0.4)
    tree.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "result.nc", engine="h5netcdf", chunks=chunks) as lazy:
        for measure in MEASURES.values():
            xr.testing.assert_identical(measure(lazy, "latent"), measure(tree, "latent"))


def test_neurons_keep_their_positions(make: Make) -> None:
    tree = labelled(make, np.random.default_rng(42).random((8, 12, 6)) < 0.4)
    place = xr.DataArray(np.arange(6) // 3, dims="neuron")
    data = tree["layers/latent"].to_dataset().assign_coords(y=place)
    tree["layers/latent"] = xr.DataTree(data)
    for measure in (interval_histogram, isi_cv, fano_factor, lifetime_sparseness, dispersion):
        assert measure(tree, "latent")["y"].to_numpy().tolist() == [0, 0, 0, 1, 1, 1]
    assert raster(tree, "latent", example=0)["y"].dims == ("neuron",)
