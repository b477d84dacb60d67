"""How often neurons fire."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.firing.counts import is_alive
from bioae.analysis.results.layers import Dims, described, duration_s, layer_data, steps
from bioae.errors import ResultError

__all__ = ["density_alive", "firing_rate", "rate_distribution", "rate_per_step"]


def firing_rate(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Spikes per second of presentation, averaged over `dims`.

    By default one rate a neuron, (neuron,) in Hz; with ``dims=()`` one for each example too.
    """
    rate = _mean_count(tree, layer, dims) / duration_s(tree)
    return described(rate, "firing_rate", "firing rate", "Hz")


def rate_per_step(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Spikes per step of presentation, averaged over `dims`: at most 1.

    Over ``("example", "neuron")`` it is the *density* of Hübotter, Lanillos & Tomczak (2021),
    arXiv:2109.11045.
    """
    rate = _mean_count(tree, layer, dims) / steps(tree)
    return described(rate, "rate_per_step", "spikes per step", "1")


def density_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Spikes per step, averaged over the neurons that spike in any example; NaN if none does.

    A layer that is half dead and half bursting has the same mean rate as a healthy one. This
    measure tells them apart.
    """
    per_neuron = rate_per_step(tree, layer).where(is_alive(tree, layer))
    return described(per_neuron.mean(), "density_alive", "spike density of the alive", "1")


def rate_distribution(tree: xr.DataTree, layer: str, *, bins: int = 30) -> xr.Dataset:
    """How many neurons fire at which rate, in bins of equal width on a logarithmic axis.

    The bins reach from the lowest rate that could be seen, one spike in all presentations, to
    the highest, one in every step, so that results of the same size share them.

    Returns
    -------
    xarray.Dataset
        ``neurons (rate)`` int, with the bins' geometric centres `rate` and edges `rate_low` and
        `rate_high` in Hz, and the scalar ``dead``, the neurons that no bin holds.

    Raises
    ------
    ResultError
        If `bins` is not positive.
    """
    if bins < 1:
        raise ResultError("bins must be positive", expected="at least 1", found=str(bins))
    data = layer_data(tree, layer)
    rates = firing_rate(tree, layer).to_numpy()
    lowest = 1 / (duration_s(tree) * data.sizes["example"])
    highest = steps(tree) / duration_s(tree)
    # A little slack, so that rounding pushes no rate over the outer edges.
    edges = np.geomspace(lowest / 1.1, highest * 1.1, bins + 1)
    neurons, _ = np.histogram(rates[rates > 0], edges)
    hertz = {"units": "Hz"}
    return xr.Dataset(
        {
            "neurons": ("rate", neurons, {"long_name": "neurons", "units": "1"}),
            "dead": ((), int((rates == 0).sum()), {"long_name": "dead neurons", "units": "1"}),
        },
        coords={
            "rate": ("rate", np.sqrt(edges[:-1] * edges[1:]), {"long_name": "rate", **hertz}),
            "rate_low": ("rate", edges[:-1], {"long_name": "lower edge", **hertz}),
            "rate_high": ("rate", edges[1:], {"long_name": "upper edge", **hertz}),
        },
    )


def _mean_count(tree: xr.DataTree, layer: str, dims: Dims) -> xr.DataArray:
    return layer_data(tree, layer)["spike_count"].mean(dims)
