"""Transfer curve of a layer: firing rate as a function of input intensity."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import count_blocks, ratio
from bioae.analysis.results.layers import duration_s, layer_data, layer_names, still_images_of
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["transfer_curve"]


def transfer_curve(
    tree: xr.DataTree, layer: str | None = None, *, patch: int = 5, bins: int = 20
) -> xr.Dataset:
    """Transfer curve: mean firing rate against the mean pixel intensity in a neuron's view.

    A result does not hold a layer's connections, so a neuron's view is assumed to be a square of
    pixels around its position, scaled to the image; neurons without positions view the whole
    image. The curve includes the layer's weights: it is not the f-I curve of a neuron that is
    driven by a current.

    Parameters
    ----------
    layer
        By default the first, which receives the images.
    patch
        The side of the square in pixels, for instance that of the layer's kernels. Pixels beyond
        the edge of the image do not count.
    bins
        Number of bins of equal width, over intensities from 0 to 1.

    Returns
    -------
    xarray.Dataset
        (intensity) In Hz, the `median` and the quartiles `lower` and `upper` over the neurons, of
        each the mean rate over the examples in which it sees this intensity; the mean `rate` over
        pairs of an example and a neuron, and their standard deviation `spread`; the number of
        `pairs`. NaN in bins without a pair.

    Raises
    ------
    ResultError
        If there is no such layer, or `patch` or `bins` is not positive.
    """
    patch = whole(patch, "patch", least=1, error=ResultError)
    bins = whole(bins, "bins", least=1, error=ResultError)
    layer = layer_names(tree)[0] if layer is None else layer
    data, images = layer_data(tree, layer), still_images_of(tree, "a transfer curve")
    neurons = data.sizes["neuron"]
    sums = np.zeros((3, bins))
    of_neurons = np.zeros((2, bins * neurons))
    for start, counts in count_blocks(tree, layer):
        part = images.isel(example=slice(start, start + len(counts)))
        viewed = _viewed(part, data, patch)
        places = np.broadcast_to(np.clip((viewed * bins).astype(int), 0, bins - 1), counts.shape)
        for row, weights in enumerate((np.ones_like(counts), counts, counts**2)):
            sums[row] += np.bincount(places.ravel(), weights.ravel(), bins)
        cells = places * neurons + np.arange(neurons)
        for row, weights in enumerate((np.ones_like(counts), counts)):
            of_neurons[row] += np.bincount(cells.ravel(), weights.ravel(), bins * neurons)
    seen, counted = of_neurons.reshape(2, bins, neurons)
    return _curve(sums, _quartiles(ratio(counted, seen)), duration_s(tree))


def _viewed(images: xr.DataArray, data: xr.Dataset, patch: int) -> NDArray[np.float64]:
    """Return the mean intensity in each neuron's view, (example, neuron) or (example, 1)."""
    if "channel" in images.dims:
        images = images.mean("channel")
    pixels = np.asarray(images.transpose("example", "y", "x").to_numpy(), float)
    if "y" not in data.coords:
        return np.asarray(pixels.mean((1, 2)))[:, None]
    bounds = [
        _bounds(data[axis].to_numpy(), pixels.shape[i], patch) for i, axis in enumerate("yx", 1)
    ]
    (top, bottom), (left, right) = bounds
    area = np.pad(pixels.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    inside = (
        area[:, bottom, right] - area[:, top, right] - area[:, bottom, left] + area[:, top, left]
    )
    return np.asarray(inside / ((bottom - top) * (right - left)))


def _bounds(
    place: NDArray[np.integer], pixels: int, patch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first pixel in each neuron's view along an axis, and the one after the last."""
    centre = (place + 0.5) * pixels / (int(place.max()) + 1)
    first = np.rint(centre - patch / 2).astype(np.int64)
    low = np.clip(first, 0, pixels - 1)
    return low, np.clip(first + patch, low + 1, pixels)


def _quartiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return lower quartile, median and upper quartile of what is defined in each row."""
    each = [row[np.isfinite(row)] for row in values]
    quartiles = [
        np.quantile(row, [0.25, 0.5, 0.75]) if row.size else np.full(3, np.nan) for row in each
    ]
    return np.array(quartiles).T


def _curve(
    sums: NDArray[np.float64], quartiles: NDArray[np.float64], duration: float
) -> xr.Dataset:
    pairs, total, squares = sums
    mean = ratio(total, pairs)
    spread = np.sqrt(np.maximum(ratio(squares, pairs) - mean**2, 0))
    bins = pairs.size
    over_neurons = {
        name: ("intensity", row / duration, {"long_name": f"{text} over neurons", "units": "Hz"})
        for name, text, row in zip(
            ("lower", "median", "upper"),
            ("lower quartile", "median rate", "upper quartile"),
            quartiles,
            strict=True,
        )
    }
    return xr.Dataset(
        {
            **over_neurons,
            "rate": ("intensity", mean / duration, {"long_name": "firing rate", "units": "Hz"}),
            "spread": (
                "intensity",
                spread / duration,
                {"long_name": "spread of rates", "units": "Hz"},
            ),
            "pairs": ("intensity", pairs.astype(np.int64), {"long_name": "pairs", "units": "1"}),
        },
        coords={
            "intensity": (
                "intensity",
                (np.arange(bins) + 0.5) / bins,
                {"long_name": "mean intensity of the input", "units": "1"},
            )
        },
    )
