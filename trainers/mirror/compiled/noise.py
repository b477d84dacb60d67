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
from bioae.trainers.mirror.compiled.build import REALS, compile_cpp

#: Functions of a random word, by distribution.
_OF_WORD = {"uniform": "bioae_unit", "normal": "bioae_gauss"}

_LOOP = """
extern "C" void draw(REAL *numbers, const int64_t *steps, const int64_t *examples,
                     const int64_t *populations, const int64_t *sizes)
{
    const int64_t rows = sizes[0], width = sizes[1], count = sizes[2];
    #pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t example = row % width;
        uint64_t words[4], place[6] = {0, uint64_t(steps[row / width]), uint64_t(sizes[3])};
        place[3] = populations[example], place[4] = sizes[4], place[5] = examples[example];
        for (int64_t neuron = 0; neuron < count; neuron++) {
            if (neuron % 4 == 0)
                place[0]++, bioae_philox(place, words);
            numbers[row * count + neuron] = FUNCTION(words[neuron % 4]);
        }
    }
}
"""


def draw_steps(
    site: Draw, key: Key, steps: Sequence[int], like: Tensor, *, population: int, count: int
) -> Tensor:
    """Return the numbers of some steps (step and example, neuron), or raise `Unsupported`."""
    macros = f"#define REAL {REALS[like.dtype]}\n#define FUNCTION {_OF_WORD[site.distribution]}\n"
    library = compile_cpp(macros + cpp_source() + _LOOP)
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
