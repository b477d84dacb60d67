"""An optimiser on the changes of a learning rule, which it takes as negative gradients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.runs.tables import OptimiserSettings
from bioae.trainers.training.optimisers import optimiser


class WeightOptimiser:
    """An optimiser of one array of weights, in the direction of a rule's changes."""

    def __init__(self, settings: OptimiserSettings) -> None:
        self._settings = settings
        self._weights = torch.nn.Parameter(torch.zeros(()), requires_grad=False)
        self._optimiser = optimiser(
            settings.optimiser, [{"params": [self._weights], "lr": settings.learning_rate,
                                  "weight_decay": settings.optimiser.weight_decay}]
        )  # fmt: skip

    def step(self, weights: Tensor, change: Tensor) -> Tensor:
        """Return the weights after one step."""
        self._weights.data = weights.clone()
        self._weights.grad = -change
        self._optimiser.step()
        return self._weights.data

    @property
    def moments(self) -> dict[str, NDArray[np.float64]]:
        """The optimiser's state: the arrays of PyTorch, by name."""
        state = self._optimiser.state.get(self._weights, {})
        return {name: np.asarray(each, np.float64).copy() for name, each in state.items()
                if each is not None}  # fmt: skip

    @property
    def expected(self) -> dict[str, int]:
        """The dimensions of the arrays of the state after a step, by name."""
        trial = WeightOptimiser(self._settings)
        trial.step(torch.zeros(1, 1), torch.zeros(1, 1))
        return {name: each.ndim for name, each in trial.moments.items()}

    def forget(self, changed: Tensor) -> None:
        """Zero the moments where the mask, booleans in the shape of the weights, is true."""
        for each in self._optimiser.state.get(self._weights, {}).values():
            if isinstance(each, Tensor) and each.shape == changed.shape:
                each[changed] = 0

    def restore(self, moments: Mapping[str, NDArray[np.float64]], like: Tensor) -> None:
        """Set the optimiser's state; numbers that are not counts have the type of the weights."""
        self._optimiser.state[self._weights] = {
            name: torch.tensor(each, dtype=like.dtype if each.ndim else torch.float32)
            for name, each in moments.items()
        }
