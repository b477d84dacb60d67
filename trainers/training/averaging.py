"""Exponential moving average of the weights over the updates of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Average:
    """The moving average of the weights, without a bias towards their initial values.

    After n updates it is the mean of the weights after each, the one after update k weighted in
    proportion to ``decay^(n - k)``: Polyak averaging with the bias correction of Adam (Kingma, Ba
    2015, arXiv:1412.6980). Neuron parameters are averaged in the form in which they are trained.
    `values` are the averages, by name.
    """

    def __init__(self, weights: Mapping[str, Tensor], decay: float) -> None:
        self._weights = weights
        self._decay = decay
        self.values = {name: weight.detach().clone() for name, weight in weights.items()}

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Include the current weights, after this number of updates of the run."""
        share = (1 - self._decay) / (1 - self._decay**updates)
        for name, weight in self._weights.items():
            self.values[name].lerp_(weight, share)


@contextmanager
def in_place_of(weights: Collection[Tensor], values: Collection[Tensor]) -> Iterator[None]:
    """Put other values for weights inside the block."""
    before = [weight.detach().clone() for weight in weights]
    try:  # an interrupt between two weights leaves neither changed
        with torch.no_grad():
            for weight, value in zip(weights, values, strict=True):
                weight.copy_(value)
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
