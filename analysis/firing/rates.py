"""Firing rates of neurons and of the population, and response latencies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.counts import is_alive
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.results.arrays import Dims, averaged, described, of_neurons
from bioae.analysis.results.layers import duration_s, layer_data, of_result, steps
from bioae.analysis.results.spikes import blocks
from bioae.checks import number
from bioae.errors import ResultError

__all__ = [
    "firing_rate",
    "first_spike_latency",
    "first_spikes",
    "population_rate",
    "rate_per_step",
    "rate_per_step_mean_alive",
]

# Numbers in a block of responses.
_ENTRIES = 2**22
# Truncation of the Gaussian kernel in standard deviations: it omits less than a millionth.
_CUTOFF = 5.0


@of_result
def firing_rate(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Mean firing rate in Hz: spikes per second of presentation, averaged over `dims`.

    (neuron,) by default; (example, neuron) with ``dims=()``. The attribute `resolution` is the rate
    of a single spike, of which all rates are multiples.
    """
    count = layer_data(tree, layer)["spike_count"]
    rate = averaged(count, dims) / duration_s(tree)
    spike = rate.size / max(count.size, 1) / duration_s(tree)
    return described(rate, "firing_rate", "firing rate", "Hz").assign_attrs(resolution=spike)


@of_result
def rate_per_step(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Spikes per step of presentation, averaged over `dims`: at most 1.

    Over ``("example", "neuron")`` it is the *density* of Hübotter, Lanillos & Tomczak (2021),
    arXiv:2109.11045.
    """
    rate = averaged(layer_data(tree, layer)["spike_count"], dims) / steps(tree)
    return described(rate, "rate_per_step", "rate per step", "spikes/step")


@of_result
def rate_per_step_mean_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Spikes per step, averaged over the neurons that spike in any example; NaN if none does.

    A layer that is half dead and half bursting has the same mean rate as a healthy one. This
    measure distinguishes them.
    """
    per_neuron = rate_per_step(tree, layer).where(is_alive(tree, layer))
    name = "rate_per_step_mean_alive"
    return described(per_neuron.mean(), name, *DEFINITIONS[name][:2])


@of_result
def population_rate(
    tree: xr.DataTree, layer: str, *, sigma_ms: float | None = None
) -> xr.DataArray:
    """Rate of the population over time, averaged over neurons and examples, (time,) in Hz.

    NaN where there is no neuron or no example.

    Parameters
    ----------
    sigma_ms
        Standard deviation of a Gaussian smoothing kernel; no smoothing by default. Near the edges
        of the presentation the part of the kernel inside is rescaled to an integral of 1, so that
        a constant rate stays constant. Elephant's `instantaneous_rate` with ``border_correction``
        does the same, and then scales the total to the number of spikes.

    References
    ----------
    Nawrot, Aertsen & Rotter (1999), Single-trial estimation of neuronal firing rates, Journal of
    Neuroscience Methods 94, 81-92, doi:10.1016/S0165-0270(99)00127-2.
    """
    if sigma_ms is not None:
        number(sigma_ms, "sigma_ms", above=0, error=ResultError)
    data = layer_data(tree, layer)
    dt_ms = float(tree.attrs["dt_ms"])
    count = np.zeros(steps(tree))
    for block in blocks(tree, layer):
        count += np.bincount(block.step, minlength=count.size)
    places = data.sizes["example"] * data.sizes["neuron"]
    rate = count / (places * dt_ms / 1000) if places else np.full(count.size, np.nan)
    if sigma_ms is not None:
        from scipy.ndimage import gaussian_filter1d

        smooth, inside = (
            gaussian_filter1d(values, sigma_ms / dt_ms, mode="constant", truncate=_CUTOFF)
            for values in (rate, np.ones(rate.size))
        )
        rate = smooth / inside
    time = ("time", np.arange(count.size) * dt_ms, {"long_name": "time", "units": "ms"})
    array = xr.DataArray(rate, dims="time", coords={"time": time})
    return described(array, "population_rate", "population rate", "Hz")


@of_result
def first_spike_latency(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """First-spike latency of each neuron, median over the examples it responds to, (neuron,) in ms.

    Time is that of the layer's own window: a spike in the first step that the presentation can
    reach has the latency 0. At depth d, from 0, add d steps for the time since the presentation's
    start. NaN for neurons that never spike.
    """
    last, neurons = steps(tree), layer_data(tree, layer).sizes["neuron"]
    counts = np.zeros(neurons * (last + 1), np.int64)
    for _, first in first_spikes(tree, layer):
        place = first + np.arange(neurons) * (last + 1)
        counts += np.bincount(place.ravel(), minlength=counts.size)
    # Neurons without a spike in an example are in the last column.
    upto = counts.reshape(neurons, last + 1)[:, :-1].cumsum(1)
    responses = upto[:, -1] if last else np.zeros(neurons, np.int64)
    # The middle response, or the two in the middle: the first step with more responses than before.
    middle = [(upto <= place[:, None]).sum(1) for place in ((responses - 1) // 2, responses // 2)]
    latency = np.where(responses > 0, sum(middle) / 2, np.nan) * float(tree.attrs["dt_ms"])
    return of_neurons((tree, layer), latency, "first_spike_latency", "first-spike latency", "ms")


def first_spikes(
    tree: xr.DataTree, layer: str, width: int = 1
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Read the bin of the first spike of each neuron in each example, by blocks of examples.

    Parameters
    ----------
    width
        The steps of a bin.

    Yields
    ------
    tuple
        The position of the block's first example, and the bins (example, neuron); the number of
        bins where there is no spike.
    """
    never = -(-steps(tree) // width)
    for block in blocks(tree, layer):
        rows = max(1, _ENTRIES // max(1, block.neurons))
        for start in range(0, block.examples, rows):
            stop = min(start + rows, block.examples)
            chosen = slice(*np.searchsorted(block.position, (start, stop)))
            first = np.full((stop - start, block.neurons), never)
            # In reverse, so that the first of several spikes is written last.
            place = block.position[chosen][::-1] - start, block.neuron[chosen][::-1]
            first[place] = block.step[chosen][::-1] // width
            yield block.start + start, first
