"""How fast a layer fires over the time of a presentation."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.results.layers import described, layer_data, steps
from bioae.analysis.results.spikes import blocks
from bioae.errors import ResultError

__all__ = ["population_rate"]

# Standard deviations at which the kernel is cut off: less than a millionth of it is left out.
_CUTOFF = 5.0


def population_rate(
    tree: xr.DataTree, layer: str, *, sigma_ms: float | None = None
) -> xr.DataArray:
    """Return the rate over time, averaged over neurons and examples, (time,) in Hz.

    Parameters
    ----------
    sigma_ms
        The standard deviation of a Gaussian kernel that smooths it; none by default. Near the
        edges of the presentation the kernel is what is left of it inside, scaled up to 1: nothing
        is known outside, and a constant rate stays constant. Elephant's `instantaneous_rate` with
        ``border_correction`` does the same and then scales the whole to the number of spikes.

    Raises
    ------
    ResultError
        If `sigma_ms` is not positive and finite, or there is no such layer.

    References
    ----------
    Nawrot, Aertsen & Rotter (1999), Single-trial estimation of neuronal firing rates, Journal of
    Neuroscience Methods 94, 81-92, doi:10.1016/S0165-0270(99)00127-2.
    """
    if sigma_ms is not None and not 0 < sigma_ms < np.inf:
        raise ResultError(
            "the kernel's width is outside", expected="above 0 ms", found=str(sigma_ms)
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
    found = xr.DataArray(rate, dims="time", coords={"time": time})
    return described(found, "population_rate", "population rate", "Hz")
