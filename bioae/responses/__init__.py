"""Responses of single neurons to constant drives, steps of drive and single spikes.

A *drive* is the input that arrives at the neuron in every step, in network weights: a drive of 1 is
one presynaptic spike of weight 1 per step or, with ``per="ms"``, one per millisecond for any length
of the step. Brian2 does not run: the same statements are stepped in the same order on arrays.
Stimulation protocols and measurements of single neurons belong here, and so does the calibration of
weights that uses them.
"""

from __future__ import annotations

from bioae.responses.calibration import (
    calibrate,
    drive_range,
    rate_curve,
    rheobase,
    threshold_weight,
)
from bioae.responses.isolated import step_error, step_response, time_constant, time_step

__all__ = [
    "calibrate", "drive_range", "rate_curve", "rheobase", "step_error", "step_response",
    "threshold_weight", "time_constant", "time_step",
]  # fmt: skip
