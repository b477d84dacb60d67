"""Synapses that share weights, for Brian2: convolutions without one synapse for each position.

`SharedSynapses` joins two groups as `brian2.Synapses` does, by a `Layout` (dense, convolution,
transposed convolution) instead of by pairs of neurons. It knows nothing of what the groups are
for, and imports nothing but Brian2 and NumPy.
"""

from bioae.simulation.sharing.code_objects import code_object_class
from bioae.simulation.sharing.layouts import Layout, conv2d, conv_transpose2d, dense
from bioae.simulation.sharing.synapses import SharedSynapses

__all__ = ["Layout", "SharedSynapses", "code_object_class", "conv2d", "conv_transpose2d", "dense"]
