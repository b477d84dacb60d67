"""All that is measured of one or more results, for the report, the command line and files alike.

How it is shown is elsewhere: as tables in `bioae.analysis.measures.measure_tables`, as JSON in
`bioae.analysis.measures.numbers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.reconstruction import reconstruction_errors
from bioae.analysis.comparison.agreement import differing_spikes
from bioae.analysis.comparison.effects import COMPARED, compare_values, is_paired
from bioae.analysis.firing.counts import BURSTING_THRESHOLD
from bioae.analysis.measures.comparability import context_of
from bioae.analysis.measures.statistics import statistics
from bioae.analysis.measures.verdicts import Verdict, cortical_values, layer_verdicts
from bioae.analysis.results.layers import layer_data, layers_of
from bioae.errors import ResultError

__all__ = ["Measures", "measure"]

Record = dict[str, Any]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Measures:
    """What was measured, by the names of the results.

    Parameters
    ----------
    attributes
        The attributes of each result, and its number of examples.
    reconstruction
        The errors of each (`bioae.analysis.reconstruction_errors`).
    statistics
        How each fires (`bioae.analysis.statistics`).
    verdicts
        The layers of each beside what was measured in cortex (`bioae.analysis.layer_verdicts`).
    spikes
        Of pairs of results, by default of the first and each other one
        (`bioae.analysis.differing_spikes`), or why they cannot be compared.
    effects
        Of the same pairs, how their neurons differ (`bioae.analysis.compare_values`), or why they
        cannot be compared.
    bursting_threshold
        In spikes per step, what counts as bursting.
    """

    attributes: Mapping[str, Record]
    reconstruction: Mapping[str, xr.Dataset]
    statistics: Mapping[str, xr.DataTree]
    verdicts: Mapping[str, Mapping[str, Sequence[Verdict]]]
    spikes: Mapping[Pair, xr.Dataset | str]
    effects: Mapping[Pair, xr.Dataset | str]
    bursting_threshold: float

    def not_compared(self) -> list[str]:
        """Return a line for each pair of results that could not be compared."""
        compared = {"Spikes": self.spikes, "Neurons": self.effects}
        return [
            f"{what} of {a} and {b} were not compared: {reason}."
            for what, pairs in compared.items()
            for (a, b), reason in pairs.items()
            if isinstance(reason, str)
        ]


def measure(
    results: Mapping[str, xr.DataTree],
    *,
    training_images: NDArray[Any] | None = None,
    bursting_threshold: float = BURSTING_THRESHOLD,
    compare: Sequence[Pair] | None = None,
) -> Measures:
    """Measure results, and compare the first with each other one.

    Parameters
    ----------
    results
        The results by name.
    training_images
        For the baseline of the mean image, see `bioae.analysis.mean_image`.
    bursting_threshold
        In spikes per step, see `bioae.analysis.is_bursting`.
    compare
        Which pairs of results to compare instead.

    Raises
    ------
    ResultError
        If there is no result, or an argument does not fit.
    """
    if not results:
        raise ResultError("there are no results to measure", expected="at least one")
    first, *others = results
    pairs = [(first, other) for other in others] if compare is None else compare
    found = {
        name: statistics(tree, bursting_threshold=bursting_threshold)
        for name, tree in results.items()
    }
    neurons = {name: _compared(tree) for name, tree in found.items()}
    return Measures(
        attributes={name: _attributes(tree) for name, tree in results.items()},
        reconstruction={
            name: reconstruction_errors(tree, training_images) for name, tree in results.items()
        },
        statistics=found,
        verdicts={
            name: _verdicts(tree, neurons[name], found[name]) for name, tree in results.items()
        },
        spikes={
            (a, b): _or_reason(lambda a=a, b=b: differing_spikes(results[a], results[b]))  # type: ignore[misc]
            for a, b in pairs
        },
        effects={
            (a, b): _or_reason(
                lambda a=a, b=b: compare_values(  # type: ignore[misc]
                    neurons[a], neurons[b], paired=is_paired(results[a], results[b])
                )
            )
            for a, b in pairs
        },
        bursting_threshold=bursting_threshold,
    )


def _compared(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    return {name: data[list(COMPARED)] for name, data in layers_of(tree).items()}


def _verdicts(
    tree: xr.DataTree, neurons: Mapping[str, xr.Dataset], found: xr.DataTree
) -> dict[str, list[Verdict]]:
    values = {
        layer: {
            **cortical_values(tree, layer, data),
            "population_sparseness": _scalar(found, layer, "sparseness_population"),
            # Over repeats of one image, which is what the references ask for, all of it is noise.
            "noise_correlation": _scalar(found, layer, "pairwise_correlation_mean"),
        }
        for layer, data in neurons.items()
    }
    return layer_verdicts(values, context_of(tree))


def _scalar(found: xr.DataTree, layer: str, name: str) -> float:
    return float(layer_data(found, layer)[name])


def _or_reason(compare: Callable[[], xr.Dataset]) -> xr.Dataset | str:
    try:
        return compare()
    except ResultError as error:
        return error.what


def _attributes(tree: xr.DataTree) -> Record:
    # netCDF gives back NumPy numbers, which JSON does not know.
    plain = {
        str(key): value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
        for key, value in tree.attrs.items()
    }
    return {"examples": tree.sizes["example"], **plain}
