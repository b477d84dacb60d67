"""Input that makes a population fire at a chosen rate, slowly and fast, steadily and in bursts."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from bioae.equations.program import INPUT
from bioae.errors import ModelError
from bioae.noise import Key
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.neuron import NeuronMirror, PopulationRun

__all__ = ["Stimulus", "make_stimulus"]

_BLOCK_SECONDS = 0.1
_ARRIVALS_HZ = 600.0
_HALVINGS = 12
_MOST_DOUBLINGS = 40


class Stimulus:
    """What arrives at a population, and the spikes that it fires.

    Parameters
    ----------
    arriving
        The sums of network weights (time, example, neuron).
    lead_in
        Steps after them in which nothing arrives.
    """

    def __init__(self, arriving: Tensor, lead_in: int) -> None:
        self._arriving = arriving
        self._lead_in = lead_in

    def steps(self, amplitude: float) -> list[Arrived | None]:
        """Return what arrives at each step, one arrival being `amplitude` network weights."""
        sums = (amplitude * self._arriving).unbind(0)
        return [*({INPUT: each} for each in sums), *[None] * self._lead_in]

    @torch.no_grad()
    def spikes(self, neuron: NeuronMirror, amplitude: float, key: Key) -> Tensor:
        """Return the spikes of a population on this input (time, example, neuron)."""
        run: PopulationRun = neuron(self.steps(amplitude), record=["_spike"], key=key)
        return run.recorded["_spike"]

    def amplitude(self, neuron: NeuronMirror, per_step: float, key: Key) -> float:
        """Return the amplitude at which the population's mean rate is `per_step` spikes a step.

        Raises
        ------
        ModelError
            If no amplitude reaches that rate.
        """

        def rate(amplitude: float) -> float:
            return self.spikes(neuron, amplitude, key).mean().item()

        low, high = 0.0, 2.0**-10
        for _ in range(_MOST_DOUBLINGS):
            if rate(high) >= per_step:
                break
            low, high = high, 2 * high
        else:
            raise ModelError(
                f"no input makes {neuron.program.model.name!r} fire at the rate asked for",
                expected=f"{per_step:g} spikes a step",
                found=f"{rate(high):g} at an amplitude of {high:g}",
                mend="Ask for a lower rate",
            )
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if rate(middle) >= per_step else (middle, high)
        return high


def make_stimulus(
    generator: Generator, *, steps: int, examples: int, neurons: int, dt: float, lead_in: int
) -> Stimulus:
    """Draw Poisson arrivals whose rate differs from neuron to neuron, and from block to block.

    Parameters
    ----------
    generator
        Where the random numbers come from.
    steps, examples, neurons
        The shape of what arrives.
    dt
        The time step in seconds.
    lead_in
        See `Stimulus`.
    """
    length = max(1, round(_BLOCK_SECONDS / dt))
    shape = (math.ceil(steps / length), examples, neurons)
    block = generator.uniform(0.0, 2.0, shape).repeat(length, axis=0)[:steps]
    level = generator.uniform(0.0, 1.0, shape[1:])
    arrivals = generator.poisson(_ARRIVALS_HZ * dt * level * block).astype(np.float64)
    return Stimulus(torch.from_numpy(arrivals), lead_in)
