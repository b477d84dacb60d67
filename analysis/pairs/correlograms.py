"""When one neuron spikes before or after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.pair_selection import check_neurons
from bioae.analysis.results.layers import described, layer_data, steps
from bioae.analysis.results.rasters import rasters
from bioae.errors import ResultError

__all__ = ["cross_correlogram"]

# Numbers in a block of spectra.
_NUMBERS = 2**16


def cross_correlogram(
    tree: xr.DataTree,
    layer: str,
    pairs: Sequence[tuple[int, int]],
    *,
    max_lag_ms: float | None = None,
) -> xr.Dataset:
    """Count the spikes of one neuron at each lag after those of another.

    Spikes of different presentations are not compared; presentations are summed. The count of one
    presentation is that of `elephant.spike_train_correlation.cross_correlation_histogram`.

    Parameters
    ----------
    pairs
        Two neurons each, by index. A neuron with itself counts each spike at lag 0.
    max_lag_ms
        The longest lag; by default that of a presentation's first and last step.

    Returns
    -------
    xarray.Dataset
        ``count (pair, lag)`` int64, with the lag in milliseconds, positive where `other` spikes
        after `neuron`; and ``expected (pair, lag)``, the same if each presentation of one neuron
        is compared with all of the other: what the two have in common by their mean response
        alone (the shift predictor of Perkel, Gerstein & Moore 1967, Biophys. J. 7:419, over every
        shift, 0 too). Coordinates `neuron` and `other` along `pair`.

    Raises
    ------
    ResultError
        If there is no such neuron, or the lag is negative.
    """
    data = layer_data(tree, layer)
    chosen = np.asarray(pairs, np.int64).reshape(-1, 2)
    check_neurons(layer, chosen, data.sizes["neuron"])
    longest = _longest_lag(tree, max_lag_ms)
    used, place = np.unique(chosen, return_inverse=True)
    first, second = place.reshape(-1, 2).T
    count = np.zeros((len(chosen), 2 * longest + 1), np.int64)
    response = np.zeros((used.size, 1, steps(tree)))
    for raster in rasters(tree, layer, used):
        response += raster.sum(1, keepdims=True)
        # Whole numbers below 2**16 keep far more digits in single precision than they need.
        each = max(1, 2**16 // steps(tree))
        for begin in range(0, raster.shape[1], each):
            part = raster[:, begin : begin + each]
            narrow = part.shape[1] * steps(tree) <= 2**16
            dtype: type[np.floating[Any]] = np.float32 if narrow else np.float64
            _add_correlations(count, part.astype(dtype), first, second)
    expected: NDArray[Any] = count
    if data.sizes["example"] > 1:
        expected = np.zeros(count.shape)
        _add_correlations(expected, response, first, second)
    return _laid_out(tree, chosen, count, expected / max(data.sizes["example"], 1))


def _add_correlations(
    total: NDArray[Any],
    trains: NDArray[np.floating[Any]],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> None:
    """Add the products of two trains at each lag, (pair, lag), summed over examples.

    Parameters
    ----------
    trains
        (train, example, step) Whole numbers.
    first, second
        (pair,) Which of the trains.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    examples, length = trains.shape[1:]
    longest = total.shape[1] // 2
    # So long that no lag meets one from the other end.
    size = next_fast_len(length + longest, real=True)
    spectra = rfft(trains, size)
    pairs = max(1, _NUMBERS // (examples * spectra.shape[2]))
    for begin in range(0, len(total), pairs):
        part = slice(begin, begin + pairs)
        product = spectra[first[part]].conj()
        product *= spectra[second[part]]
        # The transform rounds; the sums are whole numbers.
        lags = np.rint(irfft(product.sum(1), size)).astype(total.dtype)
        total[part, longest:] += lags[:, : longest + 1]
        total[part, :longest] += lags[:, size - longest :]


def _laid_out(
    tree: xr.DataTree,
    pairs: NDArray[np.int64],
    count: NDArray[np.int64],
    expected: NDArray[np.float64],
) -> xr.Dataset:
    longest = count.shape[1] // 2
    lag = np.arange(-longest, longest + 1) * float(tree.attrs["dt_ms"])
    coords = {
        "lag": ("lag", lag, {"long_name": "lag", "units": "ms"}),
        "neuron": ("pair", pairs[:, 0]),
        "other": ("pair", pairs[:, 1]),
    }
    arrays = {"count": ("spikes", count), "expected": ("expected spikes", expected)}
    return xr.Dataset(
        {
            name: described(xr.DataArray(values, dims=("pair", "lag")), name, title, "1")
            for name, (title, values) in arrays.items()
        },
        coords=coords,
    )


def _longest_lag(tree: xr.DataTree, max_lag_ms: float | None) -> int:
    longest = steps(tree) - 1
    if max_lag_ms is None:
        return longest
    if not max_lag_ms >= 0:
        raise ResultError("a lag must not be negative", where="max_lag_ms", found=str(max_lag_ms))
    return int(min(longest, np.floor(max_lag_ms / float(tree.attrs["dt_ms"]) + 1e-9)))
