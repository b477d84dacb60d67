"""How gradients flow back through a presentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from bioae.errors import NetworkError
from bioae.trainers.mirror.derivatives import Membrane, SpikeDerivative

__all__ = ["Backward"]


@dataclass(frozen=True)
class Backward:
    """How gradients flow back through a presentation; nothing of it changes what runs forward.

    Attributes
    ----------
    derivative
        What the derivative of a spike is taken to be.
    detach_reset
        Whether no gradient passes through the reset to the spike that caused it; None: as the
        derivative's rule has it.
    detach_refractory
        Whether no gradient passes through what a refractory neuron may not do to the spike that
        made it so. If it does, the neuron's activity, 1 or 0 while it is refractory, is carried as
        a number ``a``: a spike ``s`` turns it into ``a (1 - s)``, the end of refractoriness into 1;
        a guarded write is ``a new + (1 - a) old``, and a spike counts ``a`` times.
    truncate
        Truncated back-propagation through time: the states, and spikes that are still on their way
        within the population, are detached every so many steps, counted from the first in which the
        layer runs (the lead-in, where the schedule has one). What arrives from the layer before in
        a step passes its gradient on to that layer. None: the gradient goes back to the first step.
    recompute
        Gradient checkpointing: the steps are cut into segments of this length, of which nothing but
        what enters and leaves them is kept; the rest is computed anew in the backward pass, with
        the same bits. About the square root of the number of steps needs the least memory. None:
        everything is kept.

    Raises
    ------
    NetworkError
        If a number of steps is not positive.

    Notes
    -----
    Truncated back-propagation: Williams, Peng 1990, Neural Computation 2:490. Checkpointing: Chen
    et al. 2016, arXiv:1604.06174. Detached resets: Zenke, Vogels 2021, Neural Computation 33:899.
    """

    derivative: SpikeDerivative = field(default_factory=Membrane)
    detach_reset: bool | None = None
    detach_refractory: bool = True
    truncate: int | None = None
    recompute: int | None = None

    def __post_init__(self) -> None:
        for name in ("truncate", "recompute"):
            steps = getattr(self, name)
            if steps is not None and steps < 1:
                raise NetworkError(
                    f"{name} is no number of steps", expected="1 or more", found=str(steps)
                )

    @property
    def reset_detached(self) -> bool:
        """Whether the reset is detached, as asked for or as the rule has it."""
        return self.derivative.detach_reset if self.detach_reset is None else self.detach_reset

    def cuts(self, steps: int) -> list[range]:
        """Return segments of a presentation of so many steps, cut at both kinds of boundary."""
        bounds = {0, steps}
        for length in (self.truncate, self.recompute):
            if length is not None:
                bounds |= set(range(0, steps, length))
        ordered = sorted(bounds)
        return [range(*pair) for pair in pairwise(ordered)]

    def truncated_at(self, step: int) -> bool:
        """Whether the states are detached before this step, counted from 0."""
        return self.truncate is not None and step > 0 and step % self.truncate == 0
