"""How a neuron model answers constant drives, steps of drive, and single spikes.

A *drive* is what arrives at the neuron in every step, in network weights: a drive of 1 is one
presynaptic spike of weight 1 a step, or, with ``per="ms"``, one a millisecond whatever the step.
Nothing is simulated in Brian2: the statements that it runs are stepped in its order on arrays.
"""

from __future__ import annotations

from bioae.responses.common import time_step
from bioae.responses.ranges import drive_range, rheobase, threshold_weight
from bioae.responses.rates import rate_curve
from bioae.responses.traces import step_response, unitary_response

__all__ = [
    "drive_range",
    "rate_curve",
    "rheobase",
    "step_response",
    "threshold_weight",
    "time_step",
    "unitary_response",
]
