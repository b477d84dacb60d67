"""Operations per example: accumulates of spikes, and operations of a layer of rates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.arrays import by_layer
from bioae.analysis.results.layers import layer_data, layer_names, of_result, steps
from bioae.checks import instance, one_of
from bioae.errors import ResultError

#: The name of the encoder as a source.
_INPUT = "input"

_OPERATIONS = {
    "neurons": "neurons",
    "synapses": "synapses that the layer receives",
    "forward_accumulates": "accumulates of spikes of other layers, per example",
    "recurrent_accumulates": "accumulates of the layer's own spikes, per example",
    "accumulates": "accumulates per example",
    "multiply_accumulates": "multiply-accumulates of graded input events, per example",
    "dense_multiply_accumulates": "multiply-accumulates of a layer of rates, per example",
    "neuron_updates": "updates of a neuron's state, per example",
    "operations_per_dense_operation": "operations per operation of a layer of rates",
}


@of_result
def operations(
    tree: xr.DataTree,
    synapses: Mapping[str, Mapping[str, ArrayLike]],
    *,
    input_events: ArrayLike | None = None,
    graded: bool = False,
) -> xr.Dataset:
    """Accumulate and multiply-accumulate operations of each layer, per example.

    A spike adds a weight to each neuron that it reaches: an accumulate. A graded event multiplies
    the weight first, as any number of a conventional network does: a multiply-accumulate. Yin,
    Corradi & Bohté (2020, arXiv:2005.11633) compare networks by these counts, and estimate energy
    from them; energy depends on the hardware, and is not estimated here.

    Parameters
    ----------
    synapses
        By layer, then by the name of the source, a layer or ``input``: the synapses from each
        neuron of the source, ``(source,)``, or one number for all, which from the input needs
        `input_events` as an array. `bioae.Network.synapse_counts` counts them for a network.
    input_events
        Events of each input neuron per example, averaged over the examples: ``(source,)``, or one
        number for all. A result does not hold the encoder's events: without them the counts of
        layers that receive the input are NaN.
    graded
        Whether these events are graded, not spikes.

    Returns
    -------
    xarray.Dataset
        Along `layer`, means over the examples: ``neurons``; ``synapses``;
        ``forward_accumulates`` and ``recurrent_accumulates``, spikes times the synapses that they
        reach, and their sum ``accumulates``; ``multiply_accumulates``, the same of graded events;
        ``dense_multiply_accumulates``, one per synapse and step: a recurrent network of rates with
        the same connections; ``neuron_updates``, one per neuron and step, whose operations depend
        on the neuron model; ``operations_per_dense_operation``, accumulates and
        multiply-accumulates divided by the dense ones, NaN without synapses. Spikes of the last
        step count, although no step follows in which they act.

    Raises
    ------
    ResultError
        If `synapses` lacks a layer or has another one or another key, a count has another size than
        its source or is negative, or the number of input neurons is unknown.
    """
    names = layer_names(tree)
    instance(synapses, "synapses", Mapping, error=ResultError)
    if set(synapses) != set(names):
        raise ResultError(
            "the layers differ from those of the result", where="synapses",
            expected=", ".join(map(repr, names)), found=", ".join(map(repr, synapses)) or "none",
        )  # fmt: skip
    for name in names:
        instance(synapses[name], f"synapses[{name!r}]", Mapping, error=ResultError)
        for key in synapses[name]:
            one_of(key, f"a key of synapses[{name!r}]", (_INPUT, *names), error=ResultError)
    spikes = {}
    for name in names:
        count = layer_data(tree, name)["spike_count"]
        total = count.sum("example", dtype=np.int64).to_numpy()
        spikes[name] = np.asarray(total / (count.sizes["example"] or np.nan), np.float64)
    rows = {}
    for name in names:
        received = {}
        for source, counts in synapses[name].items():
            events = spikes[source] if source in spikes else _events(input_events, counts, name)
            received[source] = _checked(counts, events.size, name, "synapses"), events
        rows[name] = _incoming(name, received, spikes[name].size, steps(tree), graded)
    return by_layer(_OPERATIONS, rows)


def _events(events: ArrayLike | None, forward: ArrayLike, layer: str) -> NDArray[np.float64]:
    """Return the events of each input neuron per example, NaN where they are unknown."""
    counts, found = _numbers(forward), _numbers(np.nan if events is None else events)
    if not counts.ndim and not found.ndim and counts > 0:
        raise ResultError(
            "the number of input neurons is unknown", where=f"synapses[{layer!r}]",
            expected="an array of one number per input neuron, here or in input_events",
            found=f"{counts:g} for all",
        )  # fmt: skip
    if events is None:
        return np.full(counts.size, np.nan)
    return _checked(events, max(counts.size, found.size), "input", "input_events")


def _incoming(
    name: str,
    received: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    neurons: int,
    duration: int,
    graded: bool,
) -> dict[str, float]:
    """Return the operations of a layer, from its synapses and the events of their sources."""
    each = {source: float(counts @ events) for source, (counts, events) in received.items()}
    within, multiplied = each.pop(name, 0.0), each.pop(_INPUT, 0.0) if graded else 0.0
    forward = sum(each.values(), 0.0)
    synapses = sum((float(counts.sum()) for counts, _ in received.values()), 0.0)
    dense = synapses * duration
    return {
        "neurons": neurons,
        "synapses": synapses,
        "forward_accumulates": forward,
        "recurrent_accumulates": within,
        "accumulates": forward + within,
        "multiply_accumulates": multiplied,
        "dense_multiply_accumulates": dense,
        "neuron_updates": neurons * duration,
        "operations_per_dense_operation": (forward + multiplied + within) / dense
        if dense
        else np.nan,
    }


def _checked(counts: ArrayLike, neurons: int, layer: str, argument: str) -> NDArray[np.float64]:
    """Return one count per neuron, each 0 or more."""
    found = _numbers(counts)
    if found.shape not in {(), (neurons,)} or not (found >= 0).all():
        raise ResultError(
            "the counts do not fit the layer", where=f"{argument}[{layer!r}]",
            expected=f"{neurons} numbers of 0 or more, or one for all",
            found=f"an array of shape {found.shape}, the least {found.min(initial=np.inf):g}",
        )  # fmt: skip
    return np.broadcast_to(found, (neurons,))


def _numbers(counts: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.full(1, np.nan)
