"""Computational cost per image: spikes, synaptic events, and dense operations for comparison.

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

from bioae.analysis.results.layers import layer_data, layer_names, steps
from bioae.checks import instance
from bioae.errors import ResultError

__all__ = ["cost"]

_COLUMNS = {
    "neurons": "neurons",
    "spikes": "spikes per image",
    "synapses": "synapses that leave the layer",
    "synaptic_events": "synaptic events per image",
    "dense_operations": "operations of a network without spikes per image",
    "clocked_operations": "operations of a clock-driven simulation per image",
    "events_per_dense_operation": "synaptic events per dense operation",
}


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
    unknown = [name for name in counts if name not in names]
    if unknown:
        raise ResultError(
            "there is no such layer",
            where="fan_out",
            expected=" or ".join(map(repr, names)),
            found=repr(unknown[0]),
        )
    rows = [_row(tree, name, counts.get(name)) for name in names]
    return xr.Dataset(
        {
            column: ("layer", [row[column] for row in rows], {"long_name": text, "units": "1"})
            for column, text in _COLUMNS.items()
        },
        coords={"layer": names},
    )


def _row(tree: xr.DataTree, layer: str, fan_out: ArrayLike | None) -> dict[str, float]:
    count = layer_data(tree, layer)["spike_count"]
    examples, neurons = count.sizes["example"], count.sizes["neuron"]
    # Integers make the sums exact.
    total = count.sum("example", dtype=np.int64).to_numpy()
    per_image = 1 / examples if examples else np.nan
    synapses = events = np.nan
    if fan_out is not None:
        out = _checked(fan_out, neurons, layer)
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


def _checked(fan_out: ArrayLike, neurons: int, layer: str) -> NDArray[np.float64]:
    try:
        out = np.asarray(fan_out, dtype=np.float64)
    except (TypeError, ValueError):
        out = np.full(1, np.nan)
    if out.shape not in {(), (neurons,)} or not (out >= 0).all():
        raise ResultError(
            "the fan-out does not fit the layer",
            where=f"fan_out[{layer!r}]",
            expected=f"{neurons} numbers of synapses, or one for all",
            found=f"an array of shape {out.shape}, the least {out.min(initial=np.inf):g}",
        )
    return np.broadcast_to(out, (neurons,))
