"""Code that runs in each step through bioae's Brian2 templates: conditions, counts and recorders.

Like `bioae.simulation.sharing`, the folder knows nothing of networks: it takes any Brian2 group.
"""

from bioae.simulation.code_runners.runners import (
    ConditionalRunner,
    SpikeCounter,
    SpikeRecorder,
    StopRunner,
    ValueRecorder,
    vectorise_thresholds,
)

__all__ = [
    "ConditionalRunner",
    "SpikeCounter",
    "SpikeRecorder",
    "StopRunner",
    "ValueRecorder",
    "vectorise_thresholds",
]
