"""Coincident spikes: cross-correlograms, spike time tiling, and population synchrony."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from bioae.analysis.pairs.pair_matrices import check_neurons, chosen_neurons, pair_matrix
from bioae.analysis.results.arrays import (
    along,
    as_dataset,
    check_not_negative,
    described,
    ratio,
    runs,
    whole_numbers,
    whole_steps,
)
from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.analysis.results.rasters import rasters
from bioae.analysis.results.repeats import stimulus_index
from bioae.analysis.results.spikes import Spikes, blocks, trains
from bioae.errors import ResultError

# Numbers in a block of spectra.
_NUMBERS = 2**16
# Most neurons in a matrix of spike time tiling.
_MOST_NEURONS = 4096


@of_layer
def cross_correlogram(
    tree: xr.DataTree,
    layer: str,
    pairs: Sequence[tuple[int, int]],
    *,
    max_lag_ms: float | None = None,
) -> xr.Dataset:
    """Cross-correlograms of pairs of neurons: the number of spike pairs at each lag.

    Only spikes of the same presentation are compared, and counts are summed over presentations.
    For one presentation the count equals that of
    `elephant.spike_train_correlation.cross_correlation_histogram`.

    Parameters
    ----------
    pairs
        Pairs of neurons by index. An auto-correlogram counts each spike at lag 0.
    max_lag_ms
        The longest lag; by default from the first to the last step of a presentation.

    Returns
    -------
    xarray.Dataset
        ``count (pair, lag)`` int64, with the lag in milliseconds, positive where `other` spikes
        after `neuron`; and ``expected (pair, lag)``, the shift predictor of Perkel, Gerstein &
        Moore (1967), Biophys. J. 7:419, over all shifts, 0 included: each presentation of one
        neuron with all presentations of the other, which is the count that mean responses alone
        explain. In the result of `presentations` only repeats of one stimulus are shifted: the
        mean responses are those to each stimulus. The attribute `over` of ``expected`` is
        ``"repeats"`` or ``"examples"``. Coordinates `neuron` and `other` along `pair`.
    """
    data = layer_data(tree, layer)
    chosen = whole_numbers(pairs, "pairs")
    if chosen.size and chosen.shape[1:] != (2,):
        raise ResultError("pairs do not fit", expected="pairs of neurons", found=repr(pairs))
    chosen = chosen.reshape(-1, 2)
    check_neurons(layer, chosen, data.sizes["neuron"])
    longest, dt_ms = steps(tree) - 1, float(tree.attrs["dt_ms"])
    if max_lag_ms is not None:
        check_not_negative(max_lag_ms, "max_lag_ms")
        longest = int(min(longest, np.floor(max_lag_ms / dt_ms + 1e-9)))
    used, place = np.unique(chosen, return_inverse=True)
    first, second = place.reshape(-1, 2).T
    count = np.zeros((len(chosen), 2 * longest + 1), np.int64)
    stimuli = stimulus_index(tree)
    index = np.zeros(data.sizes["example"], np.int64) if stimuli is None else stimuli
    sizes = np.bincount(index)
    response = np.zeros((used.size, sizes.size, steps(tree)), np.int32)
    each, shown = max(1, 2**16 // steps(tree)), 0
    for raster in rasters(tree, layer, used):
        block = index[shown : shown + raster.shape[1]]
        shown += raster.shape[1]
        for stimulus in np.unique(block):
            response[:, stimulus] += raster[:, block == stimulus].sum(1, dtype=np.int32)
        for begin in range(0, raster.shape[1], each):
            part = raster[:, begin : begin + each]
            # Single precision has more than enough digits for integers below 2**16.
            narrow = part.shape[1] * steps(tree) <= 2**16
            dtype: type[np.floating[Any]] = np.float32 if narrow else np.float64
            _add_correlations(count, part.astype(dtype), first, second)
    expected = np.zeros(count.shape)
    for repeats in np.unique(sizes):
        products = np.zeros(count.shape)
        equal = np.flatnonzero(sizes == repeats)
        for begin in range(0, equal.size, each):
            means = response[:, equal[begin : begin + each]].astype(float)
            _add_correlations(products, means, first, second)
        expected += products / repeats
    lag = np.arange(-longest, longest + 1) * dt_ms
    found = as_dataset(
        {"count": ("spikes", count), "expected": ("expected spikes", expected)},
        ("pair", "lag"),
        coords={
            "lag": ("lag", lag, {"long_name": "lag", "units": "ms"}),
            "neuron": ("pair", chosen[:, 0]),
            "other": ("pair", chosen[:, 1]),
        },
    )
    found["expected"].attrs["over"] = "examples" if stimuli is None else "repeats"
    return found


def _add_correlations(
    total: NDArray[Any],
    signals: NDArray[np.floating[Any]],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> None:
    """Add the correlations of pairs of signals at each lag, (pair, lag), summed over examples.

    `signals`: (signal, example, step) Integers; `first`, `second`: (pair,) Indices of the signals
    of each pair.
    """
    examples, length = signals.shape[1:]
    longest = total.shape[1] // 2
    # Long enough that lags do not wrap around.
    size = next_fast_len(length + longest, real=True)
    spectra = rfft(signals, size)
    pairs = max(1, _NUMBERS // (examples * spectra.shape[2]))
    for begin in range(0, len(total), pairs):
        part = slice(begin, begin + pairs)
        product = spectra[first[part]].conj()
        product *= spectra[second[part]]
        # Rounding removes the error of the transform: the sums are integers.
        lags = np.rint(irfft(product.sum(1), size)).astype(total.dtype)
        total[part, longest:] += lags[:, : longest + 1]
        total[part, :longest] += lags[:, size - longest :]


@of_layer
def spike_time_tiling(
    tree: xr.DataTree, layer: str, *, window_ms: float, neurons: Sequence[int] | None = None
) -> xr.DataArray:
    """Spike time tiling coefficient of all pairs of neurons, (neuron, other).

    STTC = ½ (P_A - T_B) / (1 - P_A T_B) + ½ (P_B - T_A) / (1 - P_B T_A), with P_A the fraction of
    A's spikes that have one of B within the window, and T_A the fraction of time within the
    window around A's spikes; 0/0 is 1. Cutts & Eglen (2014), J. Neurosci. 34:14288.

    Time is counted in steps, so that the mean of independent trains is 0. In continuous time a
    window of n steps to either side is 2 n steps long, but has room for 2 n + 1 spikes, and
    independent trains would seem correlated. For one presentation the value equals that of
    `elephant.spike_train_correlation.spike_time_tiling_coefficient` for spikes in the middle of
    their steps and a window longer by half a step. The fractions are pooled over presentations,
    and windows end with the presentation.

    Parameters
    ----------
    window_ms
        Reach of the window to either side of a spike, in whole steps; 0 is the same step.
    neurons
        Indices of the neurons to compare; by default all neurons.

    Returns
    -------
    xarray.DataArray
        From -1 to 1; NaN, on the diagonal too, for a neuron without a spike. With `neurons`, the
        coordinates `neuron` and `other` hold their indices.
    """
    check_not_negative(window_ms, "window_ms")
    chosen = chosen_neurons(layer_data(tree, layer), layer, neurons, most=_MOST_NEURONS)
    # 3 * 0.1 ms is 3 steps of 0.1 ms, not 2.
    reach = int(min(window_ms / float(tree.attrs["dt_ms"]) + 1e-9, steps(tree)))
    count, tiled = np.zeros(chosen.size), np.zeros(chosen.size)
    near = np.zeros((chosen.size, chosen.size))
    presented = 0
    for raster in rasters(tree, layer, chosen):
        count += raster.sum((1, 2))
        flat = (chosen.size, raster[0].size if chosen.size else 0)
        within = _within(raster, reach).reshape(flat).astype(np.float32)
        tiled += within.sum(1)
        # Sums of ones in single precision: a raster has fewer than 2**24 places.
        near += raster.reshape(flat).astype(np.float32) @ within.T
        presented += raster.shape[1]
    silent = count == 0
    proportion = near / np.where(silent, np.nan, count)[:, None]
    time = np.where(silent, np.nan, tiled / max(presented * steps(tree), 1))
    # ½ (P_A - T_B) / (1 - P_A T_B), with the limit ½ where both are 1.
    product = proportion * time
    half = np.where(np.isnan(product), np.nan, 0.5)
    defined = ~np.isnan(product) & (product != 1)
    np.divide((proportion - time) / 2, 1 - product, out=half, where=defined)
    title = "spike time tiling coefficient"
    return pair_matrix(half + half.T, neurons, "spike_time_tiling", title)


def _within(raster: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the steps at most `reach` steps from a spike, as `raster`."""
    length = raster.shape[2]
    until = np.zeros((*raster.shape[:2], length + 2 * reach + 1), np.int32)
    until[..., reach + 1 : reach + 1 + length] = np.cumsum(raster, 2)
    until[..., reach + 1 + length :] = until[..., reach + length, None]
    near: NDArray[np.bool_] = until[..., 2 * reach + 1 :] > until[..., :length]
    return near


@of_layer
def synchrony(tree: xr.DataTree, layer: str, *, bin_ms: float | None = None) -> xr.DataArray:
    """Synchrony χ of the population (Golomb & Rinzel 1993) in each presentation, (example,).

    χ² is the variance over time of the population's mean signal, divided by the mean over neurons
    of the variance of each signal: χ is 1 for identical signals, 1/√n for n independent signals,
    and 0 if they cancel out. In the papers the signal is the membrane potential; here it is the
    number of spikes in a bin. Silent neurons have no variance, and count among the n.

    Parameters
    ----------
    bin_ms
        Length of a bin, a whole number of steps; one step by default. An incomplete last bin is
        left out.

    Returns
    -------
    xarray.DataArray
        NaN for a presentation in which no neuron's signal varies, for example without a spike.

    References
    ----------
    Golomb & Rinzel (1993), Phys. Rev. E 48:4810; Golomb (2007), Scholarpedia 2(1):1347.
    """
    data = layer_data(tree, layer)
    width = whole_steps(tree, "bin_ms", bin_ms)
    squared = np.full(data.sizes["example"], np.nan)
    for block in blocks(tree, layer):
        whole, individual = _variances(block, width, steps(tree) // width)
        # The mean of n signals has 1/n² of the variance of their sum.
        squared[block.start : block.start + block.examples] = ratio(
            whole, data.sizes["neuron"] * individual
        )
    array = along(data, np.sqrt(squared), "example")
    return described(array, "synchrony", "synchrony χ", "1")


def _variances(block: Spikes, width: int, bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return bins² times two variances, of the sum of signals, and summed over signals."""
    bounds, position, step = trains(block)
    neuron = np.repeat(np.arange(block.neurons), np.diff(bounds))
    inside = step // width < bins
    position, neuron, bin_ = position[inside], neuron[inside], (step // width)[inside]
    place = position * bins + bin_
    summed = np.bincount(place, minlength=block.examples * bins).reshape(block.examples, bins)
    whole = bins * (summed**2).sum(1) - summed.sum(1) ** 2
    individual = np.zeros(block.examples, np.int64)
    binned, in_bin = runs(place, neuron)
    np.add.at(individual, binned // bins, bins * in_bin**2)
    examples, in_all = runs(position, neuron)
    np.subtract.at(individual, examples, in_all**2)
    return whole, individual
