"""Input neurons, which emit according to the encoder: one per pixel or channel, or several."""

from __future__ import annotations

import math

import numpy as np
from brian2 import TimedArray, second
from brian2.utils.stringtools import word_substitute

from bioae.equations.grammar import RESERVED_PREFIX
from bioae.networks.config import NetworkConfig
from bioae.noise.brian import FUNCTIONS, brian2_functions, cpp_source
from bioae.simulation.brian2_internals.groups import use_template
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.code_runners import ConditionalRunner, StopRunner, vectorise_thresholds
from bioae.simulation.objects.presentation_clock import (
    ATTEMPT,
    EXAMPLE,
    FIRED,
    OFFSET,
    PRESENTATION,
    SEED,
    STEP,
    PresentationClock,
    PresentedGroup,
)

#: The variable with the value of an input neuron: an encoder's `held`.
HELD = "held"

#: The number of examples of a run that ends with the last one.
EXAMPLES = f"{RESERVED_PREFIX}examples"

#: A random number of each neuron, where a template draws them.
_DRAWN = f"{RESERVED_PREFIX}drawn"


class InputNeurons(PresentedGroup):
    """A `NeuronGroup` whose neurons emit according to an encoder, as graded events or spikes.

    ``held`` is set when a presentation of an image starts, or in each step of a signal.
    ``bioae_presentation`` is the presentation, and ``bioae_step`` the step within it, which may be
    past the last one (`Timing`). The `table` has the values (presentation, neuron) of images, and
    one more presentation, in which nothing is emitted; of signals (step, neuron), with one more
    step.
    """

    #: The variables with the state in which a run ends.
    carried = (HELD, "_spikespace")

    def __init__(
        self, config: NetworkConfig, clock: PresentationClock, name: str, *, table: str
    ) -> None:
        encoder, timing, size = config.encoder, config.timing, math.prod(config.encoded_shape)
        self._config = config
        rows, steps = clock.presentations, timing.period
        if config.in_time:
            rows, steps = rows * steps, 1
        held = TimedArray(
            np.zeros((rows + 1, size)), steps * config.dt_seconds * second, name=table
        )
        self.graded, self.table = encoder.graded, held
        place = f"{STEP}*{size} + i"
        # In C++ a template draws: for all neurons that need it, before any condition is evaluated.
        at_once = encoder.draws and active_target() == "cpp_standalone"
        drawn = f"{FUNCTIONS['uniform']}({place}, 0, 0, {OFFSET}, {SEED}, {EXAMPLE})"
        terms = {"step": STEP, "uniform": _DRAWN if at_once else drawn}
        emits = word_substitute(encoder.emits, terms)
        if not at_once:  # where the template evaluates nothing else
            emits = f"{STEP} < {timing.steps} and {HELD} != 0 and ({emits})"
        super().__init__(
            clock,
            0,
            size,
            f"{HELD} : 1",
            threshold=emits,
            reset="",
            # The encoder's numbers have 64 bits, whatever the type of the neurons' variables.
            dtype={HELD: np.float64},
            namespace={held.name: held, **(brian2_functions() if encoder.draws else {})},
            draws=encoder.draws,
            name=name,
        )
        if at_once:
            thresholder = self.thresholder["spike"]
            thresholder.template_kwds |= {
                "noise": cpp_source(), "steps": timing.steps,
                # Blocks of four random numbers begin at the same neurons in all steps.
                "same_in_all_steps": not config.in_time and size % 4 == 0,
            }  # fmt: skip
            use_template(thresholder, __package__, "random_input")
        else:
            vectorise_thresholds(self.thresholder)
        # Between the pathways of one step and the next, whatever their slot.
        changes, shown = f"{STEP} < {timing.steps}" if config.in_time else f"{STEP} == 0", "t"
        if clock.course is not None:
            shown = f"({PRESENTATION}*{timing.period} + {STEP} + 0.5)*dt"
        value = f"{held.name}({shown}, i)"
        if clock.repeat is not None:
            value = f"(1 + {clock.repeat.gain}*{ATTEMPT})*{value}"
        ConditionalRunner(
            self, changes, f"{HELD} = {value}",
            when="before_thresholds", name=f"{name}__start",
        )  # fmt: skip
        if clock.stops:  # state is that after the last presentation, without padding
            last = f"{STEP} == {timing.period - 1} and {PRESENTATION} == {EXAMPLES} - 1"
            if clock.repeat is not None:
                spikes, most = clock.repeat.spikes, clock.repeat.most
                last += f" and ({FIRED} >= {spikes} or {ATTEMPT} + 1 >= {most})"
            StopRunner(self, last, name=f"{name}__stop")

    def graded_event(self, delay: str | None) -> str:
        """Return Brian2 code of the value that neuron `i` held when it emitted an arriving spike.

        `delay` is Brian2 code of the delay in steps, beyond the one of the schedule, if there is
        one.
        """
        if not self._config.in_time or delay is None:
            return f"{HELD}_pre"
        # Where synapses come before thresholds, a spike of no delay was emitted in the step before.
        late = 1 - self._config.timing.schedule.at_once
        return f"{self.table.name}(t - ({delay} + {late})*dt, i)"

    def _add_variables(self, size: int) -> None:
        super()._add_variables(size)
        self.variables.add_auxiliary_variable(_DRAWN, dtype=np.float64)
        if (course := self._clock_of.course) is not None:
            self.variables.add_reference(ATTEMPT, course, "attempt")
            self.variables.add_reference(FIRED, course, "fired")
        if self._clock_of.stops:
            self.variables.add_array(
                EXAMPLES, size=1, values=2**31 - 1, dtype=np.int32, scalar=True
            )
