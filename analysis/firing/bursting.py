"""Neurons that fire whenever they can, and so say little.

Hübotter, Lanillos & Tomczak (2021), arXiv:2109.11045, name *bursting* the state in which a neuron
of a trained network spikes in most of the steps, and give no threshold. The one here is ours. It
is a statement about a whole presentation, and not the burst of neurophysiology, a group of spikes
at short intervals.
"""

from __future__ import annotations

from typing import Literal

import xarray as xr

from bioae.analysis.firing.counts import is_alive, spike_count
from bioae.analysis.results.layers import described, steps
from bioae.errors import ResultError

__all__ = ["BURSTING_THRESHOLD", "bursting_fraction", "is_bursting"]

BURSTING_THRESHOLD = 0.5


def is_bursting(
    tree: xr.DataTree, layer: str, *, threshold: float = BURSTING_THRESHOLD
) -> xr.DataArray:
    """Whether a neuron fires in most steps when it fires at all, (neuron,) bool.

    Only the examples in which the neuron spikes count: over those, its mean spikes per step must
    exceed `threshold`. So one that answers a single class with a volley is found, and its silence
    in the other classes does not hide it. A dead neuron does not burst.

    Parameters
    ----------
    threshold
        In spikes per step, from 0 to 1. With a refractory period of several steps a
        neuron may be unable to reach one half: choose it against the highest rate possible.

    Raises
    ------
    ResultError
        If `threshold` is outside.
    """
    if not 0 <= threshold <= 1:
        raise ResultError(
            "the bursting threshold is outside",
            expected="0 to 1 spikes per step",
            found=str(threshold),
        )
    count = spike_count(tree, layer)
    # Whole numbers: no rounding decides, and no array of floats is as large as the counts.
    most = threshold * steps(tree) * (count > 0).sum("example")
    bursting = count.sum("example") > most
    return described(bursting, "is_bursting", "bursting")


def bursting_fraction(
    tree: xr.DataTree,
    layer: str,
    *,
    threshold: float = BURSTING_THRESHOLD,
    of: Literal["all", "alive"] = "all",
) -> xr.DataArray:
    """Return the fraction of ``"all"`` neurons, or of those ``"alive"``, that `is_bursting`."""
    bursting = is_bursting(tree, layer, threshold=threshold)
    if of == "alive":
        bursting = bursting.where(is_alive(tree, layer))
    name = "bursting neurons" if of == "all" else "bursting of the alive"
    return described(bursting.mean(), "bursting_fraction", name, "1")
