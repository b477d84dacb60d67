"""A layer's connections as ordinary `Synapses`: which spikes count, and what they add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, Synapses, TimedArray, second
from numpy.typing import NDArray

from bioae.delays import Steps
from bioae.equations.model import RESERVED_PREFIX
from bioae.equations.program import INHIBITION, INPUT
from bioae.layers import Connections
from bioae.schedule import Timing
from bioae.simulation.population import STEP, Population

__all__ = ["WEIGHT", "Pathway"]

#: The synaptic variable that holds a weight; named so that no neuron variable can collide.
WEIGHT = f"{RESERVED_PREFIX}w"

#: The synaptic variable that holds a delay in steps, where each synapse has its own.
DELAY = f"{RESERVED_PREFIX}delay"

#: What the input emits at a time, in the code of synapses.
DRIVE = f"{RESERVED_PREFIX}drive"


@dataclass(frozen=True, eq=False)
class Pathway:
    """The synapses of one array of weights.

    Attributes
    ----------
    name
        The name of the `Synapses`.
    connections
        Which weight joins which two neurons.
    weights
        In any shape.
    delay
        Of each weight in steps, in the same shape; one without dimensions where all have the same.
    recurrent
        Whether the target is the source.
    timing
        Where presentations lie in the run.
    drive
        What the input emits, where a spike of the source is a graded event.
    """

    name: str
    connections: Connections
    weights: NDArray[Any]
    delay: Steps
    recurrent: bool
    timing: Timing
    drive: TimedArray | None = None

    def build(self, source: NeuronGroup, target: Population, clock: Clock) -> Synapses:
        """Make the synapses."""
        own = bool(self.delay.ndim)
        dt = float(clock.dt)
        synapses = Synapses(
            source,
            target,
            f"{WEIGHT} : 1" + (f"\n{DELAY} : integer (constant)" if own else ""),
            on_pre="\n".join(self._adds(target)),
            delay=None if own else int(self.delay) * dt * second,
            namespace={} if self.drive is None else {DRIVE: self.drive},
            clock=clock,
            name=self.name,
        )
        synapses.connect(i=self.connections.source, j=self.connections.target)
        setattr(synapses, WEIGHT, self._of_synapses(self.weights.astype(np.float64)))
        if own:
            setattr(synapses, DELAY, self._of_synapses(self.delay))
            # As an attribute it would be indexed as a variable `delay` of the neurons is.
            synapses.pre.variables["delay"].set_value(self._of_synapses(self.delay) * dt)
        return synapses

    def _of_synapses(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(values.ravel()[self.connections.weight])

    def _adds(self, target: Population) -> list[str]:
        factors = [*self._graded(), *self._counts()]
        if not target.apart:
            return [f"{INPUT}_post += {'*'.join([WEIGHT, *factors])}"]
        excites = "*".join([WEIGHT, f"int({WEIGHT} > 0)", *factors])
        inhibits = "*".join([f"(-{WEIGHT})", f"int({WEIGHT} < 0)", *factors])
        return [f"{INPUT}_post += {excites}", f"{INHIBITION}_post += {inhibits}"]

    def _counts(self) -> list[str]:
        """Return factors that are 0 for a spike that another presentation emitted.

        With q the target's step, a spike of delay d that arrives now was emitted in the source's
        step q - d + `late`; a lead-in step's reaches its own layer alone.
        """
        lead_in, last = self.timing.schedule.lead_in, self.timing.steps - 1
        late = lead_in - self.recurrent
        first = -lead_in if self.recurrent else 0
        delay = DELAY if self.delay.ndim else str(self.delay)
        factors = []
        if self.delay.max() + first - late > -lead_in:
            factors.append(f"int({STEP}_post >= {delay} + {first - late})")
        if self.delay.min() < late:
            factors.append(f"int({STEP}_post <= {delay} + {last - late})")
        return factors

    def _graded(self) -> list[str]:
        if self.drive is None:
            return []
        # When it was emitted, for by now the input may emit something else.
        delay = DELAY if self.delay.ndim else str(self.delay)
        before = f"({delay} + {1 - self.timing.schedule.lead_in})"
        return [f"{DRIVE}(t - {before}*dt, i)"]
