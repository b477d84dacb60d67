"""Whether two runs of a network agree, spike for spike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data, layer_names, steps
from bioae.analysis.results.spikes import blocks
from bioae.errors import ResultError

__all__ = ["check_comparable", "differing_spikes"]

_COLUMNS = {
    "spikes_a": "spikes in the first",
    "spikes_b": "spikes in the second",
    "common": "spikes in both",
    "differing": "differing spikes",
    "compared": "places compared",
    "spike_agreement": "agreement",
}


def differing_spikes(a: xr.DataTree, b: xr.DataTree) -> xr.Dataset:
    """Count the (example, neuron, step) at which two results disagree, layer by layer.

    The examples may come in another order, they are matched by the coordinate `example`.

    Returns
    -------
    xarray.Dataset
        Along `layer`: the spikes of each in `spikes_a` and `spikes_b`, those of both in `common`,
        `differing` (in one of the two only), `compared` (all places where a spike could be), and
        `spike_agreement`, the Jaccard index common / (common + differing): silence counts for
        nothing in it, and it is NaN where neither spikes.

    Raises
    ------
    ResultError
        If examples, layers, steps or dt are not the same (`check_comparable`).
    """
    check_comparable(a, b)
    names = layer_names(a)
    rows = [_compare_layer(a, b, name) for name in names]
    return xr.Dataset(
        {
            column: ("layer", [row[column] for row in rows], {"long_name": text, "units": "1"})
            for column, text in _COLUMNS.items()
        },
        coords={"layer": names},
    )


def check_comparable(a: xr.DataTree, b: xr.DataTree) -> None:
    """Refuse to compare results of different examples, layers or timing.

    Raises
    ------
    ResultError
        Naming what differs.
    """
    for name in ("steps", "dt_ms"):
        if a.attrs[name] != b.attrs[name]:
            raise _different(name, a.attrs[name], b.attrs[name])
    examples_a, examples_b = (np.sort(tree["example"].to_numpy()) for tree in (a, b))
    if not np.array_equal(examples_a, examples_b):
        raise _different("examples", _shorten(examples_a), _shorten(examples_b))
    if layer_names(a) != layer_names(b):
        raise _different("layers", layer_names(a), layer_names(b))
    sizes = [[layer_data(tree, name).sizes["neuron"] for name in layer_names(a)] for tree in (a, b)]
    if sizes[0] != sizes[1]:
        raise _different("layer sizes", *sizes)


def _compare_layer(a: xr.DataTree, b: xr.DataTree, layer: str) -> dict[str, int | float]:
    places = layer_data(a, layer)["spike_count"].size * steps(a)
    in_order = b.sel(example=a["example"].to_numpy())
    spikes, common = _count([_keys(tree, layer) for tree in (a, in_order)], places)
    differing = sum(spikes) - 2 * common
    either = common + differing
    return {
        "spikes_a": spikes[0],
        "spikes_b": spikes[1],
        "common": common,
        "differing": differing,
        "compared": places,
        "spike_agreement": common / either if either else np.nan,
    }


def _keys(tree: xr.DataTree, layer: str) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield where a block ends, and ascending numbers, equal for spikes at the same place."""
    for block in blocks(tree, layer):
        size = block.neurons * block.steps
        place = (block.start + block.position) * block.steps + block.step
        yield (block.start + block.examples) * size, place * block.neurons + block.neuron


def _count(
    sides: Sequence[Iterator[tuple[int, NDArray[np.int64]]]], end: int
) -> tuple[list[int], int]:
    """Count the numbers of either side, and those of both, in the memory of a block of each."""
    rest = [np.empty(0, np.int64) for _ in sides]
    until, spikes, common = [0, 0], [0, 0], 0
    while min(until) < end:
        behind = until.index(min(until))
        until[behind], keys = next(sides[behind])
        spikes[behind] += keys.size
        rest[behind] = np.concatenate((rest[behind], keys))
        cuts = [int(np.searchsorted(each, min(until))) for each in rest]
        first, second = (each[:cut] for each, cut in zip(rest, cuts, strict=True))
        common += np.intersect1d(first, second, assume_unique=True).size
        rest = [each[cut:] for each, cut in zip(rest, cuts, strict=True)]
    return spikes, common


def _different(what: str, first: object, second: object) -> ResultError:
    return ResultError(
        f"the results have different {what} and cannot be compared",
        expected=f"{first}, as in the first",
        found=str(second),
        mend="Simulate both on the same images, with the same network and settings",
    )


def _shorten(examples: NDArray[np.integer[Any]]) -> str:
    head = ", ".join(map(str, examples[:3]))
    return f"{len(examples)} examples ({head}{', …' if len(examples) > 3 else ''})"
