"""Spikes under way in synapses that differ in delay, as the state of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Synapses

from bioae.simulation.brian2_internals.groups import TemplateGroup


class SpikesUnderWay(TemplateGroup):
    """The spikes of the last steps that synapses received, which they receive again at first.

    Brian2 keeps spikes that have not arrived yet in queues, which no program stores. A run starts
    from `carried`, the spikes of as many steps as the longest delay.
    """

    add_to_magic_network = True
    carried = ("_history", "_history_count", "_now")

    def __init__(self, synapses: Synapses, steps: int) -> None:
        super().__init__(f"{synapses.name}__under_way")
        self._synapses, source, add = synapses, synapses.source, self.variables
        self.source = source
        add.add_reference("_spikespace", source)
        add.add_constant("N", len(source))
        add.add_constant("_steps", steps)
        add.add_array("_history", size=steps * len(source), dtype=np.int32)
        add.add_array("_history_count", size=steps, dtype=np.int32)
        add.add_array("_now", size=1, dtype=np.int32, scalar=True)
        add.add_array("_begun", size=1, dtype=np.int32, scalar=True)
        self._run_template(
            "under_way", "", source, synapses,
            clock=source.clock, when="synapses", order=-2,
            needed_variables=["_spikespace", "_history", "_history_count", "_now", "_begun"],
            template_kwds={"pathway": synapses.pre.name}, check_units=False,
        )  # fmt: skip

    def receive(self, spikes: Any) -> None:
        """Let the synapses receive spikes, as in a step: called by NumPy's and Cython's code."""
        queue = self._synapses.pre.queue
        if len(spikes):
            queue.push(np.array(spikes, np.int32))
        queue.advance()  # where a program does so before it
