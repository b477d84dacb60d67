"""Trained delays: between two steps while they are trained, in whole steps otherwise.

A spike with a delay of d + f steps, 0 <= f < 1, arrives with 1 - f of its weight after d steps and
with f after d + 1: linear interpolation of the input between steps. The derivative with respect to
the delay is the input by a delay of d + 1 less that by a delay of d.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class TrainedDelays(nn.Module):
    """The delays of a projection, one or one for each weight, as they are trained.

    `start`: the initial delays in steps, a scalar or in the shape of the weights; `bounds`: the
    smallest and the largest delay in steps; `present`: a mask of the weights that are connections,
    in their shape; None: all of them.
    """

    _present: Tensor | None

    def __init__(
        self,
        start: NDArray[np.int64],
        bounds: tuple[int, int],
        present: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.low, self.high = bounds
        self.steps = nn.Parameter(torch.tensor(start, dtype=dtype))
        self.register_buffer("_present", present, persistent=False)

    def shares(self) -> list[tuple[int, Tensor]]:
        """Return the share of each weight that arrives after each number of steps.

        Steps after which nothing arrives are left out, unless a gradient is to reach the delays.
        """
        first, late = self._split()
        zero = late.new_zeros(()) if self._present is None else late.new_zeros(self._present.shape)
        used, shares = set(first.int().flatten().tolist()), []
        for delay in sorted(used | {each + 1 for each in used}):
            share = torch.where(first == delay, 1 - late, zero)
            share = torch.where(first == delay - 1, late, share)
            if self._present is not None:
                share = torch.where(self._present, share, zero)
            if share.requires_grad or share.any():
                shares.append((delay, share))
        return shares

    @property
    def uniform(self) -> bool:
        """Return whether all weights have one delay."""
        return self.steps.ndim == 0 and self._present is None

    @property
    def first(self) -> int:
        """The step in which the first part of a spike arrives, if all weights have one delay."""
        return int(self._split()[0])

    def interpolated(self, sums: Tensor, steps: int) -> Tensor:
        """Return the input from the step `first` on, if all weights have one delay.

        It is that of the sums of weights sent in each step (step, ...), and has at most one step
        more than they.
        """
        none = sums.new_zeros(1, *sums.shape[1:])
        more = steps > len(sums)
        now = torch.cat([sums, none]) if more else sums
        before = torch.cat([none, sums if more else sums[:-1]])
        return torch.lerp(now, before, self._split()[1])

    def _split(self) -> tuple[Tensor, Tensor]:
        """Return the whole steps before a spike arrives, and the share that arrives a step later.

        The largest delay counts as 1 after the step before, so that none is beyond the bounds.
        """
        first = self.steps.detach().floor().clamp(max=self.high - 1)
        return first, self.steps - first

    def rounded(self) -> NDArray[np.int64]:
        """Return the delays in whole steps, in which networks run and are stored."""
        return self.steps.detach().cpu().round().to(torch.int64).numpy()

    @torch.no_grad()
    def clamp_(self) -> None:
        """Project the delays into their bounds."""
        self.steps.clamp_(self.low, self.high)
