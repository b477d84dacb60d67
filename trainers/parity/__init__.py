"""Compare the mirror with Brian2: the same spikes, neuron by neuron and step by step.

`comparison` runs both sides; `networks` makes a network of a neuron model, `one_step` restarts the
mirror from Brian2's state at every step, `threshold` says where the last bits decide, `chaos`
perturbs Brian2 against itself, `silent` compares models that never fire.
"""

from __future__ import annotations

from bioae.trainers.parity.comparison import compare, model_parity
from bioae.trainers.parity.networks import parity_network
from bioae.trainers.parity.report import AGREEMENT, Parity

__all__ = ["AGREEMENT", "Parity", "compare", "model_parity", "parity_network"]
