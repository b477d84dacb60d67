"""Measures of one or more results: the one source of the report, the terminal, JSON and CSV.

`Measures` holds the measured values as xarray objects, and returns them as tidy pandas tables, one
row per result, layer and observation. The formatted tables follow from these in
`bioae.analysis.report.tables`, JSON in `bioae.analysis.report.numbers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import confusion_matrix
from bioae.analysis.coding.reconstruction import reconstruction_errors
from bioae.analysis.coding.scores import scores
from bioae.analysis.comparison.agreement import differing_spikes
from bioae.analysis.comparison.effects import COMPARED, compare_values, is_paired, windows_note
from bioae.analysis.firing.sparseness import population_sparseness
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.measures.statistics import statistics
from bioae.analysis.measures.verdicts import Verdict, context_of, cortical_values, layer_verdicts
from bioae.analysis.pairs.correlations import mean_pairwise_correlation
from bioae.analysis.results.layers import (
    firing_layers,
    layers_of,
    readout_layers,
    readout_note,
    result_of,
)
from bioae.analysis.results.outputs import targets_known, task_of
from bioae.analysis.results.repeats import stimulus_index
from bioae.checks import instance
from bioae.errors import ResultError, shortened
from bioae.progress import counted
from bioae.simulation.results.divergence import diverged
from bioae.simulation.results.root import RECORDING

Record = dict[str, Any]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Measures:
    """Measures of results, by their names.

    Parameters
    ----------
    attributes
        The attributes of each result, and its number of examples.
    reconstruction
        The errors of each auto-encoder (`bioae.analysis.reconstruction_errors`).
    scores
        The scores of each network with another task and known targets (`bioae.analysis.scores`).
    confusion
        The confusion matrix of each classifier of known classes
        (`bioae.analysis.confusion_matrix`).
    class_rates
        Of each such classifier, mean rates in Hz of the layers that can fire, (class, layer).
    statistics
        The firing of each (`bioae.analysis.statistics`).
    verdicts
        The layers of each compared with cortex (`bioae.analysis.layer_verdicts`).
    spikes
        Of pairs of results, by default of the first and each other one, the spikes that differ
        (`bioae.analysis.differing_spikes`), or why they cannot be compared.
    effects
        Of the same pairs, the differences of their neurons (`bioae.analysis.compare_values`), or
        why they cannot be compared.
    readouts
        The layers of each that cannot fire (`bioae.analysis.firing_layers`): the statistics,
        verdicts and effects leave them out.
    diverged
        Lines on the layers whose recorded states diverged.
    """

    attributes: Mapping[str, Record]
    reconstruction: Mapping[str, xr.Dataset]
    scores: Mapping[str, xr.Dataset]
    confusion: Mapping[str, xr.Dataset]
    class_rates: Mapping[str, xr.DataArray]
    statistics: Mapping[str, xr.DataTree]
    verdicts: Mapping[str, Mapping[str, Sequence[Verdict]]]
    spikes: Mapping[Pair, xr.Dataset | str]
    effects: Mapping[Pair, xr.Dataset | str]
    readouts: Mapping[str, Sequence[str]]
    diverged: Sequence[str]

    @cached_property
    def layers(self) -> pd.DataFrame:
        """The numbers of each layer (`bioae.analysis.DEFINITIONS`), by result and layer."""
        rows = {
            place: {name: data[name].item() for name in DEFINITIONS}
            for place, data in self._each_layer()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["result", "layer"])
        return pd.DataFrame(list(rows.values()), index)

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """The statistics of each neuron and its position, by result, layer and neuron."""
        frames = {place: _neurons(data) for place, data in self._each_layer()}
        return pd.concat(frames, names=["result", "layer"]) if frames else pd.DataFrame()

    @cached_property
    def cortex(self) -> pd.DataFrame:
        """The verdicts, by result and layer."""
        rows = [
            {"result": name, "layer": layer, **each.row()}
            for name, layers in self.verdicts.items()
            for layer, verdicts in layers.items()
            for each in verdicts
        ]
        return pd.DataFrame(rows).set_index(["result", "layer"]) if rows else pd.DataFrame()

    @cached_property
    def differences(self) -> pd.DataFrame | None:
        """The differences between results, by pair, layer and statistic, if any were compared."""
        effects = {pair: e for pair, e in self.effects.items() if isinstance(e, xr.Dataset)}
        return _joined(effects, "first", "second", dim_order=["layer", "statistic"])

    @cached_property
    def outcomes(self) -> pd.DataFrame | None:
        """The scores, by result and score, if any task has some."""
        return _joined(self.scores, "result")

    @cached_property
    def confusions(self) -> pd.DataFrame | None:
        """The confusion matrices, by result, true and predicted class, if there are any."""
        return _joined(self.confusion, "result")

    def csv_files(self) -> dict[str, str]:
        """Return the tables as CSV by file name, in full precision; undefined cells are empty."""
        tables = {
            "layers": self.layers,
            "neurons": self.neurons,
            "cortex": self.cortex,
            "differences": self.differences,
            "scores": self.outcomes,
            "confusion": self.confusions,
        }
        return {
            f"{name}.csv": table.to_csv(lineterminator="\n")
            for name, table in tables.items()
            if table is not None and len(table)
        }

    def notes(self) -> list[str]:
        """Return lines on what is measured, states that diverged, and what is left out."""
        sources = [str(each["source"]) for each in self.attributes.values() if "source" in each]
        recorded = [n for n, each in self.attributes.items() if each.get("task") == RECORDING]
        if recorded:
            names = ", ".join(recorded)
            sources.append(f"Recorded: {names}. Examples are trials, and layers populations.")
        for name, each in self.attributes.items():
            if "start_ms" in each:
                stop_ms = each["start_ms"] + each["steps"] * each["dt_ms"]
                sources.append(
                    f"{name}: from {each['start_ms']:.10g} to {stop_ms:.10g} ms of each example; "
                    "outputs, other than those at each step, are of the whole one."
                )
        return [*sources, *self.diverged, *self._left_out(), *self._not_compared()]

    def _left_out(self) -> list[str]:
        """Return a line on the layers that cannot fire, one per result if they differ."""
        lines = {name: readout_note(layers) for name, layers in self.readouts.items() if layers}
        if len(set(lines.values())) == 1 and len(lines) == len(self.readouts):
            return [next(iter(lines.values()))]
        return [f"{name}: {line}" for name, line in lines.items()]

    def _not_compared(self) -> list[str]:
        """Return a line for each pair of results that could not be compared."""
        compared = {"Spikes": self.spikes, "Neurons": self.effects}
        return [
            f"{what} of {a} and {b} were not compared: {reason}."
            for what, pairs in compared.items()
            for (a, b), reason in pairs.items()
            if isinstance(reason, str)
        ]

    def _each_layer(self) -> Iterator[tuple[Pair, xr.Dataset]]:
        for name, tree in self.statistics.items():
            for layer, data in layers_of(tree).items():
                yield (name, layer), data


def measure(
    results: Mapping[str, xr.DataTree],
    *,
    training_images: NDArray[Any] | None = None,
    compare: Sequence[Pair] | None = None,
    progress: bool | None = None,
) -> Measures:
    """Measure results, and compare the first with each other one.

    Parameters
    ----------
    results
        The results by name.
    training_images
        For the baseline of the mean image, see `bioae.analysis.mean_image`.
    compare
        Pairs of results to compare instead.
    progress
        Whether to show bars; by default on a terminal and in a notebook.
    """
    instance(results, "results", Mapping, error=ResultError)
    if not results:
        raise ResultError("there are no results to measure", expected="at least one")
    results = {name: result_of(tree) for name, tree in results.items()}
    first, *rest = results
    pairs = [(first, other) for other in rest] if compare is None else [*compare]
    pair: Any
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not results.keys() >= {*pair}:
            raise ResultError(
                "compare does not fit", expected=f"pairs of {', '.join(results)}",
                found=shortened(repr(pair)),
            )  # fmt: skip
    trees: dict[str, xr.DataTree] = {}
    with counted("measuring", len(results), progress, unit="results") as report:
        for name, tree in results.items():
            trees[name] = statistics(tree, progress=progress)
            report(len(trees))

    def effects(a: str, b: str) -> xr.Dataset:
        values = (
            {layer: data[list(COMPARED)] for layer, data in layers_of(trees[name]).items()}
            for name in (a, b)
        )
        found = compare_values(*values, paired=is_paired(results[a], results[b]))
        return found.assign_attrs(windows_note(results[a], results[b]))

    def spikes(a: str, b: str) -> xr.Dataset:
        return differing_spikes(results[a], results[b])

    encoders = {n: tree for n, tree in results.items() if task_of(tree) == "reconstruction"}
    others = {n: tree for n, tree in results.items() if n not in encoders and targets_known(tree)}
    classifiers = {n: tree for n, tree in others.items() if task_of(tree) == "classification"}
    # netCDF gives back NumPy numbers, which JSON does not know.
    attributes = {
        name: {
            "examples": tree.sizes["example"],
            **{str(key): np.asarray(value).tolist() for key, value in tree.attrs.items()},
        }
        for name, tree in results.items()
    }
    class_rates = {}
    for name, tree in classifiers.items():
        if firing := firing_layers(tree):
            rates = [rates_by_class(tree, layer).mean("neuron") for layer in firing]
            joined = xr.concat(rates, xr.Variable("layer", firing))
            class_rates[name] = joined.transpose("class", "layer")
    return Measures(
        attributes=attributes,
        reconstruction={
            name: reconstruction_errors(tree, training_images) for name, tree in encoders.items()
        },
        scores={name: scores(tree) for name, tree in others.items()},
        confusion={name: confusion_matrix(tree) for name, tree in classifiers.items()},
        class_rates=class_rates,
        statistics=trees,
        verdicts={name: _verdicts(tree, trees[name]) for name, tree in results.items()},
        spikes={pair: _or_reason(spikes, *pair) for pair in pairs},
        effects={pair: _or_reason(effects, *pair) for pair in pairs},
        readouts={name: readout_layers(tree) for name, tree in results.items()},
        diverged=[line for name, tree in results.items() for line in _diverged(name, tree)],
    )


def _diverged(name: str, tree: xr.DataTree) -> Iterator[str]:
    """Yield a line on each simulated layer whose recorded states diverged."""
    if task_of(tree) == RECORDING:  # whose states are missing where they were not recorded
        return
    for layer, data in layers_of(tree).items():
        traces = {str(n)[6:]: v for n, v in data.data_vars.items() if str(n).startswith("state_")}
        states = {n: v.to_numpy().reshape(-1, *v.shape[-2:]) for n, v in traces.items()}
        if line := diverged(states, float(tree.attrs["dt_ms"])):
            yield f"{name}, {layer}: {line}."


def _joined(data: Mapping[Any, xr.Dataset], *names: str, **options: Any) -> pd.DataFrame | None:
    """Return datasets as one table with the keys as the first levels of its index."""
    frames = {key: each.to_dataframe(**options) for key, each in data.items()}
    return pd.concat(frames, names=[*names]) if frames else None


def _neurons(data: xr.Dataset) -> pd.DataFrame:
    own = [str(name) for name, array in data.variables.items() if array.dims == ("neuron",)]
    position = [name for name in ("channel", "y", "x") if name in own]
    columns = [*position, *(name for name in own if name not in position)]
    # Positions stay integers next to a layer whose neurons have none.
    return data[own].to_dataframe()[columns].astype(dict.fromkeys(position, "Int32"))


def _verdicts(tree: xr.DataTree, measured: xr.DataTree) -> dict[str, list[Verdict]]:
    values = {}
    for layer, data in layers_of(measured).items():
        numbers = cortical_values(tree, layer, data[list(COMPARED)])
        numbers["population_sparseness"] = float("nan")
        if data.sizes["neuron"] > 1:  # over the neurons that spike: recordings find no others
            sparseness = population_sparseness(tree, layer, of="alive")
            numbers["population_sparseness"] = float(sparseness.mean())
        # Over repeats of a stimulus; where all examples show one image, all correlation is noise.
        noise = data["pairwise_correlation_mean"]
        if stimulus_index(tree) is not None:
            noise = mean_pairwise_correlation(tree, layer, kind="noise")
        values[layer] = numbers | {"noise_correlation": float(noise)}
    return layer_verdicts(values, context_of(tree))


def _or_reason(compare: Callable[[str, str], xr.Dataset], a: str, b: str) -> xr.Dataset | str:
    try:
        return compare(a, b)
    except ResultError as error:
        return error.what
