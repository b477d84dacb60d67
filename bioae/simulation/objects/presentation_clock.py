"""Presentation clock: shared variables that tell a group its presentation, step, and noise keys.

Random numbers depend on a seed, on the number of the example that is presented, and on its repeat.
"""

from __future__ import annotations

import numpy as np
from brian2 import Clock, NeuronGroup
from numpy.typing import NDArray

from bioae.equations.names import RESERVED_PREFIX
from bioae.networks.schedule import Timing
from bioae.noise import Key
from bioae.noise.brian import signed
from bioae.random import REPEAT

__all__ = [
    "EXAMPLE",
    "LEARNED",
    "OFFSET",
    "PRESENTATION",
    "SEED",
    "STEP",
    "add_clock",
    "add_clock_variables",
    "key_arrays",
    "noise_keys",
]

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


def noise_keys(presentations: int, *, clock: Clock, name: str) -> NeuronGroup:
    """Return a group of ``seed`` and, for each presentation of a run, ``example`` and ``offset``.

    They are variables, so that they may change between runs of one build, and 64-bit integers,
    which a `TimedArray` cannot hold. Populations refer to them.
    """
    return NeuronGroup(
        presentations,
        """
        seed : integer (shared)
        example : integer
        offset : integer
        """,
        dtype=dict.fromkeys(("seed", "example", "offset"), np.int64),
        namespace={},
        clock=clock,
        name=name,
    )


def key_arrays(key: Key, presentations: int) -> dict[str, NDArray[np.int64]]:
    """Return the values of the variables of `noise_keys`; repeat 0 of example 0 pads them.

    Parameters
    ----------
    key
        The seed, and the examples that a run presents, with their repeats.
    presentations
        The number of presentations in a run.
    """
    example, offset = np.zeros((2, presentations), dtype=np.int64)
    example[: len(key.examples)] = key.examples
    if key.repeats is not None:
        offset[: len(key.repeats)] = REPEAT * key.repeats
    return {"seed": signed([key.seed]), "example": example, "offset": offset}


def add_clock_variables(group: NeuronGroup, keys: NeuronGroup | None) -> None:
    """Add a group's presentation and step to its variables; with `keys`, its key too."""
    for name in (STEP, PRESENTATION):
        group.variables.add_array(name, size=1, dtype=np.int64, scalar=True)
    if keys is not None:
        group.variables.add_array(_EXAMPLE_INDEX, size=1, dtype=np.int32, scalar=True)
        group.variables.add_reference(SEED, keys, "seed")
        for name, variable in ((EXAMPLE, "example"), (OFFSET, "offset")):
            group.variables.add_reference(name, keys, variable, index=_EXAMPLE_INDEX)


def add_clock(
    group: NeuronGroup, timing: Timing, depth: int, keys: NeuronGroup | None, *, code: str = ""
) -> None:
    """Let a group set the variables of `add_clock_variables` at the beginning of each step.

    Parameters
    ----------
    group
        The group.
    timing
        The times of presentations in the run.
    depth
        The layer's depth in the network; the input's is 0.
    keys
        From `noise_keys`, where the group draws random numbers.
    code
        Code that runs once the step is known.
    """
    period = timing.period
    lead_in = timing.schedule.lead_in if depth else 0
    # The dividend is never negative: targets differ in the sign of a remainder.
    late, offset = -(-timing.start(depth) // period), -timing.start(depth) % period
    lines = [
        f"{PRESENTATION} = (t_in_timesteps + {offset})//{period} - {late}",
        f"{STEP} = (t_in_timesteps + {offset}) % {period} - {lead_in}",
        *([code] if code else []),
        *([] if keys is None else [f"{_EXAMPLE_INDEX} = clip({PRESENTATION}, 0, {keys.N - 1})"]),
    ]
    group.run_regularly(
        "\n".join(lines), when="before_start", order=-30, name=f"{group.name}__clock"
    )
