"""Everything that is measured of how a network fires: a tree of numbers beside that of the result.

Each neuron has its values (`neuron_statistics`), each example has its own (`example_statistics`),
and each layer has the numbers that a table shows (`layer_statistics`), whose definitions stand in
`bioae.analysis.measures.definitions`. The spikes are read once for all that is made of intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from bioae.analysis.coding.information import count_information
from bioae.analysis.coding.latent_space import participation_ratio
from bioae.analysis.coding.reconstruction import (
    mean_absolute_error,
    mean_squared_error,
    sum_squared_error,
)
from bioae.analysis.firing.counts import (
    BURSTING_THRESHOLD,
    active_fraction,
    dead_fraction,
    is_bursting,
    spike_count,
)
from bioae.analysis.firing.interval_moments import IntervalSums, interval_sums
from bioae.analysis.firing.intervals import (
    burst_index,
    isi_cv,
    isi_cv2,
    isi_distribution,
    lv,
    lvr,
)
from bioae.analysis.firing.rate_distributions import fit_rates, rate_statistics
from bioae.analysis.firing.rates import density_alive, firing_rate, rate_per_step
from bioae.analysis.firing.sparseness import lifetime_sparseness, population_sparseness
from bioae.analysis.firing.variability import fano_factor
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.pairs.correlations import mean_pairwise_correlation
from bioae.analysis.results.layers import described, layer_data, layer_names
from bioae.errors import ResultError

__all__ = [
    "BURST_MS",
    "example_statistics",
    "layer_statistics",
    "neuron_statistics",
    "statistics",
]

#: Intervals shorter than this count as those of a burst: Harris et al. (2001), Neuron 32:141.
BURST_MS = 6.0

_EVERYTHING = ("example", "neuron")


def statistics(tree: xr.DataTree, *, bursting_threshold: float = BURSTING_THRESHOLD) -> xr.DataTree:
    """Measure how a network fires, in bounded memory.

    Parameters
    ----------
    bursting_threshold
        In spikes per step, see `bioae.analysis.is_bursting`.

    Returns
    -------
    xarray.DataTree
        The root has the errors of the reconstruction of each example and the attributes of the
        result. ``/layers/NAME`` has `neuron_statistics` along `neuron`, `example_statistics` along
        `example`, ``isi_distribution`` along `interval`, ``rate_fit_…`` along `distribution`, and
        `layer_statistics` as scalars. What cannot be measured is NaN, and its attribute
        ``undefined`` says why.

    Raises
    ------
    ResultError
        If the threshold is outside.
    """
    nodes: dict[str, xr.Dataset] = {"/": _root(tree)}
    for layer in layer_names(tree):
        sums = interval_sums(tree, layer)
        neurons = neuron_statistics(tree, layer, bursting_threshold=bursting_threshold, sums=sums)
        examples = example_statistics(tree, layer)
        fits = fit_rates(tree, layer)
        scalars = _scalars(tree, layer, neurons, examples, fits)
        fits = fits.rename({name: f"rate_fit_{name}" for name in fits.data_vars})
        distribution = isi_distribution(tree, layer, sums=sums)
        parts = [neurons, examples, scalars, fits, distribution.to_dataset()]
        nodes[f"/layers/{layer}"] = xr.merge(parts, join="exact", compat="no_conflicts")
    return xr.DataTree.from_dict(nodes)


def neuron_statistics(
    tree: xr.DataTree,
    layer: str,
    *,
    bursting_threshold: float = BURSTING_THRESHOLD,
    sums: IntervalSums | None = None,
) -> xr.Dataset:
    """Return the statistics of each neuron of a layer, (neuron,), one variable each.

    What takes several examples, or labels, is NaN throughout without them, and its attribute
    ``undefined`` says so.

    Parameters
    ----------
    bursting_threshold
        As in `statistics`.
    sums
        What `interval_sums` returned for this layer, if it did.
    """
    sums = sums or interval_sums(tree, layer)
    found = {
        "firing_rate": firing_rate(tree, layer),
        "rate_per_step": rate_per_step(tree, layer),
        "is_bursting": is_bursting(tree, layer, threshold=bursting_threshold),
        "isi_cv": isi_cv(tree, layer, sums=sums),
        "isi_cv2": isi_cv2(tree, layer, sums=sums),
        "lv": lv(tree, layer, sums=sums),
        "lvr": lvr(tree, layer, sums=sums),
        "burst_index": burst_index(tree, layer, shorter_than_ms=BURST_MS, sums=sums),
    }
    several: dict[str, Callable[[], xr.DataArray]] = {
        "fano_factor": lambda: fano_factor(tree, layer),
        "lifetime_sparseness": lambda: lifetime_sparseness(tree, layer),
        "class_information": lambda: count_information(tree, layer)["mutual_information"],
    }
    size = layer_data(tree, layer).sizes["neuron"]
    for name, measure in several.items():
        found[name] = _or_undefined(measure, xr.DataArray(np.full(size, np.nan), dims="neuron"))
    return xr.Dataset({name: array.rename(name) for name, array in found.items()})


def example_statistics(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return how a layer answers each example, (example,), one variable each."""
    spikes = spike_count(tree, layer, dims="neuron")
    size = spikes.sizes["example"]
    sparseness = _or_undefined(
        lambda: population_sparseness(tree, layer),
        xr.DataArray(np.full(size, np.nan), dims="example", coords=spikes.coords),
    )
    return xr.Dataset(
        {
            "spikes_per_example": spikes,
            "active_fraction": active_fraction(tree, layer),
            "population_sparseness": sparseness.rename("population_sparseness"),
        }
    )


def layer_statistics(
    tree: xr.DataTree,
    layer: str,
    *,
    bursting_threshold: float = BURSTING_THRESHOLD,
) -> xr.Dataset:
    """Return a layer's numbers as scalars: see `bioae.analysis.measures.definitions`.

    Parameters
    ----------
    bursting_threshold
        As in `statistics`.
    """
    neurons = neuron_statistics(tree, layer, bursting_threshold=bursting_threshold)
    examples = example_statistics(tree, layer)
    return _scalars(tree, layer, neurons, examples, fit_rates(tree, layer))


def _scalars(
    tree: xr.DataTree, layer: str, neurons: xr.Dataset, examples: xr.Dataset, fits: xr.Dataset
) -> xr.Dataset:
    """Return the numbers of a layer of what is measured already of its neurons and examples."""
    fit = fits.sel(distribution="lognormal")
    found = {
        **_of_layer(tree, layer),
        **_of_neurons(neurons, examples),
        "lognormal_sigma": fit["shape"],
        "lognormal_ks": fit["ks_statistic"],
    }
    return xr.Dataset({name: _defined(name, found[name]) for name in DEFINITIONS})


def _of_layer(tree: xr.DataTree, layer: str) -> dict[str, Any]:
    sizes = layer_data(tree, layer).sizes
    return {
        "neurons": sizes["neuron"],
        "examples": sizes["example"],
        "rate_per_step_mean": rate_per_step(tree, layer, dims=_EVERYTHING),
        "rate_hz_mean": firing_rate(tree, layer, dims=_EVERYTHING),
        "dead_fraction": dead_fraction(tree, layer),
        "density_alive": density_alive(tree, layer),
        "rate_gini": rate_statistics(tree, layer)["gini"],
        "pairwise_correlation_mean": _or_undefined(
            lambda: mean_pairwise_correlation(tree, layer), xr.DataArray(np.nan)
        ),
        "dimensionality": _or_undefined(
            lambda: participation_ratio(tree, layer), xr.DataArray(np.nan)
        ),
    }


def _of_neurons(neurons: xr.Dataset, examples: xr.Dataset) -> dict[str, xr.DataArray]:
    return {
        "spikes": examples["spikes_per_example"].sum(),
        "active_fraction_mean": examples["active_fraction"].mean(),
        "silent_fraction": (examples["spikes_per_example"] == 0).mean(),
        "bursting_fraction": neurons["is_bursting"].mean(),
        "rate_hz_median": neurons["firing_rate"].median(),
        "isi_cv_mean": _mean(neurons["isi_cv"]),
        "isi_cv2_mean": _mean(neurons["isi_cv2"]),
        "lv_mean": _mean(neurons["lv"]),
        "lvr_mean": _mean(neurons["lvr"]),
        "burst_index_mean": _mean(neurons["burst_index"]),
        "fano_mean": _mean(neurons["fano_factor"]),
        "sparseness_lifetime": _mean(neurons["lifetime_sparseness"]),
        "sparseness_population": _mean(examples["population_sparseness"]),
        "class_information_mean": _mean(neurons["class_information"]),
    }


def _mean(array: xr.DataArray) -> xr.DataArray:
    """Return the mean of what is defined, and why nothing is if nothing is."""
    undefined = {key: array.attrs[key] for key in ("undefined",) if key in array.attrs}
    return array.mean().assign_attrs(undefined)


def _defined(name: str, value: Any) -> xr.DataArray:
    """Return a scalar with its definition, and why it is undefined if it is."""
    definition = DEFINITIONS[name]
    array = xr.DataArray(value)
    found = described(array, name, definition.label, definition.units)
    attrs = {"definition": definition.text}
    if not np.isfinite(float(array)):
        attrs["undefined"] = array.attrs.get("undefined", definition.undefined)
    return found.reset_coords(drop=True).assign_attrs(attrs)


def _or_undefined(measure: Callable[[], xr.DataArray], otherwise: xr.DataArray) -> xr.DataArray:
    """Return what is measured, or what stands for it where the result does not allow it."""
    try:
        return measure()
    except ResultError as error:
        return otherwise.assign_attrs(undefined=error.what)


def _root(tree: xr.DataTree) -> xr.Dataset:
    measures = (sum_squared_error, mean_squared_error, mean_absolute_error)
    errors: Mapping[str, xr.DataArray] = {each.__name__: each(tree) for each in measures}
    label = {"label": tree["label"]} if "label" in tree.data_vars else {}
    return xr.Dataset({**errors, **label}, attrs=dict(tree.attrs))
