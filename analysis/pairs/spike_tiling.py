"""How far pairs of neurons spike at nearly the same times, whatever their rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.pair_selection import chosen_neurons, pair_matrix
from bioae.analysis.results.layers import layer_data, steps
from bioae.analysis.results.rasters import rasters
from bioae.errors import ResultError

__all__ = ["spike_time_tiling"]

_MOST_NEURONS = 4096


def spike_time_tiling(
    tree: xr.DataTree, layer: str, *, window_ms: float, neurons: Sequence[int] | None = None
) -> xr.DataArray:
    """Return the spike time tiling coefficient of all pairs of neurons, (neuron, other).

    STTC = ½ (P_A - T_B) / (1 - P_A T_B) + ½ (P_B - T_A) / (1 - P_B T_A), with P_A the fraction of
    A's spikes that have one of B within the window, and T_A the fraction of the time that lies
    within the window around A's; 0/0 is 1. Cutts & Eglen (2014), J. Neurosci. 34:14288.

    Here time is counted in steps, so that trains that know nothing of each other come to 0 on
    average. In continuous time a window of n steps to either side is 2 n steps long, but has room
    for 2 n + 1 spikes, and independent trains seem to agree. Of one presentation it is what
    `elephant.spike_train_correlation.spike_time_tiling_coefficient` returns for spikes in the
    middle of their steps and a window half a step longer. Presentations are pooled in the
    fractions, and windows do not reach into the next.

    Parameters
    ----------
    window_ms
        How far to either side of a spike the window reaches, in whole steps; 0 is the same step.
    neurons
        The neurons to compare, by index; by default all of them.

    Returns
    -------
    xarray.DataArray
        From -1 to 1; NaN, on the diagonal too, for a neuron without a spike. With `neurons`, the
        coordinates `neuron` and `other` hold their indices.

    Raises
    ------
    ResultError
        If the window is negative, or the neurons are not there or more than 4096.
    """
    if not window_ms >= 0:
        raise ResultError("a window must not be negative", where="window_ms", found=str(window_ms))
    chosen = chosen_neurons(layer_data(tree, layer), layer, neurons, most=_MOST_NEURONS)
    # 3 * 0.1 ms is 3 steps of 0.1 ms, not 2.
    reach = int(min(window_ms / float(tree.attrs["dt_ms"]) + 1e-9, steps(tree)))
    count, tiled = np.zeros(chosen.size), np.zeros(chosen.size)
    near = np.zeros((chosen.size, chosen.size))
    presented = 0
    for raster in rasters(tree, layer, chosen):
        count += raster.sum((1, 2))
        flat = (chosen.size, -1)
        within = _within(raster, reach).reshape(flat).astype(np.float32)
        tiled += within.sum(1)
        # Sums of ones in single precision: a raster has fewer than 2**24 places.
        near += raster.reshape(flat).astype(np.float32) @ within.T
        presented += raster.shape[1]
    silent = count == 0
    proportion = near / np.where(silent, np.nan, count)[:, None]
    time = np.where(silent, np.nan, tiled / max(presented * steps(tree), 1))
    half = _half(proportion, time)
    title = "spike time tiling coefficient"
    return pair_matrix(half + half.T, neurons, "spike_time_tiling", title)


def _half(proportion: NDArray[np.float64], time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ½ (P_A - T_B) / (1 - P_A T_B), which has its limit ½ where both are 1."""
    product = proportion * time
    limit = np.where(np.isnan(product), np.nan, 0.5)
    defined = ~np.isnan(product) & (product != 1)
    np.divide((proportion - time) / 2, 1 - product, out=limit, where=defined)
    return limit


def _within(raster: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the steps at most `reach` steps from a spike, as `raster`."""
    length = raster.shape[2]
    until = np.zeros((*raster.shape[:2], length + 2 * reach + 1), np.int32)
    until[..., reach + 1 : reach + 1 + length] = np.cumsum(raster, 2)
    until[..., reach + 1 + length :] = until[..., reach + length, None]
    near: NDArray[np.bool_] = until[..., 2 * reach + 1 :] > until[..., :length]
    return near
