"""The lowered learning rules of a layer in a network."""

from __future__ import annotations

from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.program import Rule
from bioae.networks.placed_layer import PlacedLayer

__all__ = ["rules_of"]


def rules_of(placed: PlacedLayer) -> dict[str, Rule]:
    """Return the rules of the pathways that learn, by the name of their weights.

    Raises
    ------
    ModelError
        If Brian2 refuses a synapse model.
    """
    return {name: lower_synapse(model) for name, model in placed.synapses.items()}
