"""Code that runs in each step through bioae's Brian2 templates: conditional code and recorders.

Like `bioae.simulation.sharing`, the folder knows nothing of networks: it takes any Brian2 group.
"""

from bioae.simulation.code_runners.runners import (
    ConditionalRunner,
    SpikeRecorder,
    ValueRecorder,
    vectorise_thresholds,
)

__all__ = ["ConditionalRunner", "SpikeRecorder", "ValueRecorder", "vectorise_thresholds"]
