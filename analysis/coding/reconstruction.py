"""Reconstruction error of the network and of two trivial predictors."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import described, images_of
from bioae.errors import ResultError

__all__ = [
    "all_zero",
    "mean_absolute_error",
    "mean_image",
    "mean_squared_error",
    "reconstruction_errors",
    "sum_squared_error",
]


def sum_squared_error(
    tree: xr.DataTree, reconstruction: xr.DataArray | None = None
) -> xr.DataArray:
    """Squared error of each image, summed over pixels and channels, (example,).

    This is the convention of published results of spiking autoencoders.

    Parameters
    ----------
    reconstruction
        Images to compare with the inputs; by default the network's reconstruction.
    """
    error = (_difference(tree, reconstruction) ** 2).sum(_image_dims(tree))
    return described(error, "sum_squared_error", "squared error, sum over pixels", "1")


def mean_squared_error(
    tree: xr.DataTree, reconstruction: xr.DataArray | None = None
) -> xr.DataArray:
    """Squared error of each image, averaged over pixels and channels, (example,)."""
    error = (_difference(tree, reconstruction) ** 2).mean(_image_dims(tree))
    return described(error, "mean_squared_error", "squared error, mean over pixels", "1")


def mean_absolute_error(
    tree: xr.DataTree, reconstruction: xr.DataArray | None = None
) -> xr.DataArray:
    """Absolute error of each image, averaged over pixels and channels, (example,)."""
    error = np.abs(_difference(tree, reconstruction)).mean(_image_dims(tree))
    return described(error, "mean_absolute_error", "absolute error, mean over pixels", "1")


def all_zero(tree: xr.DataTree) -> xr.DataArray:
    """Reconstruction of a network that never spikes: zero everywhere."""
    return described(xr.zeros_like(images_of(tree, "input")), "all_zero", "all zero", "1")


def mean_image(tree: xr.DataTree, images: NDArray[Any] | None = None) -> xr.DataArray:
    """Mean image for every example: the best reconstruction that ignores the input.

    Parameters
    ----------
    images
        (example, channel, y, x) or (example, y, x) The training images to average; by default
        the inputs of the result itself, a slightly stronger baseline.

    Raises
    ------
    ResultError
        If the training images have another size.
    """
    inputs = images_of(tree, "input")
    if images is None:
        mean = inputs.mean("example")
    else:
        mean = _mean_of(images, inputs.isel(example=0, drop=True))
    mean = mean.broadcast_like(inputs).transpose(*inputs.dims)
    return described(mean, "mean_image", "mean image", "1")


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
    sums, means, absolute = (
        [error(tree, prediction) for prediction in predictions.values()]
        for error in (sum_squared_error, mean_squared_error, mean_absolute_error)
    )
    columns = {
        "sum_squared_error": ("squared error per image", [float(x.mean()) for x in sums]),
        "sum_squared_error_std": ("its s.d. over images", [float(x.std()) for x in sums]),
        "mean_squared_error": ("squared error per pixel", [float(x.mean()) for x in means]),
        "mean_absolute_error": ("absolute error per pixel", [float(x.mean()) for x in absolute]),
    }
    return xr.Dataset(
        {
            name: ("predictor", values, {"long_name": long_name, "units": "1"})
            for name, (long_name, values) in columns.items()
        },
        coords={"predictor": list(predictions)},
    )


def _difference(tree: xr.DataTree, reconstruction: xr.DataArray | None) -> xr.DataArray:
    guess = images_of(tree, "reconstruction") if reconstruction is None else reconstruction
    # In float32 the sum would lose its last digits.
    inputs = images_of(tree, "input")
    return guess.astype(np.float64, copy=False) - inputs.astype(np.float64, copy=False)


def _image_dims(tree: xr.DataTree) -> list[Any]:
    return [dim for dim in images_of(tree, "input").dims if dim != "example"]


def _mean_of(images: NDArray[Any], like: xr.DataArray) -> xr.DataArray:
    pixels = np.asarray(images)
    if pixels.ndim < 3 or not len(pixels) or pixels.dtype.kind not in "buif":
        raise ResultError("the training images do not fit", expected="images (example, y, x)")
    mean = pixels.mean(axis=0)
    if mean.shape[:1] == (1,) and mean.ndim == like.ndim + 1:
        mean = mean[0]
    if mean.shape != like.shape:
        raise ResultError(
            "the training images have another size",
            expected=str(like.shape),
            found=str(mean.shape),
        )
    return xr.DataArray(mean, dims=like.dims)
