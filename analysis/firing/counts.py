"""Spike counts: alive and dead, active and silent, bursting neurons.

Hübotter, Lanillos & Tomczak (2021), arXiv:2109.11045, call a neuron *dead* if it has no spike over
the whole evaluation set, and *bursting* if it spikes in most steps. They give no threshold for the
latter; `BURSTING_THRESHOLD` is a choice of bioae. This bursting is a property of whole
presentations, unlike the burst of neurophysiology, a group of spikes at short intervals.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from bioae.analysis.results.arrays import Dims, averaged, check_dims, described
from bioae.analysis.results.layers import layer_data, of_result, steps
from bioae.checks import number, one_of
from bioae.errors import ResultError
from bioae.firing_names import BURSTING_THRESHOLD

__all__ = [
    "BURSTING_THRESHOLD",
    "NeuronSet",
    "active_fraction",
    "bursting_fraction",
    "check_reference",
    "dead_fraction",
    "is_alive",
    "is_bursting",
    "is_silent",
    "silent_fraction",
    "spike_count",
]

#: The neurons that a fraction or a distribution is of.
NeuronSet = Literal["all", "alive"]


@of_result
def spike_count(tree: xr.DataTree, layer: str, *, dims: Dims = ()) -> xr.DataArray:
    """Spike count of each neuron in each example, (example, neuron), summed over `dims`."""
    count = layer_data(tree, layer)["spike_count"]
    check_dims(count, dims)
    if dims != ():
        count = count.sum(dims)
    return described(count, "spike_count", "spikes", "1")


@of_result
def is_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Alive neurons, which spike in at least one example, (neuron,) bool."""
    alive = spike_count(tree, layer, dims="example") > 0
    return described(alive, "is_alive", "spikes in any example")


@of_result
def dead_fraction(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Fraction of dead neurons, which spike in no example; it falls with the number of examples."""
    dead = 1 - _fraction(tree, is_alive(tree, layer))
    return described(dead, "dead_fraction", "dead neurons", "1")


@of_result
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


@of_result
def is_silent(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Silent examples, in which no neuron of the layer spikes, (example,) bool."""
    silent = spike_count(tree, layer, dims="neuron") == 0
    return described(silent, "is_silent", "no spike in the layer")


@of_result
def silent_fraction(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Fraction of examples in which no neuron of the layer spikes."""
    silent = averaged(is_silent(tree, layer), "example")
    return described(silent, "silent_fraction", "silent examples", "1")


@of_result
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
    limit = threshold * steps(tree) * (count > 0).sum("example")
    return described(count.sum("example") > limit, "is_bursting", "bursting")


@of_result
def bursting_fraction(
    tree: xr.DataTree,
    layer: str,
    *,
    threshold: float = BURSTING_THRESHOLD,
    of: NeuronSet = "all",
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
