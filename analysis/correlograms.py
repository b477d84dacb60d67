"""When one neuron spikes before or after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.layers import described, layer_data, steps
from bioae.analysis.pairs import check_neurons
from bioae.analysis.spikes import Spikes, Trains, blocks, trains
from bioae.errors import ResultError

__all__ = ["cross_correlogram"]


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
    length = steps(tree)
    longest = _longest_lag(tree, max_lag_ms)
    count = np.zeros((len(chosen), 2 * length - 1), np.int64)
    used, place = np.unique(chosen, return_inverse=True)
    response = np.zeros((used.size, length), np.int64)
    for block in blocks(tree, layer):
        by_neuron = trains(block)
        for index, neuron in enumerate(used):
            own = slice(*by_neuron.bounds[neuron : neuron + 2])
            response[index] += np.bincount(by_neuron.step[own], minlength=length)
        for index, (neuron, other) in enumerate(chosen):
            count[index] += _lags(block, by_neuron, int(neuron), int(other))
    expected = np.zeros(count.shape)
    for index, (neuron, other) in enumerate(place.reshape(-1, 2)):
        expected[index] = np.correlate(response[other] * 1.0, response[neuron] * 1.0, "full")
    expected /= max(data.sizes["example"], 1)
    return _laid_out(tree, chosen, longest, count, expected)


def _laid_out(
    tree: xr.DataTree,
    pairs: NDArray[np.int64],
    longest: int,
    count: NDArray[np.int64],
    expected: NDArray[np.float64],
) -> xr.Dataset:
    middle = steps(tree) - 1
    kept = slice(middle - longest, middle + longest + 1)
    lag = np.arange(-longest, longest + 1) * float(tree.attrs["dt_ms"])
    coords = {
        "lag": ("lag", lag, {"long_name": "lag", "units": "ms"}),
        "neuron": ("pair", pairs[:, 0]),
        "other": ("pair", pairs[:, 1]),
    }
    arrays = {"count": ("spikes", count), "expected": ("expected spikes", expected)}
    return xr.Dataset(
        {
            name: described(xr.DataArray(values[:, kept], dims=("pair", "lag")), name, title, "1")
            for name, (title, values) in arrays.items()
        },
        coords=coords,
    )


def _lags(block: Spikes, by_neuron: Trains, neuron: int, other: int) -> NDArray[np.int64]:
    """Count the lags from one neuron's spikes to the other's, (2 steps - 1,)."""
    from scipy.sparse import coo_array, csr_array

    sparse = []
    for index in (neuron, other):
        own = slice(*by_neuron.bounds[index : index + 2])
        place = (by_neuron.position[own], by_neuron.step[own])
        ones = np.ones(place[0].size, np.int64)
        sparse.append(csr_array((ones, place), shape=(block.examples, block.steps)))
    together = coo_array(sparse[0].T @ sparse[1])
    before, after = together.coords
    lag = after.astype(np.int64) - before + block.steps - 1
    # Sums of weights are exact: integers far below 2**53.
    return np.bincount(lag, together.data, 2 * block.steps - 1).astype(np.int64)


def _longest_lag(tree: xr.DataTree, max_lag_ms: float | None) -> int:
    longest = steps(tree) - 1
    if max_lag_ms is None:
        return longest
    if not max_lag_ms >= 0:
        raise ResultError("a lag must not be negative", where="max_lag_ms", found=str(max_lag_ms))
    return int(min(longest, np.floor(max_lag_ms / float(tree.attrs["dt_ms"]) + 1e-9)))
