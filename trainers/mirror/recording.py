"""The activity of a layer of the mirror, as that of a chunk in Brian2."""

from __future__ import annotations

import numpy as np

from bioae.networks.placed_layer import PlacedLayer
from bioae.simulation.results.chunk import LayerSpikes, Trace
from bioae.trainers.mirror.activity import LayerActivity

__all__ = ["layer_spikes"]


def layer_spikes(placed: PlacedLayer, activity: LayerActivity) -> LayerSpikes:
    """Return a layer's activity in a presentation as that of a chunk."""
    step, example, neuron = np.nonzero(activity.spikes.flatten(2).numpy())
    states = {
        name: Trace(values.flatten(2).swapaxes(0, 1).numpy(), placed.program.states[name].unit)
        for name, values in activity.states.items()
    }
    steps, examples = activity.spikes.shape[:2]
    return LayerSpikes.of(
        placed.name, placed.shape, states=states, can_fire=placed.can_fire,
        example=example, step=step, neuron=neuron, examples=examples, steps=steps,
    )  # fmt: skip
