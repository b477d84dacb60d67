"""Normalisation of the weights that learn: their sum into each neuron, before each example."""

from __future__ import annotations

from typing import Any

import numpy as np

from bioae.simulation.brian2_internals.groups import TemplateRunner
from bioae.simulation.objects.presentation_clock import (
    ATTEMPT,
    PRESENTATION,
    STEP,
    PresentationClock,
)


class Normaliser(TemplateRunner):
    """Multiplicative normalisation of synapses, as an example's first presentation starts.

    The sum of the weights into each neuron becomes `total`. Sums of weights on the grid are exact,
    in any order. Weights whose sum is not positive stay.
    """

    def __init__(self, synapses: Any, weight: str, total: float, clock: PresentationClock) -> None:
        variables = synapses.variables
        begins = f"{STEP}_post == {-clock.timing.schedule.lead_in}"
        begins += f" and {PRESENTATION}_post >= 0 and {PRESENTATION}_post < {synapses.counter}"
        if clock.course is not None:
            variables.add_reference(ATTEMPT, clock.course, "attempt")
            begins += f" and {ATTEMPT} == 0"
        listed, copied = "_synaptic_post" in variables, "_copied" in variables
        super().__init__(
            synapses,
            "normaliser",
            f"_holds = {begins}",
            when="before_start",
            order=-5,
            name=f"{synapses.name}__normaliser",
            needed_variables=[
                weight,
                *(["_synaptic_post"] if listed else []),
                *(["_copied"] if copied else []),
            ],
            template_kwds={
                "weight": variables[weight],
                "targets": len(synapses.target),
                "listed": listed and (variables["_synaptic_post"],),
                "copied": copied and (variables["_copied"],),
                "total": total,
                "on_grid": np.dtype(variables[weight].dtype) == np.float64,
            },
        )
