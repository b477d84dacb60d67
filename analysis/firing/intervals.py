"""How long neurons wait between two spikes.

An interval lies within one presentation: the last spike of one and the first of the next say
nothing about each other. The intervals of a neuron are pooled over the presentations. They are
whole numbers of steps, from 1 to one less than a presentation has. Select examples to see them by
presentation.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.interval_moments import IntervalSums, intervals_of, sums_of
from bioae.analysis.results.arrays import along, in_steps, ratio
from bioae.analysis.results.layers import described, layer_data
from bioae.analysis.results.spikes import blocks
from bioae.errors import ResultError

__all__ = [
    "burst_index",
    "interval_histogram",
    "isi_distribution",
    "mean_interval",
    "refractory_violations",
]


def interval_histogram(
    tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Count the intervals of each length, (neuron, interval) int64.

    Parameters
    ----------
    sums
        What `interval_sums` returned for this layer, if several measures shall share one pass.

    Returns
    -------
    xarray.DataArray
        With the coordinate `interval` in milliseconds, one for each number of steps.

    Raises
    ------
    ResultError
        If it would have more than 2**26 entries; `isi_distribution` has no such limit.
    """
    sums = sums or sums_of(tree, layer, "histogram")
    if sums.histogram is None:
        raise ResultError(
            "there are too many neurons and steps for a histogram a neuron",
            where=layer,
            expected="at most 2**26 bins in all",
            mend="Take isi_distribution, of all neurons",
        )
    counts = along(layer_data(tree, layer), sums.histogram[:, 1:], "neuron", "interval")
    return described(_with_interval(tree, counts), "interval_histogram", "intervals", "1")


def isi_distribution(
    tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Return the fraction of all the layer's intervals that have each length, (interval,).

    It sums to 1, and is NaN throughout where there is no interval. `sums` is as in
    `interval_histogram`.
    """
    sums = sums or sums_of(tree, layer, "pooled")
    fraction = ratio(sums.pooled[1:], sums.pooled.sum())
    array = _with_interval(tree, xr.DataArray(fraction, dims="interval"))
    return described(array, "isi_distribution", "fraction of intervals", "1")


def mean_interval(
    tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Return each neuron's mean interval, (neuron,) in ms; NaN without an interval.

    Long intervals are cut off by the end of a presentation, so that at low rates this is less
    than one over the rate. `sums` is as in `interval_histogram`.
    """
    sums = sums or sums_of(tree, layer, "total")
    mean = ratio(sums.total, sums.intervals) * float(tree.attrs["dt_ms"])
    return described(
        along(layer_data(tree, layer), mean, "neuron"), "mean_interval", "mean interval", "ms"
    )


def burst_index(
    tree: xr.DataTree,
    layer: str,
    *,
    shorter_than_ms: float,
    sums: IntervalSums | None = None,
) -> xr.DataArray:
    """Return the fraction of a neuron's intervals that are short, (neuron,); NaN without any.

    This is about the burst of neurophysiology, spikes in quick succession, and independent of
    `is_bursting`, which is about a whole presentation. A threshold on intervals tells bursts from
    single spikes in Harris, Hirase, Leinekugel, Henze & Buzsáki (2001), Neuron 32:141 (6 ms), and
    in Oswald, Chacron, Doiron, Bastian & Maler (2004), J. Neurosci. 24:4351. The former count the
    spikes beside a short interval, among all spikes; here it is the intervals, among all
    intervals.

    Parameters
    ----------
    shorter_than_ms
        What is short. There is no default: it must fit the length of a step and the refractory
        period.
    sums
        As in `interval_histogram`.

    Raises
    ------
    ResultError
        If the time is not positive.
    """
    limit = in_steps(tree, "shorter_than_ms", shorter_than_ms)
    sums = sums or sums_of(tree, layer, "histogram")
    short = ratio(_shorter(tree, layer, limit, sums), sums.intervals)
    array = along(layer_data(tree, layer), short, "neuron")
    return described(array, "burst_index", "fraction of short intervals", "1")


def refractory_violations(
    tree: xr.DataTree, layer: str, *, period_ms: float, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Count the intervals shorter than a refractory period, (neuron,) int64.

    A model that has this period has none of them. In recordings they measure how clean a unit
    is: Hill, Mehta & Kleinfeld (2011), J. Neurosci. 31:8699.

    Parameters
    ----------
    period_ms
        In milliseconds. An interval as long as it is no violation.
    sums
        As in `interval_histogram`.

    Raises
    ------
    ResultError
        If the time is not positive.
    """
    limit = in_steps(tree, "period_ms", period_ms)
    sums = sums or sums_of(tree, layer, "histogram")
    count = along(layer_data(tree, layer), _shorter(tree, layer, limit, sums), "neuron")
    return described(count, "refractory_violations", "intervals within the period", "1")


def _shorter(tree: xr.DataTree, layer: str, limit: int, sums: IntervalSums) -> NDArray[np.int64]:
    """Count the intervals of fewer steps than `limit`, (neuron,)."""
    if sums.histogram is not None:
        return np.asarray(sums.histogram[:, :limit].sum(1), np.int64)
    count = np.zeros(sums.intervals.size, np.int64)
    for block in blocks(tree, layer):
        found = intervals_of(block)
        count += np.bincount(found.neuron[found.length < limit], minlength=count.size)
    return count


def _with_interval(tree: xr.DataTree, array: xr.DataArray) -> xr.DataArray:
    lengths = np.arange(1, array.sizes["interval"] + 1) * float(tree.attrs["dt_ms"])
    attrs = {"long_name": "interval", "units": "ms"}
    return array.assign_coords(interval=("interval", lengths, attrs))
