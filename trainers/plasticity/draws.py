"""The random numbers that a learning rule draws: those of Brian2, as tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bioae.equations.synapses.program import Rule
from bioae.noise import Key, draw

__all__ = ["Draws"]


class Draws:
    """The random numbers of synapses.

    Parameters
    ----------
    rule
        The lowered synapse model.
    shape
        The number of sources, and of targets.
    number
        The number of the synapses, see `bioae.noise.pathway_number`.
    dtype
        The type of the numbers.

    Attributes
    ----------
    key
        The seed and the examples of the presentation.
    """

    def __init__(self, rule: Rule, shape: tuple[int, int], number: int, dtype: torch.dtype) -> None:
        self._shape, self._number, self._dtype = shape, number, dtype
        self._drawn = {
            key: {name: each for name, each in rule.draws.items() if name in block.reads}
            for key, block in rule.blocks.items()
        }
        self.key: Key | None = None

    def __call__(self, key: str, step: int, example: int) -> dict[str, Tensor]:
        """Return the numbers that a block draws in a step, by name (source, target).

        Parameters
        ----------
        key
            The name of the block.
        step
            The step of the target's window.
        example
            The place of the example in the presentation.
        """
        drawn = self._drawn[key]
        if not drawn or self.key is None:
            return {}
        seed, examples, repeats = self.key
        at = slice(example, example + 1)
        numbers = {
            name: draw(
                each.distribution,
                seed=seed,
                examples=examples[at],
                repeats=None if repeats is None else repeats[at],
                step=step,
                call=each.call,
                population=self._number,
                count=math.prod(self._shape),
            )
            for name, each in drawn.items()
        }
        return {
            name: torch.from_numpy(each).to(self._dtype).view(self._shape)
            for name, each in numbers.items()
        }
