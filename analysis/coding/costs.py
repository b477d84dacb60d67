"""Computational cost per example: spikes, synaptic events, and dense operations for comparison.

A synaptic event is a spike that arrives at a synapse and adds a weight. It is the operation of
event-driven simulators and neuromorphic hardware (Davies et al. 2018, Loihi, IEEE Micro 38, 82-99,
doi:10.1109/MM.2018.112130359). A network without spikes multiplies and adds once per synapse and
image, a clock-driven simulation once per synapse and step.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.arrays import by_layer
from bioae.analysis.results.layers import layer_data, layer_names, of_result, steps
from bioae.checks import instance, one_of
from bioae.errors import ResultError

_COLUMNS = {
    "neurons": "neurons",
    "spikes": "spikes per image",
    "synapses": "synapses that leave the layer",
    "synaptic_events": "synaptic events per image",
    "dense_operations": "operations of a network without spikes per image",
    "clocked_operations": "operations of a clock-driven simulation per image",
    "events_per_dense_operation": "synaptic events per dense operation",
}

_OPERATIONS = {
    "neurons": "neurons",
    "synapses": "synapses that the layer receives",
    "forward_accumulates": "accumulates of spikes of the layer before, per example",
    "recurrent_accumulates": "accumulates of the layer's own spikes, per example",
    "accumulates": "accumulates per example",
    "multiply_accumulates": "multiply-accumulates of graded input events, per example",
    "dense_multiply_accumulates": "multiply-accumulates of a layer of rates, per example",
    "neuron_updates": "updates of a neuron's state, per example",
    "operations_per_dense_operation": "operations per operation of a layer of rates",
}


@of_result
def cost(tree: xr.DataTree, *, fan_out: Mapping[str, ArrayLike] | None = None) -> xr.Dataset:
    """Spikes, synaptic events and operations per image, layer by layer.

    Parameters
    ----------
    fan_out
        Number of outgoing synapses of each neuron, by layer: (neuron,), or one number for all
        neurons; `bioae.Network.fan_out` counts them for a network. A result does
        not hold the connections, so without it only spikes are known.

    Returns
    -------
    xarray.Dataset
        Along `layer`, means over the examples: ``neurons``, ``spikes``; ``synapses``, the sum of
        the fan-outs; ``synaptic_events``, the sum over neurons of spikes times fan-out;
        ``dense_operations``, one multiply-accumulate per synapse; ``clocked_operations``, one per
        synapse and step; ``events_per_dense_operation``, below 1 where spikes are cheaper than a
        network without spikes. NaN where the fan-out of the layer is unknown (all but the first
        two), where no synapse leaves the layer (quotients), and without images (numbers per
        image). The encoder's spikes are not in a result, and not counted.

    Raises
    ------
    ResultError
        If `fan_out` names an unknown layer, has another size than its layer, or a negative number.
    """
    names = layer_names(tree)
    counts = {} if fan_out is None else fan_out
    instance(counts, "fan_out", Mapping, error=ResultError)
    for name in counts:
        one_of(name, "a layer of fan_out", names, error=ResultError)
    return by_layer(_COLUMNS, {name: _row(tree, name, counts.get(name)) for name in names})


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
        By layer, ``forward``: the synapses from each neuron of the layer before, ``(source,)``, or
        one number for all, which for the first layer needs `input_events` as an array; and
        ``recurrent``: those from each of its own neurons, likewise. `bioae.Network.synapse_counts`
        counts them for a network.
    input_events
        Events of each input neuron per example, averaged over the examples: ``(source,)``, or one
        number for all. A result does not hold the encoder's events: without them the counts of the
        first layer are NaN.
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
            "the layers differ from those of the result",
            where="synapses",
            expected=", ".join(map(repr, names)),
            found=", ".join(map(repr, synapses)) or "none",
        )
    for name in names:
        instance(synapses[name], f"synapses[{name!r}]", Mapping, error=ResultError)
        for key in synapses[name]:
            one_of(key, f"a key of synapses[{name!r}]", ("forward", "recurrent"), error=ResultError)
    spikes = []
    for name in names:
        count = layer_data(tree, name)["spike_count"]
        total = count.sum("example", dtype=np.int64).to_numpy()
        spikes.append(np.asarray(total / (count.sizes["example"] or np.nan), np.float64))
    first = synapses[names[0]].get("forward", 0)
    sources = (_events(input_events, first, names[0]), *spikes)
    rows = {}
    for name, source, own in zip(names, sources, spikes, strict=False):
        forward = _checked(synapses[name].get("forward", 0), source.size, name, "synapses")
        recurrent = _checked(synapses[name].get("recurrent", 0), own.size, name, "synapses")
        multiplied = graded and name == names[0]
        rows[name] = _incoming((forward, source), (recurrent, own), steps(tree), multiplied)
    return by_layer(_OPERATIONS, rows)


def _events(events: ArrayLike | None, forward: ArrayLike, layer: str) -> NDArray[np.float64]:
    """Return the events of each input neuron per example, NaN where they are unknown."""
    counts, found = _numbers(forward), _numbers(np.nan if events is None else events)
    if not counts.ndim and not found.ndim and counts > 0:
        raise ResultError(
            "the number of input neurons is unknown",
            where=f"synapses[{layer!r}]",
            expected="an array of one number per input neuron, here or in input_events",
            found=f"{counts:g} for all",
        )
    if events is None:
        return np.full(counts.size, np.nan)
    return _checked(events, max(counts.size, found.size), "input", "input_events")


def _incoming(
    forward: tuple[NDArray[np.float64], NDArray[np.float64]],
    recurrent: tuple[NDArray[np.float64], NDArray[np.float64]],
    duration: int,
    multiplied: bool,
) -> dict[str, float]:
    """Return the operations of one layer, from its synapses and the events of their sources."""
    received, within = (float(counts @ events) for counts, events in (forward, recurrent))
    neurons = recurrent[1].size
    synapses = float(forward[0].sum() + recurrent[0].sum())
    dense = synapses * duration
    return {
        "neurons": neurons,
        "synapses": synapses,
        "forward_accumulates": 0.0 if multiplied else received,
        "recurrent_accumulates": within,
        "accumulates": within if multiplied else received + within,
        "multiply_accumulates": received if multiplied else 0.0,
        "dense_multiply_accumulates": dense,
        "neuron_updates": neurons * duration,
        "operations_per_dense_operation": (received + within) / dense if dense else np.nan,
    }


def _row(tree: xr.DataTree, layer: str, fan_out: ArrayLike | None) -> dict[str, float]:
    count = layer_data(tree, layer)["spike_count"]
    examples, neurons = count.sizes["example"], count.sizes["neuron"]
    # Integers make the sums exact.
    total = count.sum("example", dtype=np.int64).to_numpy()
    per_image = 1 / examples if examples else np.nan
    synapses = events = np.nan
    if fan_out is not None:
        out = _checked(fan_out, neurons, layer, "fan_out")
        synapses, events = float(out.sum()), float(total @ out) * per_image
    return {
        "neurons": neurons,
        "spikes": float(total.sum()) * per_image,
        "synapses": synapses,
        "synaptic_events": events,
        "dense_operations": synapses,
        "clocked_operations": synapses * steps(tree),
        "events_per_dense_operation": events / synapses if synapses else np.nan,
    }


def _checked(counts: ArrayLike, neurons: int, layer: str, argument: str) -> NDArray[np.float64]:
    """Return one count per neuron, each 0 or more."""
    found = _numbers(counts)
    if found.shape not in {(), (neurons,)} or not (found >= 0).all():
        raise ResultError(
            "the counts do not fit the layer",
            where=f"{argument}[{layer!r}]",
            expected=f"{neurons} numbers of 0 or more, or one for all",
            found=f"an array of shape {found.shape}, the least {found.min(initial=np.inf):g}",
        )
    return np.broadcast_to(found, (neurons,))


def _numbers(counts: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.full(1, np.nan)
