"""Compiled random numbers: the same bits as those of `bioae.noise.draw`, in a tenth of the time."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from bioae.equations.program import Draw
from bioae.noise import Key
from bioae.noise.brian import cpp_source, signed
from bioae.random import REPEAT
from bioae.trainers.mirror.compiled.build import REALS, compile_cpp, template

#: Functions of a random word, by distribution.
_OF_WORD = {"uniform": "bioae_unit", "normal": "bioae_gauss"}


def draw_steps(
    site: Draw, key: Key, steps: Sequence[int], like: Tensor, *, population: int, count: int
) -> Tensor:
    """Return the numbers of some steps (step and example, neuron), or raise `Unsupported`."""
    macros = f"#define REAL {REALS[like.dtype]}\n#define FUNCTION {_OF_WORD[site.distribution]}\n"
    library = compile_cpp(macros + cpp_source() + template(__package__, "draw.cpp"))
    width = len(key.examples)
    repeats = np.zeros(width) if key.repeats is None else key.repeats
    numbers = like.new_empty((len(steps) * width, count))
    arrays = (
        np.array(steps, np.int64),
        signed(key.examples),
        population + REPEAT * repeats.astype(np.int64),
        np.array([len(numbers), width, count, site.call, *signed([key.seed])], np.int64),
    )
    library.draw(
        *(ctypes.c_void_p(p) for p in (numbers.data_ptr(), *(a.ctypes.data for a in arrays)))
    )
    return numbers
