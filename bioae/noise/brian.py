"""Brian2 functions that return the random numbers, for numpy, cython, C++ and CUDA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from brian2 import Function
from numpy.typing import NDArray

from bioae.brian2_functions import brian2_function, for_cuda
from bioae.noise import transforms
from bioae.noise.streams import Distribution, Key, draw

#: The functions' names in Brian2 code, by distribution.
FUNCTIONS: Mapping[Distribution, str] = {"uniform": "bioae_uniform", "normal": "bioae_normal"}

#: A header of CUDA projects: in their sources, brian2cuda would shorten literals to float.
CUDA_HEADER = "bioae_noise.h"

_ARGUMENTS = ("neuron", "step", "call", "population", "seed", "example")
_TEMPLATE = Path(__file__).with_name("templates") / "noise.h"


@cache
def brian2_functions() -> Mapping[str, Function]:
    """Return the functions ``bioae_uniform`` and ``bioae_normal``, for a group's namespace.

    Both take integers, ``(neuron, step, call, population, seed, example)``; seed and example
    are signed integers of the same 64 bits (`signed`). Neither has a state: equal arguments
    give equal numbers.
    """
    return {name: _function(name, distribution) for distribution, name in FUNCTIONS.items()}


def signed(numbers: Any) -> NDArray[np.int64]:
    """Return unsigned 64-bit integers as the signed ones of the same bits, for Brian2."""
    return np.asarray(numbers, dtype=np.uint64).view(np.int64)


@cache
def cpp_source() -> str:
    """Return the C++ source with its tables."""
    tables = {
        name: ", ".join(map(repr, values)) for name, values in transforms.COEFFICIENTS.items()
    }
    constants = {
        "SQRT_HALF": repr(transforms.SQRT_HALF),
        "LN2_HIGH": repr(transforms.LN2_HIGH),
        "LN2_LOW": repr(transforms.LN2_LOW),
    }
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(tables | constants)


@cache
def cuda_source() -> str:
    """Return the same source for CUDA, where both the host and the GPU run it."""
    source = for_cuda(cpp_source())
    # Each thread of a GPU draws for one neuron, and need not keep the block.
    source = source.replace("static thread_local uint64_t place[6]", "uint64_t place[6] = {0}")
    return source.replace("static const double", "const double")  # of the GPU itself


def _function(name: str, distribution: Distribution) -> Function:
    arguments = [("int64_t", argument) for argument in _ARGUMENTS]
    numbers = _in_numpy(distribution)
    return brian2_function(name, arguments, numbers, cpp_source(), CUDA_HEADER, arg_type="integer")


def _in_numpy(distribution: Distribution) -> Callable[..., NDArray[np.float64]]:
    def draw_numbers(neuron: Any, *place: Any) -> NDArray[np.float64]:
        """Return the numbers of neurons (neuron); the other arguments may differ by neuron, too."""
        parts = [np.asarray(part, np.int64) for part in place]
        neuron = np.asarray(neuron)
        if not neuron.size:  # in a reset of no neurons
            return np.zeros(neuron.shape)
        if all(part.size == 1 for part in parts):
            return _drawn(distribution, neuron, [part.item() for part in parts])
        neuron, *parts = np.broadcast_arrays(neuron, *parts)
        places, index = np.unique(np.reshape(parts, (len(parts), -1)), axis=1, return_inverse=True)
        numbers = np.empty(neuron.size)
        for number, each in enumerate(places.T.tolist()):
            same = index.ravel() == number
            numbers[same] = _drawn(distribution, neuron.ravel()[same], each)
        return numbers.reshape(neuron.shape)

    return draw_numbers


def _drawn(
    distribution: Distribution, neuron: NDArray[Any], place: list[int]
) -> NDArray[np.float64]:
    step, call, population, seed, example = place
    first, last = int(neuron.min()), int(neuron.max())
    drawn = draw(
        distribution, Key(seed, [example]), step=step, call=call,
        population=population, count=last - first + 1, first=first,
    )  # fmt: skip
    numbers: NDArray[np.float64] = drawn[0, neuron - first]
    return numbers
