"""Sparseness of spike counts: over examples (lifetime) and over neurons (population).

*Lifetime* sparseness describes one neuron's responses to all examples, *population* sparseness all
neurons' responses to one example (Willmore & Tolhurst 2001, Network 12:255). The response is the
spike count, and all measures are independent of its scale. Silent neurons make a population
sparser; `dead_fraction` measures those that never spike.

In experiments responses are means over repeats of a stimulus, and so they are here in the result of
`bioae.analysis.presentations`. Counts of single presentations differ by chance, too, which raises
sparseness: untuned Poisson neurons of m spikes per presentation have 1/(1 + m).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rates import NeuronSet, check_reference
from bioae.analysis.results.arrays import (
    along,
    check_several,
    count_blocks,
    described,
    of_neurons,
    ratio,
)
from bioae.analysis.results.class_sums import class_sums
from bioae.analysis.results.layers import layer_data, of_layer
from bioae.analysis.results.repeats import stimulus_index
from bioae.checks import one_of
from bioae.errors import ResultError

SparsenessMeasure = Literal["treves_rolls", "hoyer", "kurtosis"]
_TITLES = {
    "treves_rolls": "sparseness (Treves-Rolls)",
    "hoyer": "sparseness (Hoyer)",
    "kurtosis": "excess kurtosis",
}
# Sums over n responses, their squares, and the second and fourth powers of their deviations.
_Sums = tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], NDArray[np.float64]]


@of_layer
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
        If there are fewer than two examples (stimuli, where there are repeats).
    """
    data = layer_data(tree, layer)
    one_of(measure, "measure", tuple(_TITLES), error=ResultError)
    stimuli = stimulus_index(tree)
    responses = data.sizes["example"] if stimuli is None else int(stimuli.max()) + 1
    check_several(responses, "examples" if stimuli is None else "stimuli")
    total, squares, second, fourth = (np.zeros(data.sizes["neuron"], t) for t in "qqdd")
    for counts in _responses(tree, layer):
        total = total + counts.sum(0)
        squares = squares + (counts**2).sum(0)
    if measure == "kurtosis":
        for counts in _responses(tree, layer):
            squared = (counts - total / responses) ** 2
            second += squared.sum(0)
            fourth += (squared**2).sum(0)
    values = _sparseness(measure, (total, squares, second, fourth), responses)
    title = f"lifetime {_TITLES[measure]}"
    return of_neurons((tree, layer), values, "lifetime_sparseness", title)


@of_layer
def population_sparseness(
    tree: xr.DataTree,
    layer: str,
    *,
    measure: SparsenessMeasure = "treves_rolls",
    of: NeuronSet = "all",
) -> xr.DataArray:
    """Sparseness of the population's responses to each example, (example,).

    In the result of `presentations`, that of the responses to the example's stimulus.

    Parameters
    ----------
    measure
        As in `lifetime_sparseness`.
    of
        The population: ``"all"`` neurons, or the ``"alive"`` ones, which spike in any example, as
        in recordings, where neurons without a spike are not found.

    Returns
    -------
    xarray.DataArray
        NaN if no neuron spikes, if fewer than two are alive and `of` is ``"alive"``, and, for the
        kurtosis, if all neurons respond equally.
    """
    check_reference(of)
    data = layer_data(tree, layer)
    one_of(measure, "measure", tuple(_TITLES), error=ResultError)
    check_several(data.sizes["neuron"], "neurons")
    chosen = np.full(data.sizes["neuron"], of == "all")
    if of == "alive":
        for counts in _responses(tree, layer):
            chosen |= counts.any(0)
    neurons, parts = int(chosen.sum()), [np.zeros(0)]
    for counts in _responses(tree, layer):
        response, central = counts[:, chosen], np.zeros((2, len(counts)))
        if neurons < 2:
            parts.append(np.full(len(counts), np.nan))
            continue
        if measure == "kurtosis":
            squared = (response - response.mean(1, keepdims=True)) ** 2
            central[:] = squared.sum(1), (squared**2).sum(1)
        sums = (response.sum(1), (response**2).sum(1), *central)
        parts.append(_sparseness(measure, sums, neurons))
    stimuli, values = stimulus_index(tree), np.concatenate(parts)
    array = along(data, values if stimuli is None else values[stimuli], "example")
    return described(array, "population_sparseness", f"population {_TITLES[measure]}", "1")


def _responses(tree: xr.DataTree, layer: str) -> Iterator[NDArray[Any]]:
    """Return numbers proportional to responses, by blocks, (example, neuron) each.

    Where there are repeats, they are the sums over those of each stimulus, (stimulus, neuron), or
    the means if some stimulus has more repeats than another.
    """
    if stimulus_index(tree) is None:
        for _, counts in count_blocks(tree, layer):
            yield counts
        return
    sums = class_sums(tree, layer, by_label=False, by_stimulus=True)
    equal = (sums.sizes == sums.sizes[0]).all()
    yield sums.total if equal else sums.total / sums.sizes[:, None]


def _sparseness(measure: str, sums: _Sums, n: int) -> NDArray[np.float64]:
    """Return a measure of n responses from their sums."""
    total, squares, second, fourth = sums
    if measure == "treves_rolls":
        return np.asarray((1 - ratio(total.astype(float) ** 2, n * squares)) / (1 - 1 / n))
    if measure == "hoyer":
        return np.asarray((np.sqrt(n) - ratio(total, np.sqrt(squares))) / (np.sqrt(n) - 1))
    # Rounding gives equal responses a spread; integers decide exactly, means to 12 digits.
    whole = total.dtype.kind == "i"
    varies = n * squares > (total**2 if whole else total**2 * (1 + 1e-12))
    return ratio(n * fourth, np.where(varies, second, 0) ** 2) - 3
