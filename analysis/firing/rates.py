"""Spike counts and firing rates: alive and dead, active, silent and bursting neurons, latencies.

Hübotter, Lanillos & Tomczak (2021), arXiv:2109.11045, call a neuron *dead* if it has no spike over
the whole evaluation set, and *bursting* if it spikes in most steps. They give no threshold for the
latter; `BURSTING_THRESHOLD` is a choice of bioae. This bursting is a property of whole
presentations, unlike the burst of neurophysiology, a group of spikes at short intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.results.arrays import Dims, averaged, check_dims, described, of_neurons
from bioae.analysis.results.layers import duration_s, layer_data, of_layer, steps
from bioae.analysis.results.spikes import blocks
from bioae.checks import number, one_of
from bioae.errors import ResultError
from bioae.firing_names import BURSTING_THRESHOLD as BURSTING_THRESHOLD
from bioae.firing_names import bursts

#: The neurons that a fraction or a distribution is of.
NeuronSet = Literal["all", "alive"]


@of_layer
def spike_count(tree: xr.DataTree, layer: str, *, dims: Dims = ()) -> xr.DataArray:
    """Spike count of each neuron in each example, (example, neuron), summed over `dims`."""
    count = layer_data(tree, layer)["spike_count"]
    check_dims(count, dims)
    if dims != ():
        count = count.sum(dims)
    return described(count, "spike_count", "spikes", "1")


@of_layer
def is_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Alive neurons, which spike in at least one example, (neuron,) bool."""
    alive = spike_count(tree, layer, dims="example") > 0
    return described(alive, "is_alive", "spikes in any example")


@of_layer
def dead_fraction(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Fraction of dead neurons, which spike in no example; it falls with the number of examples."""
    dead = 1 - _fraction(tree, is_alive(tree, layer))
    return described(dead, "dead_fraction", "dead neurons", "1")


@of_layer
def active_fraction(tree: xr.DataTree, layer: str, *, of: NeuronSet = "all") -> xr.DataArray:
    """Fraction of neurons that spike in each example, (example,).

    Parameters
    ----------
    of
        The reference: ``"all"`` neurons or ``"alive"`` ones; with the latter, NaN if all are dead.
    """
    check_reference(of)
    active = (spike_count(tree, layer) > 0).sum("neuron")
    reference = layer_data(tree, layer).sizes["neuron"]
    if of == "alive":  # includes every active neuron
        reference = int(is_alive(tree, layer).sum())
    fraction = active / (reference or np.nan)
    name = "active neurons per example" if of == "all" else "active of the alive, per example"
    return described(fraction, "active_fraction", name, "1")


def check_reference(of: str) -> None:
    """Raise a `ResultError` for a reference other than ``"all"`` and ``"alive"`` neurons."""
    one_of(of, "of", ("all", "alive"), error=ResultError)


@of_layer
def is_silent(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Silent examples, in which no neuron of the layer spikes, (example,) bool."""
    silent = spike_count(tree, layer, dims="neuron") == 0
    return described(silent, "is_silent", "no spike in the layer")


@of_layer
def silent_fraction(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Fraction of examples in which no neuron of the layer spikes."""
    silent = averaged(is_silent(tree, layer), "example")
    return described(silent, "silent_fraction", "silent examples", "1")


@of_layer
def is_bursting(
    tree: xr.DataTree, layer: str, *, threshold: float = BURSTING_THRESHOLD
) -> xr.DataArray:
    """Bursting neurons, which spike in most steps of the examples they respond to, (neuron,) bool.

    A neuron's mean spikes per step, over the examples in which it spikes, must exceed `threshold`.
    Silence in other examples does not count: a neuron that responds to a single class with a burst
    is bursting. A dead neuron is not.

    Parameters
    ----------
    threshold
        In spikes per step, from 0 to 1. A refractory period of several steps may keep all rates
        below one half: choose the threshold relative to the highest possible rate.
    """
    number(threshold, "the bursting threshold", least=0, most=1, error=ResultError)
    count = spike_count(tree, layer)
    # Integer sums are exact, and need no array of floats as large as the counts.
    total, responses = count.sum("example"), (count > 0).sum("example")
    found = bursts(total, responses, steps(tree), threshold)
    return described(found, "is_bursting", "bursting")


@of_layer
def bursting_fraction(
    tree: xr.DataTree, layer: str, *, threshold: float = BURSTING_THRESHOLD, of: NeuronSet = "all"
) -> xr.DataArray:
    """Fraction of bursting neurons (`is_bursting`), of ``"all"`` neurons or of ``"alive"`` ones."""
    check_reference(of)
    bursting = is_bursting(tree, layer, threshold=threshold)
    if of == "alive":
        bursting = bursting.where(is_alive(tree, layer))
    name = "bursting neurons" if of == "all" else "bursting of the alive"
    return described(_fraction(tree, bursting), "bursting_fraction", name, "1")


def _fraction(tree: xr.DataTree, neurons: xr.DataArray) -> xr.DataArray:
    """Return the fraction of neurons with a property, NaN without an example."""
    return neurons.mean().where(tree.sizes["example"] > 0)


# Numbers in a block of responses.
_ENTRIES = 2**22
# Truncation of the Gaussian kernel in standard deviations: it omits less than a millionth.
_CUTOFF = 5.0


@of_layer
def firing_rate(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Mean firing rate in Hz: spikes per second of presentation, averaged over `dims`.

    (neuron,) by default; (example, neuron) with ``dims=()``. The attribute `resolution` is the rate
    of a single spike, of which all rates are multiples.
    """
    count = layer_data(tree, layer)["spike_count"]
    rate = averaged(count, dims) / duration_s(tree)
    spike = rate.size / max(count.size, 1) / duration_s(tree)
    return described(rate, "firing_rate", "firing rate", "Hz").assign_attrs(resolution=spike)


@of_layer
def rate_per_step(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Spikes per step of presentation, averaged over `dims`: at most 1.

    Over ``("example", "neuron")`` it is the *density* of Hübotter, Lanillos & Tomczak (2021),
    arXiv:2109.11045.
    """
    rate = averaged(layer_data(tree, layer)["spike_count"], dims) / steps(tree)
    return described(rate, "rate_per_step", "rate per step", "spikes/step")


@of_layer
def rate_per_step_mean_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Spikes per step, averaged over the neurons that spike in any example; NaN if none does.

    A layer that is half dead and half bursting has the same mean rate as a healthy one. This
    measure distinguishes them.
    """
    per_neuron = rate_per_step(tree, layer).where(is_alive(tree, layer))
    name = "rate_per_step_mean_alive"
    return described(per_neuron.mean(), name, *DEFINITIONS[name][:2])


@of_layer
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
        smooth, inside = (
            gaussian_filter1d(values, sigma_ms / dt_ms, mode="constant", truncate=_CUTOFF)
            for values in (rate, np.ones(rate.size))
        )
        rate = smooth / inside
    time = ("time", np.arange(count.size) * dt_ms, {"long_name": "time", "units": "ms"})
    array = xr.DataArray(rate, dims="time", coords={"time": time})
    return described(array, "population_rate", "population rate", "Hz")


@of_layer
def first_spike_latency(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """First-spike latency of each neuron, median over the examples it responds to, (neuron,) in ms.

    Time is that of the layer's own window: a spike in the first step that the presentation can
    reach has the latency 0. At depth d, from 0, add d steps for the time since the presentation's
    start. NaN for neurons that never spike.
    """
    last, neurons = steps(tree), layer_data(tree, layer).sizes["neuron"]
    dense = neurons * last <= _ENTRIES  # of long recordings, first spikes are fewer than steps
    counts, places = np.zeros(neurons * last * dense, np.int64), [np.zeros(0, np.int64)]
    for _, first in first_spikes(tree, layer):
        place = (first + np.arange(neurons) * last)[first < last]
        if dense:
            counts += np.bincount(place, minlength=counts.size)
        else:
            places.append(place)
    place = np.flatnonzero(counts) if dense else np.sort(np.concatenate(places))
    counts = counts[place] if dense else np.ones_like(place)
    responses = np.bincount(place // max(last, 1), counts, neurons).astype(np.int64)
    # The middle response, or the two in the middle, among those of all neurons.
    upto, before = counts.cumsum(), responses.cumsum() - responses
    index = [
        np.searchsorted(upto, before + n, "right") for n in ((responses - 1) // 2, responses // 2)
    ]
    middle = [np.append(place, 0)[each.clip(max=place.size)] % max(last, 1) for each in index]
    latency = np.where(responses > 0, sum(middle) / 2, np.nan) * float(tree.attrs["dt_ms"])
    return of_neurons((tree, layer), latency, "first_spike_latency", "first-spike latency", "ms")


def first_spikes(
    tree: xr.DataTree, layer: str, width: int = 1
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Read the bin of the first spike of each neuron in each example, by blocks of examples.

    `width`: the steps of a bin.

    Yields the position of the block's first example, and the bins (example, neuron); the number of
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
