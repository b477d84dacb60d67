"""Firing rates of neurons, and of the population over time."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.firing.counts import is_alive
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.results.layers import Dims, averaged, described, duration_s, layer_data, steps
from bioae.analysis.results.spikes import blocks
from bioae.checks import real
from bioae.errors import ResultError

__all__ = ["firing_rate", "population_rate", "rate_per_step", "rate_per_step_mean_alive"]

# Truncation of the Gaussian kernel in standard deviations: it omits less than a millionth.
_CUTOFF = 5.0


def firing_rate(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Mean firing rate in Hz: spikes per second of presentation, averaged over `dims`.

    (neuron,) by default; (example, neuron) with ``dims=()``. The attribute `resolution` is the rate
    of a single spike, of which all rates are multiples.
    """
    count = layer_data(tree, layer)["spike_count"]
    rate = averaged(count, dims) / duration_s(tree)
    spike = rate.size / max(count.size, 1) / duration_s(tree)
    return described(rate, "firing_rate", "firing rate", "Hz").assign_attrs(resolution=spike)


def rate_per_step(tree: xr.DataTree, layer: str, *, dims: Dims = "example") -> xr.DataArray:
    """Spikes per step of presentation, averaged over `dims`: at most 1.

    Over ``("example", "neuron")`` it is the *density* of Hübotter, Lanillos & Tomczak (2021),
    arXiv:2109.11045.
    """
    rate = averaged(layer_data(tree, layer)["spike_count"], dims) / steps(tree)
    return described(rate, "rate_per_step", "rate per step", "spikes/step")


def rate_per_step_mean_alive(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Spikes per step, averaged over the neurons that spike in any example; NaN if none does.

    A layer that is half dead and half bursting has the same mean rate as a healthy one. This
    measure distinguishes them.
    """
    per_neuron = rate_per_step(tree, layer).where(is_alive(tree, layer))
    name = "rate_per_step_mean_alive"
    return described(per_neuron.mean(), name, *DEFINITIONS[name][:2])


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

    Raises
    ------
    ResultError
        If `sigma_ms` is not positive and finite, or there is no such layer.

    References
    ----------
    Nawrot, Aertsen & Rotter (1999), Single-trial estimation of neuronal firing rates, Journal of
    Neuroscience Methods 94, 81-92, doi:10.1016/S0165-0270(99)00127-2.
    """
    if sigma_ms is not None and not 0 < real(sigma_ms, "sigma_ms", error=ResultError) < np.inf:
        raise ResultError(
            "the kernel's width is out of range", expected="above 0 ms", found=str(sigma_ms)
        )
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
