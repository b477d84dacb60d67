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
from bioae.noise import Key
from bioae.noise.brian import signed
from bioae.random import REPEAT
from bioae.simulation.brian2_internals.groups import VariablesGroup

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


class PresentationClock:
    """The times of presentations in a run, which all groups of a built network share.

    Parameters
    ----------
    timing, presentations
        The windows of presentations, and their number in a run.
    dt
        The time step in seconds.
    draws
        Whether a part of the network draws random numbers.
    prefix
        Prefix of the names of the objects.

    Attributes
    ----------
    clock
        The network's `brian2.Clock`.
    keys
        A group of ``seed`` and, for each presentation of a run, ``example`` and ``offset``; None
        where nothing draws random numbers. They are variables, so that they may change between runs
        of one build, and 64-bit integers, which a `TimedArray` cannot hold.
    """

    def __init__(
        self, timing: Timing, presentations: int, dt: float, *, draws: bool, prefix: str
    ) -> None:
        self.timing, self.presentations = timing, presentations
        self.clock = Clock(dt * second, name=f"{prefix}network__clock")
        self.keys: Any = None
        if draws:
            variables = ("seed : integer (shared)", "example : integer", "offset : integer")
            self.keys = NeuronGroup(
                presentations, "\n".join(variables), namespace={}, clock=self.clock,
                dtype=dict.fromkeys(("seed", "example", "offset"), np.int64),
                name=f"{prefix}noise__keys",
            )  # fmt: skip

    @property
    def dt(self) -> float:
        """The time step in seconds."""
        return float(self.clock.dt)

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
            f"{PRESENTATION} = (t_in_timesteps + {offset})//{period} - {late}",
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
        if self._drawing:
            keys = self._clock_of.keys
            self.variables.add_array(_EXAMPLE_INDEX, size=1, dtype=np.int32, scalar=True)
            self.variables.add_reference(SEED, keys, "seed")
            for name, variable in ((EXAMPLE, "example"), (OFFSET, "offset")):
                self.variables.add_reference(name, keys, variable, index=_EXAMPLE_INDEX)
