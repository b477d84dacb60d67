"""Tasks: the outputs of a network, their targets, and the losses and scores that compare the two.

A task describes; losses and scores are computed in `bioae.trainers` and `bioae.analysis`, by the
names that a task gives.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bioae.errors import DataError
from bioae.fields import Size, Steps, Table
from bioae.networks.schedule import points_in

if TYPE_CHECKING:
    from bioae.datasets import Data

Shape = tuple[int, ...]

#: The losses, see `bioae.trainers.training.losses`.
LossName = Literal[
    "sum_squared_error", "mean_squared_error", "mean_absolute_error", "cross_entropy",
    "multi_margin",
]  # fmt: skip

#: The scores, see `bioae.trainers.training.losses.scores`.
ScoreName = Literal[
    "sum_squared_error", "mean_squared_error", "mean_absolute_error", "r2", "accuracy",
    "cross_entropy",
]  # fmt: skip

#: Whether a smaller or a larger score is better.
Direction = Literal["lower", "higher"]

#: Fields of examples that may be the target.
TargetField = Literal["images", "labels", "targets"]


class _Task(Table):
    kind: str

    #: The field of the examples that is the target of the outputs; None if there is none.
    target: ClassVar[TargetField | None]

    #: The names of the losses in `bioae.trainers.training.losses`, the default first; none where a
    #: network cannot be trained by gradients.
    losses: ClassVar[tuple[LossName, ...]]

    #: The names of the scores, each with the direction that is better; the first one is that by
    #: which networks are compared.
    scores: ClassVar[Mapping[ScoreName, Direction]]

    #: Whether there is an output for each step.
    in_time: ClassVar[bool] = False

    @abstractmethod
    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return the shape of the output for one example."""

    def check_size(self, outputs: int, input_shape: Shape) -> None:
        """Check that the last layer, decoded, gives the outputs of a step that the task needs."""
        needed = math.prod(self.output_shape(input_shape, 1))
        if outputs != needed:
            raise ValueError(
                f"the last layer gives {outputs} outputs: the task {self.kind!r} needs {needed}"
            )

    def points(self, steps: int) -> int:
        """Return the number of targets in time, one per step unless the task says otherwise."""
        return steps

    def default_scale(self, mean_drive: float) -> float:
        """Return the divisor of the output where the decoder has no `scale`."""
        return 1.0

    def known_target(self, data: Data, steps: int) -> NDArray[Any] | None:
        """Return the targets of examples, or None where they are not known.

        They are as the output (example, *output_shape), or classes (example,).
        """
        values = data.as_float() if self.target == "images" else getattr(data, str(self.target))
        if values is not None and len(values):
            self._check_target(values, steps)
        return values

    def target_of(self, data: Data, steps: int) -> NDArray[Any]:
        """Return the targets of examples, as `known_target` does."""
        values = self.known_target(data, steps)
        if values is None:
            raise DataError(
                f"the {self.target} of the examples are not known", where="data",
                expected=f"{self.target}, for the task {self.kind!r}",
                hint="docs/data.md says how a file holds them",
            )  # fmt: skip
        return values

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the task with the same targets in parts of each step."""
        return self

    def check_target_shape(self, shape: Shape, steps: int) -> None:
        """Check the shape of the targets of an example, where these are the task's."""

    def _check_target(self, values: NDArray[Any], steps: int) -> None:
        """Raise a `DataError` if targets (example, ...) do not fit the task."""


class Reconstruction(_Task):
    """Reconstruction of the image."""

    kind: Literal["reconstruction"] = "reconstruction"

    target: ClassVar[TargetField] = "images"
    losses: ClassVar[tuple[LossName, ...]] = (
        "sum_squared_error", "mean_squared_error", "mean_absolute_error",
    )  # fmt: skip
    scores: ClassVar[Mapping[ScoreName, Direction]] = {"sum_squared_error": "lower"}

    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return the shape of the image."""
        return input_shape

    def default_scale(self, mean_drive: float) -> float:
        """Return the drive of a pixel of 1, so that a network that passes it on gives 1."""
        return mean_drive


class Classification(_Task):
    """Class of an example: the largest output wins, the first in a tie."""

    kind: Literal["classification"] = "classification"
    classes: Size = Field(description="the number of classes, which are labelled from 0")

    target: ClassVar[TargetField] = "labels"
    losses: ClassVar[tuple[LossName, ...]] = (
        "cross_entropy", "multi_margin", "sum_squared_error", "mean_squared_error",
    )  # fmt: skip
    scores: ClassVar[Mapping[ScoreName, Direction]] = {
        "accuracy": "higher",
        "cross_entropy": "lower",
    }

    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return (class,)."""
        return (self.classes,)

    def _check_target(self, values: NDArray[Any], steps: int) -> None:
        if not 0 <= values.min() <= values.max() < self.classes:
            raise DataError(
                "a label is not that of a class", where="labels",
                expected=f"0 to {self.classes - 1}, for {self.classes} classes",
                found=f"{values.min()} to {values.max()}",
            )  # fmt: skip


class _Valued(_Task):
    outputs: Size = Field(description="the number of outputs")

    target: ClassVar[TargetField] = "targets"
    losses: ClassVar[tuple[LossName, ...]] = (
        "mean_squared_error", "sum_squared_error", "mean_absolute_error",
    )  # fmt: skip
    scores: ClassVar[Mapping[ScoreName, Direction]] = {
        "mean_squared_error": "lower",
        "mean_absolute_error": "lower",
        "r2": "higher",
    }

    def check_target_shape(self, shape: Shape, steps: int) -> None:
        """Check that there is a number for each output, and each target in time."""
        needed = self.output_shape((), self.points(steps))
        if shape != needed:
            raise DataError(
                f"the targets do not fit the task {self.kind!r}", where="targets",
                expected=f"the shape {needed} for each example", found=str(shape),
                hint="Give targets of this shape, or leave them out of a simulation",
            )  # fmt: skip

    def _check_target(self, values: NDArray[Any], steps: int) -> None:
        self.check_target_shape(values.shape[1:], steps)


class Regression(_Valued):
    """Regression: a vector of numbers per example."""

    kind: Literal["regression"] = "regression"

    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return (output,)."""
        return (self.outputs,)


class Sequence(_Valued):
    """Regression over time: a vector of numbers per step."""

    kind: Literal["sequence"] = "sequence"
    every: Steps = Field(1, description="steps from one target to the next")

    newer: ClassVar[frozenset[str]] = frozenset({"every"})
    in_time: ClassVar[bool] = True

    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return (time, output)."""
        return (steps, self.outputs)

    def points(self, steps: int) -> int:
        """Return the number of targets in time, each of `every` steps."""
        return points_in(steps, self.every, "task")

    def known_target(self, data: Data, steps: int) -> NDArray[Any] | None:
        """Return the targets of each step, each target `every` times."""
        values = super().known_target(data, steps)
        if values is None or self.every == 1:
            return values
        return np.repeat(values, self.every, axis=1)

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the task with more steps per target."""
        return self.model_copy(update={"every": int(self.every * parts)})


class Representation(_Task):
    """Representation without a target, as in unsupervised learning."""

    kind: Literal["representation"] = "representation"
    outputs: Size = Field(description="the number of outputs: that of the last layer's neurons")

    target: ClassVar[None] = None
    losses: ClassVar[tuple[LossName, ...]] = ()
    scores: ClassVar[Mapping[ScoreName, Direction]] = {}

    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return (output,)."""
        return (self.outputs,)

    def known_target(self, data: Data, steps: int) -> None:
        """Return None."""


class Rates(_Task):
    """Mean rates of populations in Hz, a task of training in place of the network's."""

    kind: Literal["rates"] = "rates"
    rates: dict[str, float] = Field(description="the mean rate of each population")

    target: ClassVar[None] = None
    losses: ClassVar[tuple[LossName, ...]] = (
        "mean_squared_error", "sum_squared_error", "mean_absolute_error",
    )  # fmt: skip
    scores: ClassVar[Mapping[ScoreName, Direction]] = {
        "mean_absolute_error": "lower",
        "mean_squared_error": "lower",
    }

    def output_shape(self, input_shape: Shape, steps: int) -> Shape:
        """Return (population,)."""
        return (len(self.rates),)

    def known_target(self, data: Data, steps: int) -> NDArray[Any]:
        """Return the rates (example, population)."""
        return np.tile(list(self.rates.values()), (len(data), 1))


Task = Annotated[
    Reconstruction | Classification | Regression | Sequence | Representation,
    Field(discriminator="kind"),
]
