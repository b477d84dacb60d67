"""What a change of a network, such as of its neurons, did to its firing and its reconstruction."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.coding.reconstruction import mean_squared_error, sum_squared_error
from bioae.analysis.firing.counts import BURSTING_THRESHOLD
from bioae.analysis.measures.overview import summary
from bioae.analysis.results.layers import layer_names
from bioae.errors import ResultError

__all__ = ["firing_change", "reconstruction_change"]

#: The numbers of `summary` that are compared.
_FIRING = ("rate_hz_mean", "rate_per_step_mean", "dead_fraction", "bursting_fraction")


def firing_change(before: xr.DataTree, after: xr.DataTree) -> xr.Dataset:
    """Return how each layer fired before and after a change.

    The two may differ in their time steps. A neuron bursts at the same rate in both: where steps
    are finer, at fewer spikes a step.

    Returns
    -------
    xarray.Dataset
        Along `layer`, each of the mean rate, the spike density, and the fractions of dead and of
        bursting neurons, as ``NAME_before`` and ``NAME_after``.

    Raises
    ------
    ResultError
        If examples or layers are not the same.
    """
    _check_same(before, after)
    finer = float(after.attrs["dt_ms"]) / float(before.attrs["dt_ms"])
    threshold = min(1.0, BURSTING_THRESHOLD * finer)
    numbers = {"before": summary(before), "after": summary(after, bursting_threshold=threshold)}
    columns = {
        f"{name}_{when}": table[name].assign_attrs(
            long_name=f"{table[name].attrs['long_name']} {when}"
        )
        for name in _FIRING
        for when, table in numbers.items()
    }
    return xr.Dataset(columns)


def reconstruction_change(before: xr.DataTree, after: xr.DataTree) -> xr.Dataset:
    """Return the errors of the reconstruction before and after a change.

    Returns
    -------
    xarray.Dataset
        `sum_squared_error` and `mean_squared_error`, means over examples, along `when`: before,
        after.

    Raises
    ------
    ResultError
        If examples or layers are not the same.
    """
    _check_same(before, after)
    measures = {"sum_squared_error": sum_squared_error, "mean_squared_error": mean_squared_error}
    errors = {
        name: [float(measure(tree).mean()) for tree in (before, after)]
        for name, measure in measures.items()
    }
    names = {"sum_squared_error": "per image", "mean_squared_error": "per pixel"}
    return xr.Dataset(
        {
            name: ("when", values, {"long_name": f"squared error {names[name]}", "units": "1"})
            for name, values in errors.items()
        },
        coords={"when": ["before", "after"]},
    )


def _check_same(before: xr.DataTree, after: xr.DataTree) -> None:
    pairs = {
        "examples": [np.sort(tree["example"].to_numpy()).tolist() for tree in (before, after)],
        "layers": [layer_names(tree) for tree in (before, after)],
    }
    for name, (first, second) in pairs.items():
        if first != second:
            raise ResultError(
                f"the two results have different {name}",
                expected=str(first)[:60],
                found=str(second)[:60],
            )
