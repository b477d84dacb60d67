"""The input neurons: each holds a number of its pixel, and emits as the encoder says."""

from __future__ import annotations

import numpy as np
from brian2 import Clock, NeuronGroup, TimedArray, second
from brian2.utils.stringtools import get_identifiers, word_substitute

from bioae.networks.encoders import Encoder
from bioae.networks.schedule import Timing
from bioae.noise.brian import FUNCTIONS, brian2_functions
from bioae.simulation.code_runners import ConditionalRunner, quicken
from bioae.simulation.objects.noise_keys import EXAMPLE, SEED, refer_to_keys, shown_code
from bioae.simulation.objects.presentation_clock import PRESENTATION, STEP, clock_code

__all__ = ["HELD", "InputNeurons", "draws", "held_array"]

#: The variable in which an input neuron holds its number: an encoder's `held`.
HELD = "held"


def draws(encoder: Encoder) -> bool:
    """Return whether an encoder emits at random."""
    return "uniform" in get_identifiers(encoder.emits)


def held_array(
    presentations: int, size: int, *, timing: Timing, dt: float, name: str
) -> TimedArray:
    """Return what the input neurons hold in each presentation (presentation, neuron).

    One more follows, in which nothing is emitted: what is shown after the last presentation.
    """
    values = np.zeros((presentations + 1, size))
    return TimedArray(values, timing.period * dt * second, name=name)


class InputNeurons(NeuronGroup):  # type: ignore[misc]
    """A `NeuronGroup` whose neurons emit what an encoder says.

    ``held`` is set as a presentation starts; ``bioae_presentation`` and ``bioae_step`` tell which
    one it is and the step within it, where ``bioae_step`` may be past the last one (`Timing`).

    Parameters
    ----------
    encoder
        When a neuron emits.
    held
        From `held_array`.
    timing
        Where presentations lie in the run.
    clock
        The network's clock.
    name
        The group's name.
    keys
        What random numbers depend on, see `bioae.simulation.objects.noise_keys`. It may be None
        where the encoder draws none.
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
            # The encoder's numbers are of 64 bits, whatever the neurons' are.
            dtype={HELD: np.float64},
            namespace={held.name: held, **(brian2_functions() if self._keys else {})},
            clock=clock,
            name=name,
        )
        quicken(self.thresholder)
        code = clock_code(timing, 0)
        if self._keys is not None:
            code += f"\n{shown_code(self._keys)}"
        self.run_regularly(code, when="before_start", order=-30, name=f"{name}__clock")
        # Between the pathways of one presentation and the next, whichever slot they have.
        ConditionalRunner(
            self, f"{STEP} == 0", f"{HELD} = {held.name}(t, i)",
            when="before_thresholds", name=f"{name}__start",
        )  # fmt: skip

    def _create_variables(self, user_dtype: object, events: list[str]) -> None:
        super()._create_variables(user_dtype, events)
        for name in (STEP, PRESENTATION):
            self.variables.add_array(name, size=1, dtype=np.int64, scalar=True)
        if self._keys is not None:
            refer_to_keys(self, self._keys)
