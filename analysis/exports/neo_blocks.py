"""Spikes as Neo objects, the input of Elephant and of most tools of electrophysiology."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.exports.optional import needs
from bioae.analysis.results.layers import layer_data, steps
from bioae.analysis.results.spikes import blocks

__all__ = ["to_neo"]


def to_neo(
    tree: xr.DataTree, layer: str, *, examples: Sequence[int] | None = None, silent: bool = True
) -> Any:
    """Return the spikes of a layer as a `neo.Block`: segments are examples, trains are neurons.

    Times are in milliseconds since the start of the presentation, which is a train's `t_start`;
    its `t_stop` is the presentation's end. Each train is annotated with `layer` and `neuron`, and
    with the neuron's `channel`, `y` and `x` if it has a position; each segment with `example`, and
    `label` if it is known. There is one spike train per neuron and example: choose a few `examples`
    of a large result.

    Parameters
    ----------
    examples
        Values of the coordinate `example`; by default all.
    silent
        Whether neurons that do not spike in an example have an empty train in its segment.

    Raises
    ------
    ResultError
        If there is no such layer.
    InputError
        If Neo is not installed.
    """
    neo = needs("neo", "'bioae[neo]'")
    chosen = tree if examples is None else tree.sel(example=list(examples))
    data, root = layer_data(chosen, layer), chosen.to_dataset()
    labels = root["label"].to_numpy() if "label" in root else None
    places = [
        {name: int(data[name][neuron]) for name in ("channel", "y", "x") if name in data.coords}
        for neuron in range(data.sizes["neuron"])
    ]
    result = neo.Block(name=layer, **_provenance(tree))
    for block in blocks(chosen, layer):
        bounds = np.searchsorted(block.position, np.arange(block.examples + 1))
        for k, (begin, end) in enumerate(pairwise(bounds)):
            position = block.start + k
            example = int(root["example"][position])
            known = {} if labels is None else {"label": int(labels[position])}
            segment = neo.Segment(name=f"example {example}", example=example, **known)
            own = slice(begin, end)
            made = _trains(neo, tree, layer, (block.neuron[own], block.step[own]), places)
            segment.spiketrains.extend([train for train in made if silent or train.size])
            result.segments.append(segment)
    return result


def _trains(
    neo: Any,
    tree: xr.DataTree,
    layer: str,
    spikes: tuple[NDArray[np.int64], NDArray[np.int64]],
    places: Sequence[dict[str, int]],
) -> Iterator[Any]:
    """Yield a train for each neuron, from the neurons and steps of one example's spikes."""
    dt_ms = float(tree.attrs["dt_ms"])
    neuron, step = spikes
    order = np.argsort(neuron, kind="stable")  # times stay in order
    times = step[order] * dt_ms
    bounds = np.searchsorted(neuron[order], np.arange(len(places) + 1))
    for number, place in enumerate(places):
        yield neo.SpikeTrain(
            times[bounds[number] : bounds[number + 1]],
            units="ms",
            t_start=0.0,
            t_stop=steps(tree) * dt_ms,
            sampling_rate=_per_ms(1 / dt_ms),
            name=f"{layer} {number}",
            layer=layer,
            neuron=number,
            **place,
        )


def _per_ms(rate: float) -> Any:
    quantities = needs("quantities", "'bioae[neo]'")
    return rate / quantities.ms


def _provenance(tree: xr.DataTree) -> dict[str, Any]:
    """Return the result's attributes as Neo annotates: plain numbers and text."""
    return {
        str(key): value.item() if isinstance(value, np.generic) else value
        for key, value in tree.attrs.items()
        if np.ndim(value) == 0
    }
