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

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rates import NeuronSet, check_reference
from bioae.analysis.results.arrays import (
    along,
    check_several,
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
# Numbers in a block of responses.
_NUMBERS = 2**20


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
    one_of(measure, "measure", tuple(_TITLES), error=ResultError)
    responses = _responses(tree, layer)
    check_several(len(responses), "examples" if stimulus_index(tree) is None else "stimuli")
    values = _measured(measure, responses.T)
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
    responses, stimuli = _responses(tree, layer), stimulus_index(tree)
    if of == "alive":
        responses = responses[:, responses.any(0)]
    values = np.full(len(responses), np.nan)
    if responses.shape[1] > 1:
        values = _measured(measure, responses)
    array = along(data, values if stimuli is None else values[stimuli], "example")
    return described(array, "population_sparseness", f"population {_TITLES[measure]}", "1")


def _responses(tree: xr.DataTree, layer: str) -> NDArray[Any]:
    """Return numbers proportional to responses, (example, neuron).

    Where there are repeats, they are the sums over those of each stimulus, (stimulus, neuron), or
    the means if some stimulus has more repeats than another.
    """
    if stimulus_index(tree) is None:
        counts = layer_data(tree, layer)["spike_count"].transpose("example", "neuron")
        return counts.to_numpy()
    sums = class_sums(tree, layer, by_label=False, by_stimulus=True)
    equal = (sums.sizes == sums.sizes[0]).all()
    return sums.total if equal else sums.total / sums.sizes[:, None]


def _measured(measure: str, responses: NDArray[Any]) -> NDArray[np.float64]:
    """Return a measure of the responses in each row, by blocks of rows."""
    parts = np.array_split(responses, max(1, responses.size // _NUMBERS))
    return np.concatenate([_sparseness(measure, part) for part in parts])


def _sparseness(measure: str, responses: NDArray[Any]) -> NDArray[np.float64]:
    n = responses.shape[1]
    responses = responses.astype(np.result_type(responses, np.int64))
    total, squares = responses.sum(1), (responses**2).sum(1)
    if measure == "treves_rolls":
        return np.asarray((1 - ratio(total.astype(float) ** 2, n * squares)) / (1 - 1 / n))
    if measure == "hoyer":
        return np.asarray((np.sqrt(n) - ratio(total, np.sqrt(squares))) / (np.sqrt(n) - 1))
    around = (responses - total[:, None] / n) ** 2
    # Rounding gives equal responses a spread; integers decide exactly, means to 12 digits.
    whole = total.dtype.kind == "i"
    varies = n * squares > (total**2 if whole else total**2 * (1 + 1e-12))
    return ratio(n * (around**2).sum(1), np.where(varies, around.sum(1), 0) ** 2) - 3
