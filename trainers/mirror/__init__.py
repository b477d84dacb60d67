"""The mirror: a network in PyTorch, derived from its neuron models' equations.

Nothing here depends on a particular neuron model: a layer runs the statements of a
`bioae.equations.Program`, which are those that Brian2 runs, in the same order. A new spike
derivative belongs in `derivatives`.
"""

from __future__ import annotations

from bioae.trainers.mirror.activity import Activity, LayerActivity
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer_parameters import LayerOptions
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.mirror.neuron import NeuronMirror

__all__ = [
    "Activity", "Backward", "LayerActivity", "LayerOptions", "NetworkMirror", "NeuronMirror",
]  # fmt: skip
