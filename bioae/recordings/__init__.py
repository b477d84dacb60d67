"""Recordings of a neuron, which fits take: input, potentials and spikes.

Code that checks a recording, cuts or resamples it, or reads it from a file belongs here; fits are
in `bioae.trainers.fitting`.
"""

from __future__ import annotations

from bioae.recordings.recording import Recording

__all__ = ["Recording"]
