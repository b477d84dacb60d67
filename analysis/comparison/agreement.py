"""Agreement of two results spike for spike, and the effect of a change of the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.scores import scores
from bioae.analysis.firing.rates import BURSTING_THRESHOLD
from bioae.analysis.measures.statistics import summary
from bioae.analysis.results.arrays import by_layer
from bioae.analysis.results.layers import (
    firing_layers,
    layer_data,
    layer_names,
    of_result,
    result_of,
    steps,
)
from bioae.analysis.results.outputs import task_of
from bioae.analysis.results.spikes import blocks
from bioae.errors import ResultError, shortened

_COLUMNS = {
    "spikes_a": "spikes in the first",
    "spikes_b": "spikes in the second",
    "common": "spikes in both",
    "differing": "differing spikes",
    "compared": "places compared",
    "spike_agreement": "agreement",
}
#: The numbers of `summary` that a change is described by.
_FIRING = ("rate_hz_mean", "rate_per_step_mean", "dead_fraction", "bursting_fraction")


@of_result
def differing_spikes(a: xr.DataTree, b: xr.DataTree) -> xr.Dataset:
    """Count the spikes in which two results differ, by (example, neuron, step), in each layer.

    Examples are matched by the coordinate `example` and may have another order.

    Returns
    -------
    xarray.Dataset
        Along `layer`: the spikes of each in `spikes_a` and `spikes_b`, those of both in `common`,
        `differing` (in one of the two only), `compared` (all places where a spike could be), and
        `spike_agreement`, the Jaccard index common / (common + differing), which ignores common
        silence and is NaN if neither spikes.

    Raises
    ------
    ResultError
        If examples, layers, steps or dt differ (`check_comparable`).
    """
    b = result_of(b)
    check_comparable(a, b)
    return by_layer(_COLUMNS, {name: _compare_layer(a, b, name) for name in layer_names(a)})


@of_result
def check_comparable(a: xr.DataTree, b: xr.DataTree) -> None:
    """Raise unless results have the same examples, layers and timing.

    Raises
    ------
    ResultError
        Naming what differs.
    """
    b = result_of(b)
    for name in ("steps", "dt_ms"):
        _check_equal(name, a.attrs[name], b.attrs[name])
    _check_equal("start_ms", *(tree.attrs.get("start_ms", 0.0) for tree in (a, b)))
    _check_same_examples_and_layers(a, b)
    sizes = [[layer_data(tree, name).sizes["neuron"] for name in layer_names(a)] for tree in (a, b)]
    _check_equal("layer sizes", *sizes)


@of_result
def firing_change(before: xr.DataTree, after: xr.DataTree) -> xr.Dataset:
    """Compare the firing of each layer before and after a change of the network.

    The two may differ in dt. The threshold of bursting is the same rate in Hz in both: with a
    shorter dt it is fewer spikes per step. Layers that can fire in neither are left out.

    Returns
    -------
    xarray.Dataset
        Along `layer`, the mean rate in Hz and in spikes per step, and the fractions of dead and of
        bursting neurons, as ``NAME_before`` and ``NAME_after``; NaN where a layer cannot fire.
    """
    after = result_of(after)
    _check_same_examples_and_layers(before, after)
    finer = float(after.attrs["dt_ms"]) / float(before.attrs["dt_ms"])
    threshold = min(1.0, BURSTING_THRESHOLD * finer)
    tables = {"before": summary(before), "after": summary(after, bursting_threshold=threshold)}
    either = {*firing_layers(before), *firing_layers(after)}
    layers = [layer for layer in layer_names(before) if layer in either]
    columns = {
        f"{name}_{when}": table[name].assign_attrs(
            long_name=f"{table[name].attrs['long_name']} {when}"
        )
        for name in _FIRING
        for when, table in tables.items()
    }
    return xr.Dataset({name: array.reindex(layer=layers) for name, array in columns.items()})


@of_result
def score_change(before: xr.DataTree, after: xr.DataTree) -> xr.Dataset:
    """Compare the scores of the task before and after a change of the network.

    Returns
    -------
    xarray.Dataset
        `bioae.analysis.scores` along ``when``: before, after.

    Raises
    ------
    ResultError
        If examples, layers or tasks differ, or the targets are not known.
    """
    after = result_of(after)
    _check_same_examples_and_layers(before, after)
    _check_equal("tasks", task_of(before), task_of(after))
    both = [scores(tree) for tree in (before, after)]
    return xr.concat(both, xr.Variable("when", ["before", "after"]), coords="minimal")


def _check_same_examples_and_layers(a: xr.DataTree, b: xr.DataTree) -> None:
    first, second = (np.sort(tree["example"].to_numpy()).tolist() for tree in (a, b))
    _check_equal("examples", first, second)
    _check_equal("layers", layer_names(a), layer_names(b))


def _check_equal(what: str, first: object, second: object) -> None:
    if first != second:
        raise ResultError(
            f"the results have different {what} and cannot be compared",
            expected=f"{shortened(str(first))}, as in the first", found=shortened(str(second)),
            hint="Simulate both on the same images, with the same network and settings",
        )  # fmt: skip


def _compare_layer(a: xr.DataTree, b: xr.DataTree, layer: str) -> dict[str, int | float]:
    places = layer_data(a, layer)["spike_count"].size * steps(a)
    in_order = b.sel(example=a["example"].to_numpy())
    spikes, common = _count([_keys(tree, layer) for tree in (a, in_order)], places)
    either = sum(spikes) - common
    return {
        "spikes_a": spikes[0],
        "spikes_b": spikes[1],
        "common": common,
        "differing": either - common,
        "compared": places,
        "spike_agreement": common / either if either else np.nan,
    }


def _keys(tree: xr.DataTree, layer: str) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield the end of each block, and its spikes as ascending numbers that encode their place."""
    for block in blocks(tree, layer):
        place = (block.start + block.position) * block.steps + block.step
        end = (block.start + block.examples) * block.steps * block.neurons
        yield end, place * block.neurons + block.neuron


def _count(
    sides: Sequence[Iterator[tuple[int, NDArray[np.int64]]]], end: int
) -> tuple[list[int], int]:
    """Count the numbers on each side and those in common, with one block of each in memory."""
    rest = [np.empty(0, np.int64) for _ in sides]
    until, spikes, common = [0, 0], [0, 0], 0
    while min(until) < end:
        behind = until.index(min(until))
        until[behind], keys = next(sides[behind])
        spikes[behind] += keys.size
        rest[behind] = np.concatenate((rest[behind], keys))
        cuts = [int(np.searchsorted(each, min(until))) for each in rest]
        both = np.concatenate([each[:cut] for each, cut in zip(rest, cuts, strict=True)])
        both.sort(kind="stable")  # which merges the two sorted sides
        common += int(np.count_nonzero(both[1:] == both[:-1]))
        rest = [each[cut:] for each, cut in zip(rest, cuts, strict=True)]
    return spikes, common
