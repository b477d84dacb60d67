"""Synapses that share weights, for Brian2: convolutions without one synapse per connection.

`SharedSynapses` connects two groups as `brian2.Synapses` does, by a `Layout` (dense, sparse,
convolution, transposed convolution) instead of pairs of neurons. The folder knows nothing of
networks; it imports Brian2, NumPy, and `bioae.simulation.brian2_internals`.
"""

from bioae.simulation.sharing.layouts import (
    Layout,
    Unrolled,
    conv2d,
    conv_transpose2d,
    dense,
    sparse,
)
from bioae.simulation.sharing.synapses import SharedSynapses

__all__ = [
    "Layout",
    "SharedSynapses",
    "Unrolled",
    "conv2d",
    "conv_transpose2d",
    "dense",
    "sparse",
]
