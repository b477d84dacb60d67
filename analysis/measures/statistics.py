"""Statistics of firing, all at once: of each neuron, each example and each layer.

`neuron_statistics`, `example_statistics` and `layer_statistics` are the parts of `statistics`; the
numbers of a layer are defined in `bioae.analysis.measures.definitions`. `summary` has those that
need spike counts only. The spikes of a layer are read once for all measures of intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from bioae.analysis.coding.classification import predicted_class
from bioae.analysis.coding.information import count_information
from bioae.analysis.coding.latent_space import participation_ratio
from bioae.analysis.coding.reconstruction import (
    mean_absolute_error,
    mean_squared_error,
    sum_squared_error,
)
from bioae.analysis.coding.scores import output_errors
from bioae.analysis.firing.interval_sums import IntervalSums, interval_sums, sums_of
from bioae.analysis.firing.intervals import burst_index, isi_cv, isi_cv2, isi_distribution, lv, lvr
from bioae.analysis.firing.rate_distributions import fit_rates, rate_statistics
from bioae.analysis.firing.rates import (
    BURSTING_THRESHOLD,
    active_fraction,
    bursting_fraction,
    dead_fraction,
    firing_rate,
    first_spike_latency,
    is_bursting,
    rate_per_step,
    rate_per_step_mean_alive,
    spike_count,
)
from bioae.analysis.firing.sparseness import lifetime_sparseness, population_sparseness
from bioae.analysis.firing.variability import fano_factor
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.pairs.correlations import mean_pairwise_correlation
from bioae.analysis.results.arrays import averaged, described
from bioae.analysis.results.layers import (
    check_fires,
    firing_layers,
    layer_data,
    layer_names,
    of_layer,
    of_result,
)
from bioae.analysis.results.outputs import targets_known, task_of
from bioae.errors import ResultError
from bioae.progress import Progress, counted

_EVERYTHING = ("example", "neuron")
#: Numbers of a layer that are means of a measure over its neurons.
_MEANS = {
    "isi_cv_mean": "isi_cv",
    "isi_cv2_mean": "isi_cv2",
    "lv_mean": "lv",
    "lvr_mean": "lvr",
    "burst_index_mean": "burst_index",
    "fano_mean": "fano_factor",
    "sparseness_lifetime": "lifetime_sparseness",
    "class_information_mean": "class_information",
}


@of_result
def statistics(
    tree: xr.DataTree,
    *,
    progress: Progress | bool | None = None,
) -> xr.DataTree:
    """Measure the firing of all neurons, examples and layers, in bounded memory.

    Parameters
    ----------
    progress
        Called after each layer with the numbers of finished and of all layers; or whether to show
        a bar, by default on a terminal and in a notebook.

    Returns
    -------
    xarray.DataTree
        The root has the errors of each example (`sum_squared_error` and others; of a
        classification the predicted class) and the attributes of the result.
        ``/layers/NAME``, of each layer that can fire (`firing_layers`), has `neuron_statistics`
        along `neuron`, `example_statistics` along `example`, ``isi_distribution`` along
        `interval`, ``rate_fit_…`` along `distribution`, and `layer_statistics` as scalars. An
        undefined value is NaN, and the attribute ``undefined`` gives the reason.

    """
    task, own = task_of(tree), {}
    if task == "reconstruction":
        errors = (sum_squared_error, mean_squared_error, mean_absolute_error)
        own = {each.__name__: each(tree) for each in errors}
    elif task == "classification":
        own = {"predicted_class": predicted_class(tree)}
    elif targets_known(tree):
        own = {str(name): array for name, array in output_errors(tree).data_vars.items()}
    if "label" in tree.data_vars:
        own["label"] = tree.to_dataset()["label"]
    root = xr.Dataset(own, {"example": tree["example"]}, dict(tree.attrs))
    nodes = {"/": root, "/layers": xr.Dataset()}
    layers = firing_layers(tree)
    with counted("statistics", len(layers), progress, unit="layers") as report:
        for done, layer in enumerate(layers, 1):
            nodes[f"/layers/{layer}"] = _all_of(tree, layer)
            report(done)
    return xr.DataTree.from_dict(nodes)


def _all_of(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the statistics of a layer's neurons and examples, and the numbers that follow."""
    sums, fits = interval_sums(tree, layer), fit_rates(tree, layer)
    neurons = neuron_statistics(tree, layer, sums=sums)
    examples = example_statistics(tree, layer)
    fit, nan = fits.sel(distribution="lognormal"), xr.DataArray(np.nan)
    numbers = {
        **_of_counts(tree, layer, BURSTING_THRESHOLD),
        "rate_hz_median": neurons["firing_rate"].median(),
        "latency_ms_median": neurons["first_spike_latency"].median(),
        **{name: _mean(neurons[measure]) for name, measure in _MEANS.items()},
        "sparseness_population": _mean(examples["population_sparseness"]),
        "pairwise_correlation_mean": _or_undefined(
            lambda: mean_pairwise_correlation(tree, layer), nan
        ),
        "dimensionality": _or_undefined(lambda: participation_ratio(tree, layer), nan),
        "rate_gini": rate_statistics(tree, layer)["gini"],
        "lognormal_sigma": fit["shape"],
        "lognormal_ks": fit["ks_statistic"],
    }
    scalars = xr.Dataset({name: _defined(name, numbers[name]) for name in DEFINITIONS})
    fits = fits.rename({name: f"rate_fit_{name}" for name in fits.data_vars})
    intervals = isi_distribution(tree, layer, sums=sums).to_dataset()
    parts = [neurons, examples, scalars, fits, intervals]
    return xr.merge(parts, join="exact", compat="no_conflicts")


@of_layer
def neuron_statistics(
    tree: xr.DataTree,
    layer: str,
    *,
    sums: IntervalSums | None = None,
) -> xr.Dataset:
    """Statistics of each neuron of a layer, (neuron,), one variable each.

    A variable that needs several examples, or labels, is NaN without them, and its attribute
    ``undefined`` says so.

    Parameters
    ----------
    sums
        The `interval_sums` of this layer, if they are computed already.
    """
    check_fires(tree, layer)
    sums = sums_of(tree, layer, sums)
    values = {
        "firing_rate": firing_rate(tree, layer),
        "rate_per_step": rate_per_step(tree, layer),
        "is_bursting": is_bursting(tree, layer),
        "first_spike_latency": first_spike_latency(tree, layer),
        "isi_cv": isi_cv(tree, layer, sums=sums),
        "isi_cv2": isi_cv2(tree, layer, sums=sums),
        "lv": lv(tree, layer, sums=sums),
        "lvr": lvr(tree, layer, sums=sums),
        "burst_index": burst_index(tree, layer, sums=sums),
    }
    several: dict[str, Callable[[], xr.DataArray]] = {
        "fano_factor": lambda: fano_factor(tree, layer),
        "lifetime_sparseness": lambda: lifetime_sparseness(tree, layer),
        "class_information": lambda: count_information(tree, layer)["mutual_information"],
    }
    size = layer_data(tree, layer).sizes["neuron"]
    for name, measure in several.items():
        values[name] = _or_undefined(measure, xr.DataArray(np.full(size, np.nan), dims="neuron"))
    return xr.Dataset({name: array.rename(name) for name, array in values.items()})


@of_layer
def example_statistics(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Statistics of a layer's response to each example, (example,), one variable each."""
    check_fires(tree, layer)
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


@of_layer
def layer_statistics(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the statistics of a layer as scalars, by the names of `bioae.analysis.DEFINITIONS`."""
    return _all_of(tree, layer)[list(DEFINITIONS)]


@of_result
def summary(tree: xr.DataTree, *, bursting_threshold: float = BURSTING_THRESHOLD) -> xr.Dataset:
    """Return the statistics of every layer that need only spike counts, along `layer`.

    They have the names of `bioae.analysis.DEFINITIONS`. `bursting_of_alive` and `active_of_alive`
    are fractions of the neurons that spike in any example. A layer that cannot fire has no row:
    `firing_layers` names those that have, and ``.sel(layer=...)`` raises a KeyError for others.

    Parameters
    ----------
    bursting_threshold
        In spikes per step, see `bioae.analysis.is_bursting`.
    """
    firing = firing_layers(tree)
    # Without a layer that can fire, the columns are those of another, without its row.
    names, rows = firing or layer_names(tree)[:1], []
    for layer in names:
        numbers = {
            name: described(
                xr.DataArray(value), name, DEFINITIONS[name].label, DEFINITIONS[name].units
            )
            for name, value in _of_counts(tree, layer, bursting_threshold).items()
        }
        active = active_fraction(tree, layer, of="alive")
        numbers["bursting_of_alive"] = bursting_fraction(
            tree, layer, threshold=bursting_threshold, of="alive"
        )
        numbers["active_of_alive"] = active.mean().assign_attrs(active.attrs)
        rows.append(xr.Dataset(numbers))
    table = xr.concat(rows, xr.Variable("layer", names), coords="minimal", join="exact")
    return table.isel(layer=slice(len(firing)))


def _of_counts(tree: xr.DataTree, layer: str, threshold: float) -> dict[str, Any]:
    """Return the numbers of a layer that need spike counts only."""
    sizes = layer_data(tree, layer).sizes
    spikes = spike_count(tree, layer, dims="neuron")
    return {
        "neurons": sizes["neuron"],
        "examples": sizes["example"],
        "spikes": spikes.sum(),
        "rate_per_step_mean": rate_per_step(tree, layer, dims=_EVERYTHING),
        "rate_hz_mean": firing_rate(tree, layer, dims=_EVERYTHING),
        "dead_fraction": dead_fraction(tree, layer),
        "bursting_fraction": is_bursting(tree, layer, threshold=threshold).mean(),
        "rate_per_step_mean_alive": rate_per_step_mean_alive(tree, layer),
        "active_fraction_mean": active_fraction(tree, layer).mean(),
        "silent_fraction": averaged(spikes == 0, "example"),
    }


def _mean(array: xr.DataArray) -> xr.DataArray:
    """Return the mean of the defined values, and why none is defined if none is."""
    reason = array.attrs.get("undefined")
    return array.mean().assign_attrs({} if reason is None else {"undefined": reason})


def _defined(name: str, value: Any) -> xr.DataArray:
    """Return a scalar with its definition, and why it is undefined if it is."""
    definition = DEFINITIONS[name]
    array = xr.DataArray(value)
    scalar = described(array, name, definition.label, definition.units)
    attrs = {"definition": definition.text}
    if not np.isfinite(float(array)):
        attrs["undefined"] = array.attrs.get("undefined", definition.undefined)
    return scalar.reset_coords(drop=True).assign_attrs(attrs)


def _or_undefined(measure: Callable[[], xr.DataArray], otherwise: xr.DataArray) -> xr.DataArray:
    """Return a measure, or `otherwise` and the reason if the result does not allow it."""
    try:
        return measure()
    except ResultError as error:
        return otherwise.assign_attrs(undefined=error.what)
