"""The threshold of bursting, in a file that imports nothing: training reads it too."""

from __future__ import annotations

__all__ = ["BURSTING_THRESHOLD"]

#: Spikes per step above which a neuron bursts; see `bioae.analysis.firing.counts`.
BURSTING_THRESHOLD = 0.5
