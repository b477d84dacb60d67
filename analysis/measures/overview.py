"""The table of a result: every number of every layer."""

from __future__ import annotations

import xarray as xr

from bioae.analysis.firing.counts import (
    BURSTING_THRESHOLD,
    active_fraction,
    bursting_fraction,
    dead_fraction,
    silent_fraction,
    spike_count,
)
from bioae.analysis.firing.rates import density_alive, firing_rate, rate_per_step
from bioae.analysis.results.layers import described, layer_data, layer_names

__all__ = ["summary"]


def summary(tree: xr.DataTree, *, bursting_threshold: float = BURSTING_THRESHOLD) -> xr.Dataset:
    """Return the firing of every layer in numbers, along `layer`.

    Fractions are between 0 and 1; means are over neurons and examples.

    Parameters
    ----------
    bursting_threshold
        In spikes per step, see `bioae.analysis.is_bursting`.

    Raises
    ------
    ResultError
        If the threshold is outside.
    """
    names = layer_names(tree)
    rows = [_row(tree, name, bursting_threshold) for name in names]
    return xr.concat(rows, xr.Variable("layer", names), coords="minimal", join="exact")


def _row(tree: xr.DataTree, layer: str, threshold: float) -> xr.Dataset:
    everything = ("example", "neuron")
    count = spike_count(tree, layer, dims=everything)
    neurons = xr.DataArray(layer_data(tree, layer).sizes["neuron"])
    rate = firing_rate(tree, layer, dims=everything)
    bursting = bursting_fraction(tree, layer, threshold=threshold)
    bursting_of_alive = bursting_fraction(tree, layer, threshold=threshold, of="alive")
    active = active_fraction(tree, layer).mean()
    active_of_alive = active_fraction(tree, layer, of="alive").mean()
    columns = [
        described(neurons, "neurons", "neurons", "1"),
        described(count, "spikes", "spikes", "1"),
        described(
            rate_per_step(tree, layer, dims=everything), "rate_per_step_mean", "spike density", "1"
        ),
        described(density_alive(tree, layer), "density_alive", "spike density of the alive", "1"),
        described(rate, "rate_hz_mean", "mean rate", "Hz"),
        described(dead_fraction(tree, layer), "dead_fraction", "dead neurons", "1"),
        described(bursting, "bursting_fraction", "bursting neurons", "1"),
        described(bursting_of_alive, "bursting_of_alive", "bursting of the alive", "1"),
        described(active, "active_fraction_mean", "active neurons per example", "1"),
        described(active_of_alive, "active_of_alive", "active of the alive, per example", "1"),
        described(silent_fraction(tree, layer), "silent_fraction", "silent examples", "1"),
    ]
    return xr.Dataset({str(column.name): column for column in columns})
