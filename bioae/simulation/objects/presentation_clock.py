"""Presentation clock: the presentation, the step and the noise keys of groups in a run.

Random numbers depend on a seed, on the number of the example that is presented, and on its repeat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, second
from numpy.typing import NDArray

from bioae.equations.grammar import RESERVED_PREFIX
from bioae.networks.schedule import Timing
from bioae.networks.teaching import Repeat
from bioae.noise import Key
from bioae.noise.brian import signed
from bioae.random import REPEAT
from bioae.simulation.brian2_internals.groups import VariablesGroup
from bioae.simulation.code_runners import ConditionalRunner, SpikeCounter, ValueRecorder

#: A group's step within its presentation, and the presentation.
STEP = f"{RESERVED_PREFIX}step"
PRESENTATION = f"{RESERVED_PREFIX}presentation"

#: How many presentations of a run learn; the others are padding.
LEARNED = f"{RESERVED_PREFIX}learned"

#: The seed, the number of the group's example, what its repeat adds to the population's number, and
#: its index among the presentations of a run.
SEED = f"{RESERVED_PREFIX}seed"
EXAMPLE = f"{RESERVED_PREFIX}example"
OFFSET = f"{RESERVED_PREFIX}offset"
_EXAMPLE_INDEX = f"{RESERVED_PREFIX}shown"

#: Where examples are presented again: the place of the example in the run, how often it was
#: presented before, and the spikes that count of its presentation, in all and of the step.
_PLACE = f"{RESERVED_PREFIX}place"
ATTEMPT = f"{RESERVED_PREFIX}attempt"
FIRED = f"{RESERVED_PREFIX}fired"
_COUNT = f"{RESERVED_PREFIX}count"


class PresentationClock:
    """The times of presentations in a run, which all groups of a built network share.

    `draws`: whether a part of the network draws random numbers; `repeat`: when an example is
    presented again.

    `keys`: a group of ``seed`` and, for each presentation of a run, ``example`` and ``offset``;
        None where nothing draws random numbers. They are variables, so that they may change between
        runs of one build, and 64-bit integers, which a `TimedArray` cannot hold.
    `course`: a group of the place of the ``example`` that is presented, the ``attempt``, counted
        from 0, and the spikes ``fired`` in it, which decide on the next one; None: each is
        presented once.
    `shown`: the recorder of examples, a row per presentation of the course.
    """

    def __init__(
        self,
        timing: Timing,
        presentations: int,
        dt: float,
        *,
        draws: bool,
        prefix: str,
        repeat: Repeat | None = None,
    ) -> None:
        self.timing, self.presentations = timing, presentations
        self.clock = Clock(dt * second, name=f"{prefix}network__clock")
        self.dt = float(self.clock.dt)  # in seconds
        self.keys: Any = None
        if draws:
            variables = ("seed : integer (shared)", "example : integer", "offset : integer")
            self.keys = NeuronGroup(
                presentations, "\n".join(variables), namespace={}, clock=self.clock,
                dtype=dict.fromkeys(("seed", "example", "offset"), np.int64),
                name=f"{prefix}noise__keys",
            )  # fmt: skip
        self.repeat = repeat
        self.course: Any = None
        self.shown: ValueRecorder | None = None
        if repeat is not None:
            self._add_course(repeat, f"{prefix}presentations__course")

    def _add_course(self, repeat: Repeat, name: str) -> None:
        """Add the group that decides which example a presentation shows."""
        period, whole = self.timing.period, {"example": np.int64, "attempt": np.int64}
        variables = ("example : integer (shared)", "attempt : integer (shared)",
                     "fired : 1 (shared)", "shown : 1")  # fmt: skip
        course = self.course = NeuronGroup(
            1, "\n".join(variables), namespace={}, clock=self.clock, dtype=whole, name=name
        )
        begins = f"int(t_in_timesteps % {period} == 0 and t_in_timesteps > 0)"
        done = f"int(fired >= {repeat.spikes} or attempt + 1 >= {repeat.most})"
        lines = (
            f"example = example + {begins}*{done}",
            f"attempt = (1 - {begins})*attempt + {begins}*(1 - {done})*(attempt + 1)",
            f"fired = (1 - {begins})*fired",
        )
        course.run_regularly("\n".join(lines), when="before_start", order=-40, name=f"{name}__next")
        ends = f"t_in_timesteps % {period} == {period - 1}"
        ConditionalRunner(course, ends, "shown = example", when="end", name=f"{name}__shown")
        self.shown = ValueRecorder(
            course, "shown", ends, when="end", order=10, name=f"{name}__recorder"
        )
        self.keys.variables.add_reference("attempt", course, "attempt")
        ConditionalRunner(
            self.keys, f"t_in_timesteps % {period} == 0", f"offset = {REPEAT}*attempt",
            when="before_start", order=-35, name=f"{self.keys.name}__attempt",
        )  # fmt: skip

    @property
    def most(self) -> int:
        """The most presentations of an example."""
        return 1 if self.repeat is None else self.repeat.most

    @property
    def stops(self) -> bool:
        """True if a run ends with its last presentation, and is not padded."""
        return self.timing.carry_over or self.course is not None

    def count(self, population: PresentedGroup) -> None:
        """Count the spikes of the population on which it depends whether an example is done."""
        variables, name = population.variables, population.name
        variables.add_array(_COUNT, size=1, scalar=True)
        variables.add_reference(FIRED, self.course, "fired")
        SpikeCounter(
            population, _COUNT, f"{STEP} >= 0 and {STEP} < {self.timing.steps}",
            when="after_thresholds", name=f"{name}__counter",
        )  # fmt: skip
        ConditionalRunner(
            population, f"{STEP} >= 0", f"{FIRED} = {FIRED} + {_COUNT}", when="end",
            name=f"{name}__fired",
        )  # fmt: skip

    def set_key(self, key: Key) -> None:
        """Set the key of the noise of a run."""
        for name, values in self._key_arrays(key).items():
            self.keys.variables[name].set_value(values)

    def key_arguments(self, key: Key) -> dict[str, NDArray[np.int64]]:
        """Return the arrays that `set_key` sets, by their names in a standalone project.

        Offsets of repeats are 0 where there are none.
        """
        return {
            f"{self.keys.name}.{name}": values
            for name, values in self._key_arrays(key).items()
            if name != "offset" or key.repeats is not None
        }

    def _key_arrays(self, key: Key) -> dict[str, NDArray[np.int64]]:
        """Return the values of the variables of `keys`; repeat 0 of example 0 pads them."""
        if self.keys is None:
            return {}
        example, offset = np.zeros((2, self.presentations), dtype=np.int64)
        example[: len(key.examples)] = key.examples
        if key.repeats is not None:
            offset[: len(key.repeats)] = REPEAT * key.repeats
        return {"seed": signed([key.seed]), "example": example, "offset": offset}


class PresentedGroup(VariablesGroup):
    """A `NeuronGroup` that knows the presentation and its step within it, in each step.

    If it `draws`, it knows the key of its random numbers, too. The input's depth in the network
    is 0. Further code, `each_step`, runs once the step is known; other arguments are those of
    `NeuronGroup`.
    """

    def __init__(
        self,
        clock: PresentationClock,
        depth: int,
        *arguments: Any,
        draws: bool,
        each_step: str = "",
        **options: Any,
    ) -> None:
        self._clock_of, self._drawing = clock, draws
        super().__init__(*arguments, clock=clock.clock, **options)
        timing, period = clock.timing, clock.timing.period
        lead_in = timing.schedule.lead_in if depth else 0
        # The dividend is never negative: targets differ in the sign of a remainder.
        late, offset = -(-timing.start(depth) // period), -timing.start(depth) % period
        lines = [
            f"{PRESENTATION} = {_PLACE}"
            if clock.course is not None
            else f"{PRESENTATION} = (t_in_timesteps + {offset})//{period} - {late}",
            f"{STEP} = (t_in_timesteps + {offset}) % {period} - {lead_in}",
            *([each_step] if each_step else []),
        ]
        if draws:
            lines.append(f"{_EXAMPLE_INDEX} = clip({PRESENTATION}, 0, {clock.presentations - 1})")
        self.run_regularly(
            "\n".join(lines), when="before_start", order=-30, name=f"{self.name}__clock"
        )

    def _add_variables(self, size: int) -> None:
        for name in (STEP, PRESENTATION):
            self.variables.add_array(name, size=1, dtype=np.int64, scalar=True)
        if self._clock_of.course is not None:
            self.variables.add_reference(_PLACE, self._clock_of.course, "example")
        if self._drawing:
            keys = self._clock_of.keys
            self.variables.add_array(_EXAMPLE_INDEX, size=1, dtype=np.int32, scalar=True)
            self.variables.add_reference(SEED, keys, "seed")
            for name, variable in ((EXAMPLE, "example"), (OFFSET, "offset")):
                self.variables.add_reference(name, keys, variable, index=_EXAMPLE_INDEX)
