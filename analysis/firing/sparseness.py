"""Sparseness of spike counts: over examples (lifetime) and over neurons (population).

*Lifetime* sparseness describes one neuron's responses to all examples, *population* sparseness all
neurons' responses to one example (Willmore & Tolhurst 2001, Network 12:255). The response is the
spike count, and all measures are independent of its scale. Silent neurons make a population
sparser; `dead_fraction` measures those that never spike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import along, count_blocks, ratio
from bioae.analysis.results.layers import described, layer_data
from bioae.errors import ResultError

__all__ = ["SparsenessMeasure", "lifetime_sparseness", "population_sparseness"]

SparsenessMeasure = Literal["treves_rolls", "hoyer", "kurtosis"]
_TITLES = {
    "treves_rolls": "sparseness (Treves-Rolls)",
    "hoyer": "sparseness (Hoyer)",
    "kurtosis": "excess kurtosis",
}
# Sums over n responses, their squares, and the second and fourth powers of their deviations.
_Sums = tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], NDArray[np.float64]]


def lifetime_sparseness(
    tree: xr.DataTree, layer: str, *, measure: SparsenessMeasure = "treves_rolls"
) -> xr.DataArray:
    """Lifetime sparseness of each neuron's responses over the examples, (neuron,).

    Parameters
    ----------
    measure
        ``"treves_rolls"``: (1 - a) / (1 - 1/n) with a = mean(r)² / mean(r²), Treves & Rolls (1991),
        Network 2:371, scaled to 0 … 1 as in Vinje & Gallant (2000), Science 287:1273.
        ``"hoyer"``: (√n - Σr / √(Σr²)) / (√n - 1), 0 … 1, Hoyer (2004), JMLR 5:1457.
        ``"kurtosis"``: the fourth central moment over the squared variance, minus 3: 0 for a
        normal distribution (Field 1994, Neural Comput. 6:559).
        The first two are 0 for equal responses, and 1 if a single response is not 0.

    Returns
    -------
    xarray.DataArray
        NaN for a neuron that never spikes and, for the kurtosis, if its responses do not vary.

    Raises
    ------
    ResultError
        If there are fewer than two examples, or no such measure.
    """
    data = layer_data(tree, layer)
    sparseness = _measure(measure)
    examples, neurons = data.sizes["example"], data.sizes["neuron"]
    _check_several("example", examples)
    total, squares = (np.zeros(neurons, np.int64) for _ in range(2))
    for _, counts in count_blocks(tree, layer):
        total += counts.sum(0)
        squares += (counts**2).sum(0)
    second, fourth = (np.zeros(neurons) for _ in range(2))
    if measure == "kurtosis":
        for _, counts in count_blocks(tree, layer):
            squared = (counts - total / examples) ** 2
            second += squared.sum(0)
            fourth += (squared**2).sum(0)
    values = sparseness((total, squares, second, fourth), examples)
    array = along(data, values, "neuron")
    return described(array, "lifetime_sparseness", f"lifetime {_TITLES[measure]}", "1")


def population_sparseness(
    tree: xr.DataTree, layer: str, *, measure: SparsenessMeasure = "treves_rolls"
) -> xr.DataArray:
    """Sparseness of the population's responses to each example, (example,).

    Parameters
    ----------
    measure
        As in `lifetime_sparseness`.

    Returns
    -------
    xarray.DataArray
        NaN if no neuron spikes and, for the kurtosis, if all neurons respond equally.

    Raises
    ------
    ResultError
        If the layer has fewer than two neurons, or there is no such measure.
    """
    data = layer_data(tree, layer)
    sparseness = _measure(measure)
    _check_several("neuron", data.sizes["neuron"])
    values = np.full(data.sizes["example"], np.nan)
    for start, counts in count_blocks(tree, layer):
        central = np.zeros((2, len(counts)))
        if measure == "kurtosis":
            squared = (counts - counts.mean(1, keepdims=True)) ** 2
            central[:] = squared.sum(1), (squared**2).sum(1)
        sums = (counts.sum(1), (counts**2).sum(1), *central)
        values[start : start + len(counts)] = sparseness(sums, counts.shape[1])
    array = along(data, values, "example")
    return described(array, "population_sparseness", f"population {_TITLES[measure]}", "1")


def _treves_rolls(sums: _Sums, n: int) -> NDArray[np.float64]:
    total, squares, *_ = sums
    sparseness: NDArray[np.float64] = 1 - ratio(total.astype(float) ** 2, n * squares)
    return np.asarray(sparseness / (1 - 1 / n))


def _hoyer(sums: _Sums, n: int) -> NDArray[np.float64]:
    total, squares, *_ = sums
    return np.asarray((np.sqrt(n) - ratio(total, np.sqrt(squares))) / (np.sqrt(n) - 1))


def _kurtosis(sums: _Sums, n: int) -> NDArray[np.float64]:
    total, squares, second, fourth = sums
    # Rounding gives equal counts a spread; integers decide exactly.
    varies = n * squares != total**2
    return ratio(n * fourth, np.where(varies, second, 0) ** 2) - 3


_MEASURES: dict[str, Callable[[_Sums, int], NDArray[np.float64]]] = {
    "treves_rolls": _treves_rolls,
    "hoyer": _hoyer,
    "kurtosis": _kurtosis,
}


def _measure(name: str) -> Callable[[_Sums, int], NDArray[np.float64]]:
    if name not in _MEASURES:
        raise ResultError(
            "there is no such measure of sparseness",
            expected=" or ".join(map(repr, _MEASURES)),
            found=repr(name),
        )
    return _MEASURES[name]


def _check_several(dim: str, number: int) -> None:
    if number < 2:
        raise ResultError(
            f"sparseness needs several {dim}s", expected="at least 2", found=str(number)
        )
