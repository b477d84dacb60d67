"""What Brian2 runs at a step that it has no code of its own for: templates, and who uses them.

As `bioae.simulation.sharing`, it knows nothing of what groups are for, and imports Brian2 alone.
"""

from bioae.simulation.running.conditional import ConditionalRunner
from bioae.simulation.running.quick import quicken
from bioae.simulation.running.recorders import SpikeRecorder, ValueRecorder

__all__ = ["ConditionalRunner", "SpikeRecorder", "ValueRecorder", "quicken"]
