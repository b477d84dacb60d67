"""Learning-rate schedules: factors of the learning rates, as functions of the time in training.

Time is measured in epochs, fractions included: an update of an epoch of 50 batches takes 0.02. A
schedule has no state, so a resumed run needs nothing but its position.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from bioae.fields import Steps, Table
from bioae.runs.tables import short

#: A time in training, in epochs.
Epochs: TypeAlias = Annotated[float, Field(ge=0, le=1e6)]


def growth(elapsed: float, warm_up: float) -> float:
    """Return the factor of a quantity that grows linearly from 0 to 1 over `warm_up` epochs."""
    return min(1.0, elapsed / warm_up) if warm_up else 1.0


class _Schedule(Table):
    #: Whether the factors do not depend on the duration, so that a finished run can be extended.
    extensible: ClassVar[bool] = True

    warm_up: Epochs = Field(
        0.0, description="epochs over which the learning rates grow linearly from 0"
    )

    def rate_factor(self, elapsed: float, update: float, length: float) -> float:
        """Return the factor of the learning rates in an update; times are in epochs.

        `elapsed` goes from the start of the schedule to the start of the update; `update` is one
        over the number of updates in its epoch: the first one of a warm-up uses the rate of its
        end, which is not 0. `length` is that of the schedule, warm-up included.
        """
        return growth(elapsed + update, self.warm_up) * self._shape(elapsed, length)

    @abstractmethod
    def _shape(self, elapsed: float, length: float) -> float: ...


class ConstantSchedule(_Schedule):
    """The configured learning rates throughout."""

    name: Literal["constant"] = "constant"

    def _shape(self, elapsed: float, length: float) -> float:
        return 1.0


class CosineSchedule(_Schedule):
    """Cosine annealing after the warm-up, from 1 to `final`.

    Loshchilov, Hutter 2017, arXiv:1608.03983, without restarts.
    """

    extensible: ClassVar[bool] = False
    name: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1, description="the factor at the end")

    def _shape(self, elapsed: float, length: float) -> float:
        rest = length - self.warm_up
        phase = min(max((elapsed - self.warm_up) / rest, 0.0), 1.0) if rest > 0 else 0.0
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * phase)) / 2


class StepSchedule(_Schedule):
    """Step decay: a further factor every `every` epochs from the start, warm-up included."""

    name: Literal["step"] = "step"
    every: Steps = Field(description="epochs between two steps")
    factor: float = Field(0.1, gt=0, le=1, description="the factor of each step")

    def _shape(self, elapsed: float, length: float) -> float:
        return self.factor ** math.floor(elapsed / self.every)


Schedule = Annotated[
    Annotated[ConstantSchedule | CosineSchedule | StepSchedule, Field(discriminator="name")],
    short("name", str),
]
