"""Receptive fields: spike-triggered averages, their localisation, and responses to intensity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.arrays import (
    Dims,
    along,
    as_dataset,
    check_dims,
    count_blocks,
    described,
    ratio,
)
from bioae.analysis.results.class_sums import class_sums
from bioae.analysis.results.layers import duration_s, layer_data, layer_names, of_layer, of_result
from bioae.analysis.results.outputs import still_images_of
from bioae.analysis.results.repeats import first_presentations, stimulus_index
from bioae.checks import any_array, whole
from bioae.errors import ResultError, shortened

# Numbers in a block of counts or of images.
_ENTRIES = 2**22


@of_layer
def spike_triggered_average(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Spike-triggered average: the mean image before a neuron's spikes, minus the mean image.

    An image is constant during its presentation, so the mean over spikes is the mean over images
    weighted by spike counts, or by mean counts over the repeats of each. Where pixels are
    correlated, as in natural images, it is the neuron's filter blurred by this correlation; it is
    not whitened.

    Returns
    -------
    xarray.Dataset
        ``average`` (neuron, [channel,] y, x) in the units of the image, and ``z_score``, the
        average divided by its standard deviation under random assignment of counts to images. The
        variance is exactly s² Σ (w - 1/n)², with a pixel's variance s² (ddof 1) over the n images
        and the neuron's weights w, which sum to 1. NaN where a neuron never spikes; the z score
        also where its counts or the pixel are the same in all images.

    References
    ----------
    Chichilnisky (2001), A simple white noise analysis of neuronal light responses, Network 12,
    199-213, doi:10.1080/713663221.
    """
    data = layer_data(tree, layer)
    images = still_images_of(tree, "a spike-triggered average").transpose("example", ...)
    (counts, counts_squared), (intensity, squared), products = _sums(tree, layer, images)
    n = max(first_presentations(tree)[0].size, 1)
    fired = np.where(counts > 0, counts, np.nan)
    average = products / fired[:, None] - intensity / n
    # Squared deviation of the weights, which are counts over their sum, and variance of pixels.
    unequal = (n * counts_squared - counts**2) / (n * fired**2)
    variance = (squared - intensity**2 / n) / max(n - 1, 1)
    # Rounding errors must not count as variance.
    variance[variance <= 1e-12 * squared / n] = 0
    z_score = ratio(average, np.sqrt(unequal)[:, None] * np.sqrt(variance))
    shape = images.sizes
    dims = ("neuron", *(str(dim) for dim in shape if dim != "example"))
    # Coordinates of the neurons, except those with the names of the pixels' dimensions.
    labels = data.drop_vars([name for name in ("channel", "y", "x") if name in data.coords])

    def field(values: NDArray[np.float64], name: str, text: str) -> xr.DataArray:
        folded = values.reshape(-1, *(shape[dim] for dim in dims[1:]))
        return described(along(labels, folded, *dims), name, text, "1")

    return xr.Dataset(
        {
            "average": field(average, "average", "spike-triggered average"),
            "z_score": field(z_score, "z_score", "z score of the spike-triggered average"),
        }
    )


def weight_fields(weights: ArrayLike, shape: Sequence[int]) -> xr.DataArray:
    """Receptive fields of neurons: their input weights, in the shape of the image.

    Parameters
    ----------
    weights
        (neuron, pixel): for example ``network.weights["hidden.weight"]``.
    shape
        (channel, y, x) or (y, x) of an image, such as ``network.config.input_shape``.

    Returns
    -------
    xarray.DataArray
        (neuron, [channel,] y, x), in network weights.
    """
    values, sizes = any_array(weights), any_array(shape)
    if sizes.dtype.kind not in "iu" or sizes.shape not in ((2,), (3,)):
        raise ResultError(
            "the shape of an image does not fit", expected="(channel, y, x) or (y, x)",
            found=shortened(repr(shape)),
        )  # fmt: skip
    if values.ndim != 2 or values.dtype.kind not in "iuf" or sizes.prod() != values.shape[1]:
        raise ResultError(
            "the weights do not fit the images", expected=f"numbers (neuron, {sizes.prod()})",
            found=f"{values.dtype} {values.shape}",
        )  # fmt: skip
    dims = ("channel", "y", "x")[-len(shape) :]
    fields = xr.DataArray(values.reshape(-1, *shape), dims=("neuron", *dims))
    if fields.sizes.get("channel") == 1:
        fields = fields.squeeze("channel")
    return described(fields, "weight_fields", "weight from the pixel", "1")


def inverse_participation_ratio(field: xr.DataArray, *, dims: Dims = ("y", "x")) -> xr.DataArray:
    """Inverse participation ratio of fields, a measure of localisation: Σ w⁴ / (Σ w²)².

    It is 1 for a field of a single pixel, and 1/n for a field of equal magnitude at n pixels: its
    inverse is the effective number of pixels.

    Parameters
    ----------
    field
        For example ``spike_triggered_average(...)["average"]``, or the weights of a layer
        as an array of xarray.
    dims
        Dimensions of the pixels, summed over; with channels ``("channel", "y", "x")``.

    Returns
    -------
    xarray.DataArray
        One number for each field; NaN where the field is 0 everywhere, empty or undefined.

    Raises
    ------
    ResultError
        If the field has no real numbers, or not these dimensions, once each.

    References
    ----------
    Bell & Dean (1970), Atomic vibrations in vitreous silica, Discussions of the Faraday Society
    50, 55-61, doi:10.1039/DF9705000055; for receptive fields: Ingrosso & Goldt (2022), PNAS 119,
    e2201854119, doi:10.1073/pnas.2201854119.
    """
    check_dims(field, dims)
    if field.dtype.kind not in "iufb":
        raise ResultError("the field does not fit", expected="real numbers", found=str(field.dtype))
    if field.dtype.kind != "f":
        field = field.astype(np.float64)
    # Scaled to at most 1, so that no fourth power vanishes or overflows.
    largest = abs(field).max(dims, skipna=False) if field.size else field.sum(dims)
    squares = (field / largest.where(largest > 0)) ** 2
    local = (squares**2).sum(dims, skipna=False) / squares.sum(dims, skipna=False) ** 2
    return described(local, "inverse_participation_ratio", "inverse participation ratio", "1")


def _sums(
    tree: xr.DataTree, layer: str, images: xr.DataArray
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sums over examples: of counts, of images, each with its squares, and of products.

    Images are relative to the first one, so that a constant pixel is exactly 0.
    """
    neurons = layer_data(tree, layer).sizes["neuron"]
    pixels = math.prod(size for dim, size in images.sizes.items() if dim != "example")
    of_counts, of_images = np.zeros((2, neurons)), np.zeros((2, pixels))
    products = np.zeros((neurons, pixels))
    first = images.variable[:1].to_numpy().reshape(-1, pixels).astype(np.float64)
    entries = max(_ENTRIES * neurons // max(neurons, pixels), 1)
    for counts, block in _responses(tree, layer, images, entries):
        part = block.reshape(len(counts), pixels).astype(np.float64) - first
        of_counts += counts.sum(0), (counts**2).sum(0)
        of_images += part.sum(0), (part**2).sum(0)
        products += counts.T @ part
    return of_counts, of_images, products


def _responses(
    tree: xr.DataTree, layer: str, images: xr.DataArray, entries: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[Any]]]:
    """Yield blocks of counts (stimulus, neuron), means over repeats, and of their images."""
    if stimulus_index(tree) is None:
        for start, block in count_blocks(tree, layer, entries=entries):
            yield block.astype(np.float64), images.variable[start : start + len(block)].to_numpy()
        return
    sums = class_sums(tree, layer, by_label=False, by_stimulus=True)
    first, _ = first_presentations(tree)
    rows = max(1, entries // max(1, sums.total.shape[1]))
    for start in range(0, first.size, rows):
        part = slice(start, start + rows)
        yield sums.total[part] / sums.sizes[part, None], images.variable[first[part]].to_numpy()


@of_result
def transfer_curve(
    tree: xr.DataTree, layer: str | None = None, *, patch: int = 5, bins: int = 20
) -> xr.Dataset:
    """Transfer curve: mean firing rate against the mean intensity in the receptive field.

    A result does not hold a layer's connections, so the field is assumed to be a square of pixels
    around the neuron's position, scaled to the image; neurons without positions see the whole
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
    return _curve(sums, ratio(counted, seen), duration_s(tree))


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


def _curve(
    sums: NDArray[np.float64], of_neurons: NDArray[np.float64], duration: float
) -> xr.Dataset:
    """Return the curve from sums over pairs, and the mean counts (intensity, neuron)."""
    pairs, total, squares = sums
    mean = ratio(total, pairs)
    spread = np.sqrt(np.maximum(ratio(squares, pairs) - mean**2, 0))
    defined, undefined = [row[np.isfinite(row)] for row in of_neurons], np.full(3, np.nan)
    rows = [np.quantile(row, [0.25, 0.5, 0.75]) if row.size else undefined for row in defined]
    lower, median, upper = np.array(rows).T
    rates = {
        "lower": ("lower quartile over neurons", lower / duration),
        "median": ("median rate over neurons", median / duration),
        "upper": ("upper quartile over neurons", upper / duration),
        "rate": ("firing rate", mean / duration),
        "spread": ("spread of rates", spread / duration),
    }
    attrs = {"long_name": "mean intensity of the input", "units": "1"}
    intensity = "intensity", (np.arange(pairs.size) + 0.5) / pairs.size, attrs
    curve = as_dataset(rates, "intensity", units="Hz", coords={"intensity": intensity})
    return curve.assign(as_dataset({"pairs": ("pairs", pairs.astype(np.int64))}, "intensity"))
