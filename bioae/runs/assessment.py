"""Assessment of a network in training: its score, a trivial one, and the firing of its layers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioae.datasets import Data
from bioae.networks.config import NetworkConfig
from bioae.networks.tasks import Rates, Task
from bioae.progress import above

#: A layer is silent or saturated if more than this fraction of its neurons are.
_MANY = 0.5

#: Spikes per neuron and step of a layer in which everything fires.
_ALL = 0.95

#: Examples whose targets are read at once.
_BLOCK = 1000

_LOGGER = logging.getLogger("bioae")


class Baseline(NamedTuple):
    """The best prediction that ignores the input, and its score.

    Attributes
    ----------
    predictor
        ``"mean training image"`` or ``"mean training target"``; or ``"chance"``, the same class for
        all examples.
    value
        The first score of the task, on the examples for validation or of the test split.
    """

    predictor: str
    value: float

    def __str__(self) -> str:
        return f"{self.predictor} {self.value:.4g}"

    def beaten_by(self, score: float) -> bool:
        """Return whether a score is better, by a twentieth of the way to a perfect one at least."""
        perfect = 1.0 if self.predictor == "chance" else 0.0
        return abs(perfect - score) <= 0.95 * abs(perfect - self.value)


@dataclass(frozen=True)
class Assessment:
    """Score and firing of a network at the start or at the end of training.

    Attributes
    ----------
    baseline
        The score to beat, on the same examples; None if the network has no targets.
    score
        The score of the network; None at the start.
    layers
        The firing of the layers that the output depends on, by name, as in the metrics:
        ``dead_fraction``, ``bursting_fraction``, ``rate_per_step_mean`` and others.
    constant
        Whether the outputs are the same for all examples, though the targets differ.
    reached
        Whether a gradient reaches the weights of the first layer in which no neuron fired, or of
        the first one.
    former, kept
        The validation scores of the trained network with which training began, and of the stored
        one; None if weights were drawn.
    suggestion
        The key to change, with its value.
    """

    baseline: Baseline | None
    score: float | None = None
    layers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    constant: bool = False
    reached: bool = False
    former: float | None = None
    kept: float | None = None
    suggestion: str | None = None

    @property
    def dead(self) -> list[str]:
        """The layers in which no neuron fired."""
        return [name for name, each in self.layers.items() if each.get("dead_fraction") == 1]

    @property
    def silent(self) -> dict[str, float]:
        """The fraction of neurons that never fired, of layers where it is above a half."""
        return self._many("dead_fraction")

    @property
    def saturated(self) -> dict[str, float]:
        """The fraction of bursting neurons, likewise: they fire in more than half of the steps."""
        return self._many("bursting_fraction")

    @property
    def faulty(self) -> str | None:
        """The first layer that is silent or saturated, if there is one."""
        return next((n for n in self.layers if n in self.silent or n in self.saturated), None)

    @property
    def obstacle(self) -> str | None:
        """The reason for which a network may not learn, or has not, if there is one."""
        baseline, score = self.baseline, self.score
        if self.worsened:
            return f"validation: {self.kept:.4g} after training, {self.former:.4g} before"
        if self.dead and not self.reached:
            return f"no neuron of {self.dead[0]} fired for any example"
        if baseline is not None and score is not None and baseline.beaten_by(score):
            return None
        for name, figures in self.layers.items():
            rate = figures.get("rate_per_step_mean", 0.0)
            if rate > _ALL:
                return f"the neurons of {name} fired in {rate:.0%} of all steps"
        if self.constant and not self.reached:
            return "the outputs are the same for all examples"
        if baseline is None or score is None:
            return None
        return f"the score of {score:.4g} is no better than {baseline}"

    @property
    def worsened(self) -> bool:
        """True if training made a trained network worse, by a hundredth of its score or more."""
        if self.former is None or self.kept is None or self.baseline is None:
            return False
        sign = 1 if self.baseline.predictor == "chance" else -1
        return sign * (self.former - self.kept) > 0.01 * abs(self.former)

    def log(self) -> None:
        """Log the score to beat, layers that are silent or saturated, and an obstacle to learning.

        An obstacle is a warning, of one line with the suggestion.
        """
        with above():
            if self.baseline is not None and self.score is None:
                _LOGGER.info("baseline on the validation split: %s", self.baseline)
            for text, layers in (("silent", self.silent), ("saturated", self.saturated)):
                if layers:
                    each = ", ".join(f"{n} ({part:.0%} of neurons)" for n, part in layers.items())
                    _LOGGER.info("%s: %s", text, each)
            if self.obstacle is not None:
                warn(self.obstacle, self.suggestion)
            elif self.suggestion is not None:
                _LOGGER.info("suggestion: %s", self.suggestion)

    def _many(self, measure: str) -> dict[str, float]:
        fractions = {name: figures.get(measure, 0.0) for name, figures in self.layers.items()}
        return {name: fraction for name, fraction in fractions.items() if fraction > _MANY}


def warn(obstacle: str, suggestion: str | None) -> None:
    """Log an obstacle to learning, with a suggestion."""
    advice = f"; suggestion: {suggestion}" if suggestion else ""
    with above():
        _LOGGER.warning("bioae: %s%s", obstacle, advice)


def read_layers(network: NetworkConfig, layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of layers whose spikes are read: not of a last one whose potential is."""
    unread = {network.placed[-1].name} if network.decoder.reads_potential else set()
    return {name: each for name, each in layers.items() if name not in unread}


def chance(train: Data, held: Data) -> Baseline:
    """Return the best accuracy on held-out examples of any one class of the training."""
    assert train.labels is not None
    labels = np.asarray(held.labels)
    shares = [float((labels == each).mean()) for each in np.unique(train.labels)]
    return Baseline("chance", max(shares))


def baseline(task: Task | Rates, train: Data, held: Data, steps: int) -> Baseline | None:
    """Return the score of a task to beat on held-out examples; None where it has no target.

    It is that of the mean target of the training examples, or of the best one of their classes.
    """
    if task.target is None:
        return None
    if task.target == "labels":
        return chance(train, held)
    mean = sum(each.sum(0, dtype=np.float64) for each in _targets(task, train, steps)) / len(train)
    error = sum(float(np.square(each - mean).sum()) for each in _targets(task, held, steps))
    if task.target == "images":
        return Baseline("mean training image", error / len(held))
    return Baseline("mean training target", error / len(held) / np.size(mean))


def _targets(task: Task | Rates, data: Data, steps: int) -> Iterator[NDArray[Any]]:
    for start in range(0, len(data), _BLOCK):
        yield task.target_of(data[start : start + _BLOCK], steps)
