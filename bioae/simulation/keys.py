"""What noise depends on in a run: the seed, and the number of the example in each presentation."""

from __future__ import annotations

import numpy as np
from brian2 import Clock, NeuronGroup
from numpy.typing import NDArray

from bioae.noise.brian import signed
from bioae.simulation.presentations import Presentations

__all__ = ["key_arrays", "noise_keys"]


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
