"""Parity: comparison of the mirror with Brian2, spike for spike, see `bioae.parity`.

`comparison` runs both sides, and `rules` those of a learning rule; `networks` makes networks of a
neuron model, and perturbs them; `one_step` restarts the mirror from Brian2's state at every step;
`threshold` finds spikes that depend on rounding; `report` holds the result.
"""

from __future__ import annotations

from bioae.trainers.parity.networks import parity_network
from bioae.trainers.parity.report import AGREEMENT, Parity
from bioae.trainers.parity.rules import RuleParity

__all__ = ["AGREEMENT", "Parity", "RuleParity", "parity_network"]
