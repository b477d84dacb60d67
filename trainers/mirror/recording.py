"""The activity of a layer of the mirror, as that of a chunk in Brian2."""

from __future__ import annotations

import numpy as np

from bioae.networks.placed_layer import PlacedLayer
from bioae.simulation.results.chunk import LayerSpikes, Trace
from bioae.trainers.mirror.activity import LayerActivity


def layer_spikes(placed: PlacedLayer, activity: LayerActivity) -> LayerSpikes:
    """Return a layer's activity in a presentation as that of a chunk."""
    # In the order of examples, then steps, the places of spikes are sorted already.
    fired = activity.spikes.ne(0).transpose(0, 1).flatten(2).contiguous().numpy()
    states = {
        name: Trace(values.flatten(2).swapaxes(0, 1).numpy(), placed.program.states[name].unit)
        for name, values in activity.states.items()
    }
    neuron, counts = np.flatnonzero(fired) % placed.size, np.count_nonzero(fired, axis=2)
    return LayerSpikes(placed.name, placed.shape, neuron, counts, states, placed.can_fire)
