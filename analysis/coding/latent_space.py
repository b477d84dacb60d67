"""The two directions in which a layer's responses vary most."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data
from bioae.errors import ResultError

__all__ = ["Plane", "principal_plane", "project"]


class Plane(NamedTuple):
    """A plane in the space of spike counts.

    Attributes
    ----------
    mean
        (neuron,) The point that it goes through.
    axes
        (2, neuron) Two directions of unit length at a right angle.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]


def principal_plane(tree: xr.DataTree, layer: str) -> Plane:
    """Return the plane of a layer's first two principal components, of its counts over examples.

    Each axis points to where its greatest entry is positive, so that equal results have equal
    planes. A direction without variance is any.

    Raises
    ------
    ResultError
        If there are fewer than two neurons or examples.
    """
    from sklearn.utils.extmath import randomized_svd

    counts = _counts(tree, layer)
    if min(counts.shape) < 2:
        raise ResultError(
            "a map of two dimensions takes two neurons and two examples",
            where=layer,
            found=f"{counts.shape[1]} neurons and {counts.shape[0]} examples",
        )
    mean = counts.mean(0, dtype=np.float64)
    counts -= mean.astype(counts.dtype)
    _, _, axes = randomized_svd(counts, 2, n_iter=7, random_state=0)
    largest = np.abs(axes).argmax(1)
    return Plane(mean, axes * np.where(axes[[0, 1], largest] < 0, -1, 1)[:, None])


def project(tree: xr.DataTree, layer: str, plane: Plane) -> xr.DataArray:
    """Return where on a plane each example lies, (example, component).

    `fraction (component)` is how much of the variance of the counts each direction explains; NaN
    where there is none.
    """
    counts = _counts(tree, layer)
    around = counts - counts.mean(0)
    total = float((around**2).sum())
    places = (counts - plane.mean.astype(counts.dtype)) @ plane.axes.T.astype(counts.dtype)
    explained = ((places - places.mean(0)) ** 2).sum(0)
    fraction = explained / total if total else np.full(2, np.nan)
    return xr.DataArray(
        places.astype(float),
        coords={"example": tree["example"].to_numpy(), "fraction": ("component", fraction)},
        dims=("example", "component"),
        name="projection",
        attrs={"long_name": "projection of spike counts", "units": "1"},
    )


def _counts(tree: xr.DataTree, layer: str) -> NDArray[Any]:
    counts = layer_data(tree, layer)["spike_count"].transpose("example", "neuron")
    return counts.to_numpy().astype(np.float32)
