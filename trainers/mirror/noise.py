"""The random numbers of a population: those of Brian2, as tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from bioae.equations.program import Program
from bioae.errors import InputError
from bioae.noise import Key, draw

__all__ = ["Noise"]


class Noise:
    """The random numbers that a program's statements name. They carry no gradient.

    Parameters
    ----------
    program
        The lowered neuron model.
    shape
        The population's shape.
    number
        The population's number, see `bioae.noise.population_number`.
    """

    def __init__(self, program: Program, shape: tuple[int, ...], number: int) -> None:
        self._draws = program.draws
        self._shape = shape
        self._number = number

    def __call__(self, key: Key | None, steps: Iterable[int], like: Tensor) -> dict[str, Tensor]:
        """Draw the numbers of some steps.

        Parameters
        ----------
        key
            The seed and the examples; it may be None where the program draws nothing.
        steps
            The steps.
        like
            A tensor of the device and type to use.

        Returns
        -------
        dict
            By name, (step and example, *shape).

        Raises
        ------
        InputError
            If the program draws random numbers and there is no key.
        """
        if not self._draws:
            return {}
        if key is None:
            raise InputError(
                "the neuron model is noisy, and its noise has no key",
                expected="the seed and the numbers of the examples",
                hint="Call the mirror with key=Key(seed, examples), of bioae.noise",
            )
        numbers = {
            name: np.concatenate(
                [
                    draw(
                        site.distribution,
                        key,
                        step=step,
                        call=site.call,
                        population=self._number,
                        count=1 if site.shared else math.prod(self._shape),
                    )
                    for step in steps
                ]
            )
            for name, site in self._draws.items()
        }
        tensors = {name: torch.from_numpy(array).to(like) for name, array in numbers.items()}
        count = math.prod(self._shape)
        return {
            name: tensor.expand(-1, count).reshape(-1, *self._shape)
            for name, tensor in tensors.items()
        }
