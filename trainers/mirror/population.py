"""Description of a population, and its random numbers: those of Brian2, as tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from bioae.equations.program import Draw, Program
from bioae.errors import InputError
from bioae.networks.schedule import SCHEDULES, Schedule
from bioae.noise import Key, draw

#: Returns the numbers of a name in some steps (step and example, neuron).
DrawSteps: TypeAlias = Callable[..., Tensor]


def _drawn(
    site: Draw, key: Key, steps: Sequence[int], like: Tensor, *, population: int, count: int
) -> Tensor:
    place: dict[str, int] = {"call": site.call, "population": population, "count": count}
    rows = [draw(site.distribution, key, step=step, **place) for step in steps]
    return torch.from_numpy(np.concatenate(rows)).to(like)


@dataclass(frozen=True)
class Population:
    """Neurons of one model, and their steps of `dt` seconds."""

    program: Program
    shape: tuple[int, ...]
    dt: float
    schedule: Schedule = SCHEDULES["brian2"]
    #: The population's number for its noise, see `bioae.noise.population_number`.
    number: int = 1
    #: The number of past steps whose spikes are stored: the longest recurrent delay.
    memory: int = 0
    #: The number of steps from the start of a presentation to its end.
    steps: int = 0
    #: The state whose value before the input of a step can be recorded, as `SAMPLED`.
    sampled: str | None = None

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    def noise(
        self, key: Key | None, steps: Sequence[int], like: Tensor, *, draw_steps: DrawSteps = _drawn
    ) -> dict[str, Tensor]:
        """Return the numbers of some steps by name (step and example, *shape).

        They have the type of `like`. `draw_steps` draws those that one name stands for. The key
        may be None where the program draws nothing; elsewhere that is an InputError.
        """
        draws, size = self.program.draws, self.size
        if not draws:
            return {}
        if key is None:
            raise InputError(
                "the neuron model is noisy, and its noise has no key",
                expected="the seed and the numbers of the examples",
                hint="Call the mirror with key=Key(seed, examples), of bioae.noise",
            )
        numbers = {
            name: draw_steps(
                site, key, steps, like, population=self.number, count=1 if site.shared else size
            )
            for name, site in draws.items()
        }
        return {
            name: tensor.expand(-1, size).reshape(-1, *self.shape)
            for name, tensor in numbers.items()
        }
