"""What random numbers depend on in a run: the seed, and the examples that are presented."""

from __future__ import annotations

import numpy as np
from brian2 import Clock, NeuronGroup
from numpy.typing import NDArray

from bioae.equations.model import RESERVED_PREFIX
from bioae.noise.brian import signed
from bioae.simulation.objects.presentation_clock import PRESENTATION
from bioae.simulation.presentations import Presentations

__all__ = ["EXAMPLE", "SEED", "key_arrays", "noise_keys", "refer_to_keys", "shown_code"]

#: What a group calls the seed, and the number of the example that it is shown.
SEED = f"{RESERVED_PREFIX}seed"
EXAMPLE = f"{RESERVED_PREFIX}example"
SHOWN = f"{RESERVED_PREFIX}shown"


def noise_keys(presentations: int, *, clock: Clock, name: str) -> NeuronGroup:
    """Return a group that holds ``seed`` and, for each presentation of a run, ``example``.

    They are variables, so that they change between runs of one build, and whole numbers of 64
    bits, which a `TimedArray` could not hold. Populations refer to them.
    """
    return NeuronGroup(
        presentations,
        """
        seed : integer (shared)
        example : integer
        """,
        dtype={"seed": np.int64, "example": np.int64},
        namespace={},
        clock=clock,
        name=name,
    )


def refer_to_keys(group: NeuronGroup, keys: NeuronGroup) -> None:
    """Give a group the seed and the number of its example."""
    group.variables.add_array(SHOWN, size=1, dtype=np.int32, scalar=True)
    group.variables.add_reference(SEED, keys, "seed")
    group.variables.add_reference(EXAMPLE, keys, "example", index=SHOWN)


def shown_code(keys: NeuronGroup) -> str:
    """Return the code that chooses the example, once the group's presentation is known."""
    return f"{SHOWN} = clip({PRESENTATION}, 0, {keys.N - 1})"


def key_arrays(
    shown: Presentations, presentations: int, part: slice = slice(None)
) -> dict[str, NDArray[np.int64]]:
    """Return the values of the variables of `noise_keys`; padding is example 0.

    Parameters
    ----------
    shown
        The images.
    presentations
        How many presentations a run has.
    part
        Which images it presents.
    """
    example = np.zeros(presentations, dtype=np.int64)
    numbers = shown.examples[part]
    example[: len(numbers)] = numbers
    return {"seed": signed([shown.seed]), "example": example}
