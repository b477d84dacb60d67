"""Which neurons fire, and in how many examples."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from bioae.analysis.results.layers import Dims, described, layer_data

__all__ = [
    "active_fraction",
    "dead_fraction",
    "is_alive",
    "is_silent",
    "silent_fraction",
    "spike_count",
]


def spike_count(tree: xr.DataTree, layer: str, *, dims: Dims = ()) -> xr.DataArray:
    """Spikes of each neuron in each example, summed over `dims`."""
    count = layer_data(tree, layer)["spike_count"]
    if dims != ():
        count = count.sum(dims)
    return described(count, "spike_count", "spikes", "1")


def is_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Whether a neuron spikes in any example at all, (neuron,) bool."""
    alive = spike_count(tree, layer, dims="example") > 0
    return described(alive, "is_alive", "spikes in any example")


def dead_fraction(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Return the fraction of neurons without a spike over the whole evaluation set.

    This is the *dead* neuron of Hübotter, Lanillos & Tomczak (2021), arXiv:2109.11045; it depends
    on the examples that were shown, and falls as more are.
    """
    dead = 1 - is_alive(tree, layer).mean()
    return described(dead, "dead_fraction", "dead neurons", "1")


def active_fraction(
    tree: xr.DataTree, layer: str, *, of: Literal["all", "alive"] = "all"
) -> xr.DataArray:
    """Return the fraction of neurons that spike in an example, (example,).

    Parameters
    ----------
    of
        What the fraction is of: ``"all"`` neurons, or those ``"alive"``, which spike in any
        example. Without a living neuron the latter is NaN.
    """
    active = (spike_count(tree, layer) > 0).sum("neuron")
    number = layer_data(tree, layer).sizes["neuron"]
    if of == "alive":  # as all that are active are
        number = int(is_alive(tree, layer).sum())
    fraction = active / (number or np.nan)
    name = "active neurons per example" if of == "all" else "active of the alive, per example"
    return described(fraction, "active_fraction", name, "1")


def is_silent(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Whether no neuron of the layer spikes in an example, (example,) bool."""
    silent = spike_count(tree, layer, dims="neuron") == 0
    return described(silent, "is_silent", "no spike in the layer")


def silent_fraction(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Return the fraction of examples in which no neuron of the layer spikes."""
    silent = is_silent(tree, layer).mean()
    return described(silent, "silent_fraction", "silent examples", "1")
