"""Fitting: the likelihood of recorded spikes, and its gradient in a neuron model's parameters.

`python -m benchmarks.recovery` measures that parameters are recovered from spikes.
"""

from __future__ import annotations

from bioae.trainers.fitting.likelihood import ForcedNeuron

__all__ = ["ForcedNeuron"]
