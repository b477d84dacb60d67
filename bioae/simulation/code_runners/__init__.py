"""What Brian2 runs at a step that it has no code of its own for: templates, and who uses them.

As `bioae.simulation.sharing`, it knows nothing of what groups are for, and imports Brian2 alone.
"""

from bioae.simulation.code_runners.conditional import ConditionalRunner
from bioae.simulation.code_runners.recorders import SpikeRecorder, ValueRecorder
from bioae.simulation.code_runners.threshold_template import quicken

__all__ = ["ConditionalRunner", "SpikeRecorder", "ValueRecorder", "quicken"]
