"""Interspike intervals: distribution, short intervals, irregularity.

An interval is within one presentation, and no interval spans two presentations. The intervals of a
neuron are pooled over presentations; select examples to measure single presentations. Lengths are
whole numbers of steps, from 1 to the number of steps of a presentation minus 1, and the end of the
presentation cuts off long intervals. Irregularity of a single presentation equals that of
`elephant.statistics`; on a grid of steps, a neuron that spikes in each step with probability p has
a CV of sqrt(1 - p), not 1.

Functions of the intervals accept `sums`, the sums over one layer's intervals from `interval_sums`,
so that several measures share one pass over the spikes.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.interval_sums import IntervalSums, intervals_of, sums_of
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.results.arrays import along, described, in_steps, of_neurons, ratio
from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.analysis.results.spikes import blocks
from bioae.checks import number
from bioae.errors import ResultError

#: Intervals shorter than this count as those of a burst: Harris et al. (2001), Neuron 32:141.
BURST_MS = 6.0


@of_layer
def interval_histogram(
    tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Histogram of interspike intervals of each neuron, (neuron, interval) int64.

    Returns
    -------
    xarray.DataArray
        With the coordinate `interval` in milliseconds, one for each number of steps.

    Raises
    ------
    ResultError
        If it would have more than 2**26 entries; `isi_distribution` has no such limit.
    """
    sums = sums_of(tree, layer, sums)
    if sums.histogram is None:
        raise ResultError(
            "there are too many neurons and steps for a histogram per neuron", where=layer,
            expected="at most 2**26 bins in total",
            hint="Use isi_distribution, which pools all neurons",
        )  # fmt: skip
    counts = along(layer_data(tree, layer), sums.histogram[:, 1:], "neuron", "interval")
    return described(_with_interval(tree, counts), "interval_histogram", "intervals", "1")


@of_layer
def isi_distribution(
    tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Distribution of interspike intervals over all neurons of a layer, (interval,).

    The fraction of intervals of each length, which sums to 1; NaN without intervals.
    """
    sums = sums_of(tree, layer, sums)
    fraction = ratio(sums.pooled[1:], sums.pooled.sum())
    array = _with_interval(tree, xr.DataArray(fraction, dims="interval"))
    return described(array, "isi_distribution", "fraction of intervals", "1")


@of_layer
def mean_interval(
    tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Mean interspike interval of each neuron, (neuron,) in ms; NaN without an interval.

    At low rates it is shorter than the inverse of the rate, because presentations end.
    """
    sums = sums_of(tree, layer, sums)
    mean = ratio(sums.total, sums.intervals) * float(tree.attrs["dt_ms"])
    return of_neurons((tree, layer), mean, "mean_interval", "mean interval", "ms")


@of_layer
def burst_index(
    tree: xr.DataTree,
    layer: str,
    *,
    shorter_than_ms: float = BURST_MS,
    sums: IntervalSums | None = None,
) -> xr.DataArray:
    """Burst index: the fraction of short interspike intervals of a neuron, (neuron,).

    NaN without an interval. It measures the burst of neurophysiology, spikes in quick succession,
    unlike `is_bursting`, which is about whole presentations. A threshold on intervals separates
    bursts from single spikes in Harris, Hirase, Leinekugel, Henze & Buzsáki (2001), Neuron 32:141
    (6 ms; they count spikes next to a short interval, not intervals), and in Oswald, Chacron,
    Doiron, Bastian & Maler (2004), J. Neurosci. 24:4351.

    Parameters
    ----------
    shorter_than_ms
        Threshold in milliseconds, positive; that of `bioae.analysis.statistics` by default. Long
        steps and refractory periods ask for another.
    """
    limit = in_steps(tree, "shorter_than_ms", shorter_than_ms)
    sums = sums_of(tree, layer, sums)
    short = ratio(_shorter(tree, layer, limit, sums), sums.intervals)
    return _irregularity(tree, layer, short, "burst_index")


@of_layer
def refractory_violations(
    tree: xr.DataTree, layer: str, *, period_ms: float, sums: IntervalSums | None = None
) -> xr.DataArray:
    """Refractory violations: intervals shorter than a refractory period, (neuron,) int64.

    A model with this period has none. In recordings they measure the contamination of a unit:
    Hill, Mehta & Kleinfeld (2011), J. Neurosci. 31:8699.

    Parameters
    ----------
    period_ms
        In milliseconds, positive. An interval of exactly this length is not a violation.
    """
    limit = in_steps(tree, "period_ms", period_ms)
    count = _shorter(tree, layer, limit, sums_of(tree, layer, sums))
    name = "refractory_violations"
    return of_neurons((tree, layer), count, name, "intervals within the period")


@of_layer
def isi_cv(tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None) -> xr.DataArray:
    """Coefficient of variation of a neuron's interspike intervals, (neuron,).

    Standard deviation (ddof 0) over mean: 0 for a regular train, 1 for a Poisson process. NaN with
    fewer than two intervals. With few intervals it is too small: 0.5 on average for two of a
    Poisson process. So it differs between results with different numbers of examples; `isi_cv2` and
    `lv` do not. Rates that differ between examples raise it, and the end of a presentation lowers
    it: `chance_isi_cv` says by how much.
    """
    sums = sums_of(tree, layer, sums)
    counted = np.maximum(sums.intervals, 1)
    # Around an integer close to the mean, the sum of squares is exact, and 0 for a clock.
    centre, rest = np.divmod(sums.total, counted)
    around = sums.squares - 2 * centre * sums.total + centre**2 * sums.intervals
    variance = around / counted - (rest / counted) ** 2
    cv = ratio(np.sqrt(np.maximum(variance, 0)), sums.total / counted)
    return _irregularity(tree, layer, np.where(sums.intervals > 1, cv, np.nan), "isi_cv")


@of_layer
def chance_isi_cv(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """ISI CV expected by chance, from spikes at random times with equal counts, (neuron,).

    Each presentation keeps its number of spikes n, in any of its T steps with equal probability, at
    most one per step. An interval then has the mean (T + 1)/(n + 1) and the variance
    n (T + 1)(T - n)/((n + 1)² (n + 2)), of the negative hypergeometric distribution; the intervals
    of a neuron are pooled. `isi_cv` is above this if firing is less regular than chance, whatever
    the rates, the length of a step and that of a presentation. NaN with fewer than two intervals.
    """
    data = layer_data(tree, layer)
    n = data["spike_count"].transpose("example", "neuron").to_numpy().astype(float)
    last = steps(tree) + 1
    intervals = np.maximum(n - 1, 0)
    total = intervals.sum(0)
    means = last / (n + 1)
    variances = n * last * (last - 1 - n) / ((n + 1) ** 2 * (n + 2))
    mean = ratio((intervals * means).sum(0), total)
    variance = ratio((intervals * (variances + (means - mean) ** 2)).sum(0), total)
    cv = np.where(total > 1, np.sqrt(np.maximum(variance, 0)) / mean, np.nan)
    return of_neurons((tree, layer), cv, "chance_isi_cv", "CV at random times")


@of_layer
def isi_cv2(tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None) -> xr.DataArray:
    """CV2: the mean of 2 abs(I - J) / (I + J) over successive intervals I and J, (neuron,).

    Unlike the CV it is insensitive to slow changes of the rate. NaN without two successive
    intervals. Holt, Softky, Koch & Douglas (1996), J. Neurophysiol. 75:1806.
    """
    sums = sums_of(tree, layer, sums)
    return _irregularity(tree, layer, 2 * ratio(sums.difference, sums.pairs), "isi_cv2")


@of_layer
def lv(tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None) -> xr.DataArray:
    """Local variation: the mean of 3 (I - J)² / (I + J)² over successive intervals, (neuron,).

    0 for a regular train, 1 for a Poisson process; NaN without two successive intervals. Shinomoto,
    Shima & Tanji (2003), Neural Comput. 15:2823.
    """
    sums = sums_of(tree, layer, sums)
    return _irregularity(tree, layer, 3 * ratio(sums.squared_difference, sums.pairs), "lv")


@of_layer
def lvr(
    tree: xr.DataTree,
    layer: str,
    *,
    refractoriness_ms: float = 5.0,
    sums: IntervalSums | None = None,
) -> xr.DataArray:
    """Revised local variation, corrected for the refractory period, (neuron,).

    The mean of 3 (1 - 4 I J / (I + J)²) (1 + 4 R / (I + J)) over successive intervals I and J. The
    correction compensates the regularity of high rates that a refractory period causes. NaN
    without two successive intervals. Shinomoto et al. (2009), PLoS Comput. Biol. 5:e1000433.

    Parameters
    ----------
    refractoriness_ms
        The constant R, 0 or more; 5 ms is the paper's value for cortical neurons.
    """
    number(refractoriness_ms, "refractoriness_ms", least=0, error=ResultError)
    sums = sums_of(tree, layer, sums)
    constant = 4 * refractoriness_ms / float(tree.attrs["dt_ms"])
    total = sums.squared_difference + constant * sums.per_length
    return _irregularity(tree, layer, 3 * ratio(total, sums.pairs), "lvr")


def _irregularity(
    tree: xr.DataTree, layer: str, values: NDArray[np.float64], name: str
) -> xr.DataArray:
    """Return a measure of neurons whose mean is a number of the layer."""
    return of_neurons((tree, layer), values, name, DEFINITIONS[f"{name}_mean"].label)


def _shorter(tree: xr.DataTree, layer: str, limit: int, sums: IntervalSums) -> NDArray[np.int64]:
    """Count the intervals of fewer steps than `limit`, (neuron,)."""
    if sums.histogram is not None:
        return np.asarray(sums.histogram[:, :limit].sum(1), np.int64)
    count = np.zeros(sums.intervals.size, np.int64)
    for block in blocks(tree, layer):
        intervals = intervals_of(block)
        count += np.bincount(intervals.neuron[intervals.length < limit], minlength=count.size)
    return count


def _with_interval(tree: xr.DataTree, array: xr.DataArray) -> xr.DataArray:
    lengths = np.arange(1, array.sizes["interval"] + 1) * float(tree.attrs["dt_ms"])
    attrs = {"long_name": "interval", "units": "ms"}
    return array.assign_coords(interval=("interval", lengths, attrs))
