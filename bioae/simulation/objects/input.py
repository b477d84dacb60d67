"""Input neurons: one per pixel, which emits according to the encoder."""

from __future__ import annotations

import numpy as np
from brian2 import Clock, NeuronGroup, TimedArray, second
from brian2.utils.stringtools import get_identifiers, word_substitute

from bioae.networks.encoders import Encoder
from bioae.networks.schedule import Timing
from bioae.noise.brian import FUNCTIONS, brian2_functions
from bioae.simulation.brian2_internals.groups import VariablesGroup
from bioae.simulation.code_runners import ConditionalRunner, vectorise_thresholds
from bioae.simulation.objects.presentation_clock import (
    EXAMPLE,
    SEED,
    STEP,
    add_clock,
    add_clock_variables,
)

__all__ = ["HELD", "InputNeurons", "draws", "held_array"]

#: The variable with the value of an input neuron: an encoder's `held`.
HELD = "held"


def draws(encoder: Encoder) -> bool:
    """Return whether an encoder emits at random."""
    return "uniform" in get_identifiers(encoder.emits)


def held_array(
    presentations: int, size: int, *, timing: Timing, dt: float, name: str
) -> TimedArray:
    """Return an array for the values of input neurons (presentation, neuron).

    After the last presentation one more follows, in which nothing is emitted.
    """
    values = np.zeros((presentations + 1, size))
    return TimedArray(values, timing.period * dt * second, name=name)


class InputNeurons(VariablesGroup):
    """A `NeuronGroup` whose neurons emit according to an encoder.

    ``held`` is set when a presentation starts. ``bioae_presentation`` is the presentation, and
    ``bioae_step`` the step within it, which may be past the last one (`Timing`).

    Parameters
    ----------
    encoder
        The encoder.
    held
        From `held_array`.
    timing
        The times of presentations in the run.
    clock
        The network's clock.
    name
        The group's name.
    keys
        Keys of random numbers, from `noise_keys`; None if the encoder draws none.
    """

    def __init__(
        self,
        encoder: Encoder,
        held: TimedArray,
        *,
        timing: Timing,
        clock: Clock,
        name: str,
        keys: NeuronGroup | None,
    ) -> None:
        self._keys = keys if draws(encoder) else None
        size = held.values.shape[1]
        terms = {
            "step": STEP,
            "uniform": f"{FUNCTIONS['uniform']}({STEP}*{size} + i, 0, 0, 0, {SEED}, {EXAMPLE})",
        }
        emits = word_substitute(encoder.emits, terms)
        super().__init__(
            size,
            f"{HELD} : 1",
            threshold=f"{STEP} < {timing.steps} and {HELD} > 0 and ({emits})",
            reset="",
            # The encoder's numbers have 64 bits, whatever the type of the neurons' variables.
            dtype={HELD: np.float64},
            namespace={held.name: held, **(brian2_functions() if self._keys else {})},
            clock=clock,
            name=name,
        )
        vectorise_thresholds(self.thresholder)
        add_clock(self, timing, 0, self._keys)
        # Between the pathways of one presentation and the next, whatever their slot.
        ConditionalRunner(
            self, f"{STEP} == 0", f"{HELD} = {held.name}(t, i)",
            when="before_thresholds", name=f"{name}__start",
        )  # fmt: skip

    def _add_variables(self, size: int) -> None:
        add_clock_variables(self, self._keys)
