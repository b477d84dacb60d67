"""Fitting: recovery of a neuron model's parameters from its spikes.

It checks that gradients reach the parameters of a model, and is an example of fitting a model to
recorded spikes. `likelihood` fits parameters to spikes; `recovery` makes the data and the check.
"""

from __future__ import annotations

from bioae.trainers.fitting.likelihood import ForcedNeuron
from bioae.trainers.fitting.recovery import Recovery, recover

__all__ = ["ForcedNeuron", "Recovery", "recover"]
