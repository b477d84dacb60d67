"""Find a neuron model's parameters again from the spikes that it fired.

`forcing` runs a population on recorded spikes, `stimulus` makes the input that is known, `descent`
trains, and `fit` puts the three together: a check that gradients reach the parameters of a model,
and an example of how a model is fitted to recorded spikes.
"""

from __future__ import annotations

from bioae.trainers.fitting.fit import Recovery, recover
from bioae.trainers.fitting.forcing import ForcedNeuron

__all__ = ["ForcedNeuron", "Recovery", "recover"]
