"""Choosing neurons, and laying out what is measured of each pair of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import described
from bioae.errors import ResultError

__all__ = ["check_neurons", "chosen_neurons", "pair_matrix"]


def chosen_neurons(
    data: xr.Dataset, layer: str, neurons: Sequence[int] | None, *, most: int
) -> NDArray[np.int64]:
    """Return the indices of the neurons to compare: by default all.

    Raises
    ------
    ResultError
        If one is not there or chosen twice, or they are more than `most`.
    """
    total = data.sizes["neuron"]
    chosen = np.arange(total) if neurons is None else np.asarray(neurons, np.int64)
    check_neurons(layer, chosen, total)
    if np.unique(chosen).size < chosen.size:
        raise ResultError("a neuron is chosen twice", where="neurons", found=str(list(chosen)))
    if chosen.size > most:
        raise ResultError(
            "there are too many neurons to compare pair by pair",
            where=layer,
            expected=f"at most {most}",
            found=str(chosen.size),
            mend="Choose some of them",
        )
    return chosen


def check_neurons(layer: str, chosen: NDArray[np.int64], total: int) -> None:
    """Refuse neurons that a layer of `total` does not have.

    Raises
    ------
    ResultError
        Naming the first of them.
    """
    outside = chosen[(chosen < 0) | (chosen >= total)]
    if outside.size:
        raise ResultError(
            "there is no such neuron",
            where=layer,
            expected=f"0 to {total - 1}",
            found=str(outside[0]),
        )


def pair_matrix(
    matrix: NDArray[np.float64], neurons: Sequence[int] | None, name: str, long_name: str
) -> xr.DataArray:
    """Name a matrix (neuron, other); where neurons were chosen, with their indices."""
    coords = (
        {} if neurons is None else {"neuron": np.asarray(neurons), "other": np.asarray(neurons)}
    )
    array = xr.DataArray(matrix, coords=coords, dims=("neuron", "other"))
    return described(array, name, long_name, "1")
