"""Traces of a learning rule: variables of neurons, in a separate Brian2 group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from brian2 import NeuronGroup
from numpy.typing import NDArray

from bioae.arithmetic import rendered_statement
from bioae.equations.arrays.start import default_parameters
from bioae.equations.program import Program
from bioae.simulation.brian2_internals.groups import TemplateRunner
from bioae.simulation.objects.population import Neurons, Population
from bioae.simulation.objects.presentation_clock import STEP, PresentationClock


class Traces(Population):
    """Traces of neurons, integrated as neurons are, that change with their neurons' spikes.

    `program`: the lowered traces; its reset runs for each spike, after all pathways have learned
        from it.
    `neurons`, `depth`: the neurons, and the depth of their layer in the network; 0 is the input.
    `clock`, `name`: as for `Population`.
    `persistent`: traces that presentations do not reset, with the values from which they start
        (neuron).
    """

    def __init__(
        self,
        program: Program,
        neurons: NeuronGroup,
        depth: int,
        clock: PresentationClock,
        *,
        name: str,
        persistent: Mapping[str, NDArray[np.float64]],
    ) -> None:
        parameters, size = default_parameters(program), len(neurons)
        traces = Neurons(program, parameters, size, depth, persistent=persistent)
        super().__init__(traces, clock, name)
        for variable, values in self.start_arrays(persistent).items():
            self.variables[variable].set_value(values)
        self.variables.add_reference("_spikes_of", neurons, "_spikespace")
        self.variables.add_constant("_neurons", size)
        if program.reset:
            lines = (
                str(rendered_statement(each, program.integers, program.floats))
                for each in program.reset
            )
            timing = clock.timing
            first, end = 1 - timing.schedule.at_once, timing.steps
            if timing.carry_over:
                first, end = 0, timing.period
            jumps = _OnSpikes(
                self,
                "on_spikes",
                code={
                    "condition": f"_holds = {STEP} >= {first} and {STEP} < {end}",
                    "statement": "\n".join(lines),
                },
                when="synapses",
                order=5,
                name=f"{name}__on_spike",
                needed_variables=["_spikes_of"],
            )
            jumps.add_dependency(neurons)

    def _arriving(self) -> tuple[str, ...]:
        return ()  # no synapse reaches a trace

    def _add_input(self, program: Program) -> None:
        """Receive nothing."""


class _OnSpikes(TemplateRunner):
    """Statements for the neurons in another group's list of spikes, under a condition."""
