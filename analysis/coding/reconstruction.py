"""Reconstruction error of the network and of two trivial predictors."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import as_dataset, described
from bioae.analysis.results.layers import of_result
from bioae.analysis.results.outputs import images_of
from bioae.checks import any_array, instance
from bioae.errors import ResultError

#: Errors of images by the differences from their targets, and the dimensions of pixels.
_MEASURES: dict[str, Callable[[xr.DataArray, list[Hashable]], xr.DataArray]] = {
    "sum_squared_error": lambda difference, pixels: (difference**2).sum(pixels),
    "mean_squared_error": lambda difference, pixels: (difference**2).mean(pixels),
    "mean_absolute_error": lambda difference, pixels: abs(difference).mean(pixels),
}


@of_result
def sum_squared_error(
    tree: xr.DataTree, reconstruction: xr.DataArray | None = None
) -> xr.DataArray:
    """Squared error of each image, summed over pixels and channels, (example,).

    This is the convention of published results of spiking autoencoders.

    Parameters
    ----------
    reconstruction
        Images to compare with the inputs, of the same examples; by default the network's
        reconstruction.

    Raises
    ------
    ResultError
        If it is not an array of xarray, or has other examples.
    """
    (error,) = _errors(tree, reconstruction, "sum_squared_error")
    return described(error, "sum_squared_error", "squared error, sum over pixels", "1")


@of_result
def mean_squared_error(
    tree: xr.DataTree, reconstruction: xr.DataArray | None = None
) -> xr.DataArray:
    """Squared error of each image, averaged over pixels and channels, (example,)."""
    (error,) = _errors(tree, reconstruction, "mean_squared_error")
    return described(error, "mean_squared_error", "squared error, mean over pixels", "1")


@of_result
def mean_absolute_error(
    tree: xr.DataTree, reconstruction: xr.DataArray | None = None
) -> xr.DataArray:
    """Absolute error of each image, averaged over pixels and channels, (example,)."""
    (error,) = _errors(tree, reconstruction, "mean_absolute_error")
    return described(error, "mean_absolute_error", "absolute error, mean over pixels", "1")


@of_result
def all_zero(tree: xr.DataTree) -> xr.DataArray:
    """Reconstruction of a network that never spikes: zero everywhere."""
    inputs = images_of(tree, "input")
    zero = xr.DataArray(np.zeros((), inputs.dtype)).broadcast_like(inputs)
    return described(zero, "all_zero", "all zero", "1")


@of_result
def mean_image(tree: xr.DataTree, images: NDArray[Any] | None = None) -> xr.DataArray:
    """Mean image for every example: the best reconstruction that ignores the input.

    Parameters
    ----------
    images
        (example, channel, y, x) or (example, y, x) The training images to average, bytes or numbers
        in [0, 1], or a data set of them; by default the inputs of the result itself, a slightly
        stronger baseline.

    Raises
    ------
    ResultError
        If the training images have another size, or are not in this range.
    """
    inputs = images_of(tree, "input")
    if images is None:
        total = inputs.sum("example", dtype=np.float64)
        mean = total / (inputs.sizes["example"] or np.nan)
    else:
        mean = _mean_of(images, inputs.isel(example=0, drop=True))
    mean = mean.broadcast_like(inputs).transpose(*inputs.dims)
    return described(mean, "mean_image", "mean image", "1")


@of_result
def reconstruction_errors(tree: xr.DataTree, images: NDArray[Any] | None = None) -> xr.Dataset:
    """Reconstruction errors of the network and of both baselines, over all examples.

    Parameters
    ----------
    images
        The training images for `mean_image`.

    Returns
    -------
    xarray.Dataset
        `sum_squared_error`, its standard deviation over examples `sum_squared_error_std`,
        `mean_squared_error` and `mean_absolute_error`, each along `predictor`: network, all_zero,
        mean_image.
    """
    predictions = {
        "network": images_of(tree, "reconstruction"),
        "all_zero": all_zero(tree),
        "mean_image": mean_image(tree, images),
    }
    sums, means, absolute = zip(
        *(_errors(tree, prediction, *_MEASURES) for prediction in predictions.values()), strict=True
    )
    columns = {
        "sum_squared_error": ("squared error per image", [float(x.mean()) for x in sums]),
        "sum_squared_error_std": ("its s.d. over images", [float(x.std()) for x in sums]),
        "mean_squared_error": ("squared error per pixel", [float(x.mean()) for x in means]),
        "mean_absolute_error": ("absolute error per pixel", [float(x.mean()) for x in absolute]),
    }
    return as_dataset(columns, "predictor", coords={"predictor": list(predictions)})


def _errors(
    tree: xr.DataTree, reconstruction: xr.DataArray | None, *measures: str
) -> list[xr.DataArray]:
    """Return errors of each image, (example,)."""
    inputs = images_of(tree, "input")
    guess = images_of(tree, "reconstruction") if reconstruction is None else reconstruction
    instance(guess, "the reconstruction", xr.DataArray, error=ResultError)
    if "example" in guess.dims:
        guess = _of_examples(guess, inputs)
    pixels = [dim for dim in inputs.dims if dim != "example"]
    # In float32 the sum would lose its last digits.
    difference = guess.astype(np.float64) - inputs.astype(np.float64)
    return [_MEASURES[measure](difference, pixels) for measure in measures]


def _of_examples(guess: xr.DataArray, inputs: xr.DataArray) -> xr.DataArray:
    """Return a reconstruction in the order of the inputs, of which it has all."""
    index, wanted = guess.indexes.get("example"), inputs.indexes["example"]
    if index is None and guess.sizes["example"] == wanted.size:
        return guess.assign_coords(example=wanted)
    same = index is not None and index.is_unique and set(index) == set(wanted)
    if not same:
        raise ResultError(
            "the reconstruction is of other examples",
            expected=f"those of the result, {wanted.size}", found=f"{guess.sizes['example']}",
        )  # fmt: skip
    return guess.sel(example=wanted)


def _mean_of(images: NDArray[Any], like: xr.DataArray) -> xr.DataArray:
    pixels = any_array(images.as_float() if hasattr(images, "as_float") else images)
    if pixels.ndim < 3 or not len(pixels) or pixels.dtype.kind not in "buif":
        raise ResultError("the training images do not fit", expected="images (example, y, x)")
    white = 255 if pixels.dtype == np.uint8 else 1
    if white == 255 and pixels.max() == 1:
        raise ResultError(
            "bytes are intensities from 0 to 255, and the largest here is 1",
            where="training images", hint="Divide them by 1.0 if 1 is white",
        )  # fmt: skip
    if not (pixels.min() >= 0 and pixels.max() <= white):  # NaN, too
        raise ResultError(
            "the training images do not fit", expected="bytes, or numbers in [0, 1]",
            found=f"numbers from {pixels.min():g} to {pixels.max():g}",
        )  # fmt: skip
    mean = pixels.mean(axis=0) / white
    if mean.shape == (1, *like.shape):
        mean = mean[0]
    if mean.shape != like.shape:
        raise ResultError(
            "the training images have another size", expected=str(like.shape), found=str(mean.shape)
        )
    return xr.DataArray(mean, dims=like.dims)
