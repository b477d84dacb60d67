"""Input neurons, which emit according to the encoder: one per pixel or channel, or several."""

from __future__ import annotations

import math

import numpy as np
from brian2 import Clock, NeuronGroup, TimedArray, second
from brian2.utils.stringtools import word_substitute

from bioae.networks.config import NetworkConfig
from bioae.noise.brian import FUNCTIONS, brian2_functions
from bioae.simulation.brian2_internals.groups import VariablesGroup
from bioae.simulation.code_runners import ConditionalRunner, vectorise_thresholds
from bioae.simulation.objects.presentation_clock import (
    EXAMPLE,
    OFFSET,
    SEED,
    STEP,
    add_clock,
    add_clock_variables,
)

__all__ = ["HELD", "InputNeurons", "held_array", "held_at"]

#: The variable with the value of an input neuron: an encoder's `held`.
HELD = "held"


def held_array(presentations: int, config: NetworkConfig, *, name: str) -> TimedArray:
    """Return an array for the values of input neurons.

    It is (presentation, neuron) for images, and one more presentation follows, in which nothing is
    emitted; for signals it is (step, neuron), with one more step.
    """
    timing, size = config.timing, math.prod(config.encoded_shape)
    rows, steps = (
        (presentations * timing.period, 1) if config.in_time else (presentations, timing.period)
    )
    return TimedArray(np.zeros((rows + 1, size)), steps * config.dt_seconds * second, name=name)


def held_at(held: TimedArray, config: NetworkConfig, delay: str) -> str:
    """Return Brian2 code of what a neuron `i` held when it emitted a spike that arrives now.

    Parameters
    ----------
    held
        From `held_array`.
    config
        The network.
    delay
        Brian2 code of the delay in steps, beyond the one of the schedule.
    """
    # Where synapses come before thresholds, a spike of no delay was emitted in the step before.
    late = 1 - config.timing.schedule.lead_in
    return f"{held.name}(t - ({delay} + {late})*dt, i)"


class InputNeurons(VariablesGroup):
    """A `NeuronGroup` whose neurons emit according to an encoder.

    ``held`` is set when a presentation of an image starts, or in each step of a signal.
    ``bioae_presentation`` is the presentation, and ``bioae_step`` the step within it, which may be
    past the last one (`Timing`).

    Parameters
    ----------
    config
        The network: its encoder, and the times of presentations in the run.
    held
        From `held_array`.
    clock
        The network's clock.
    name
        The group's name.
    keys
        Keys of random numbers, from `noise_keys`; None if the encoder draws none.
    """

    def __init__(
        self,
        config: NetworkConfig,
        held: TimedArray,
        *,
        clock: Clock,
        name: str,
        keys: NeuronGroup | None,
    ) -> None:
        encoder, timing = config.encoder, config.timing
        self._keys = keys if encoder.draws else None
        size = held.values.shape[1]
        place = f"{STEP}*{size} + i"
        terms = {
            "step": STEP,
            "uniform": f"{FUNCTIONS['uniform']}({place}, 0, 0, {OFFSET}, {SEED}, {EXAMPLE})",
        }
        emits = word_substitute(encoder.emits, terms)
        super().__init__(
            size,
            f"{HELD} : 1",
            threshold=f"{STEP} < {timing.steps} and {HELD} != 0 and ({emits})",
            reset="",
            # The encoder's numbers have 64 bits, whatever the type of the neurons' variables.
            dtype={HELD: np.float64},
            namespace={held.name: held, **(brian2_functions() if self._keys else {})},
            clock=clock,
            name=name,
        )
        vectorise_thresholds(self, nonzero=HELD if encoder.draws else None)
        add_clock(self, timing, 0, self._keys)
        # Between the pathways of one step and the next, whatever their slot.
        changes = f"{STEP} < {timing.steps}" if config.in_time else f"{STEP} == 0"
        ConditionalRunner(
            self, changes, f"{HELD} = {held.name}(t, i)",
            when="before_thresholds", name=f"{name}__start",
        )  # fmt: skip

    def _add_variables(self, size: int) -> None:
        add_clock_variables(self, self._keys)
