"""Assessment of a run: the trivial score, silent and saturated layers, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bioae.datasets import Data
from bioae.networks.tasks import Classification, Reconstruction, Regression, Representation
from bioae.runs import Assessment
from bioae.runs.assessment import Baseline, baseline

CHANCE, MEAN = Baseline("chance", 0.5), Baseline("mean image", 40.0)


def data(**known: Any) -> Data:
    pixels = np.zeros((4, 2, 2), np.uint8)
    pixels[:, 0, 0] = [0, 255, 255, 0]
    return Data.of_images(pixels, **known)


def test_trivial_scores_are_those_of_the_mean_or_of_the_most_frequent_class() -> None:
    train = data(labels=[1, 1, 0, 2], targets=np.array([[0.0, 3], [2, 3], [4, 3], [2, 3]]))
    held = data(labels=[1, 0, 1, 1], targets=np.array([[2.0, 3], [2, 5], [2, 3], [2, 3]]))
    for task, expected in (
        (Classification(classes=3), ("chance", 0.75)),
        (Reconstruction(), ("mean image", 0.25)),
        (Regression(outputs=2), ("mean target", 0.5)),
    ):
        assert baseline(task, train, held, 1) == Baseline(*expected)
    assert baseline(Representation(outputs=2), train, held, 1) is None


def layers(dead: float = 0.0, bursting: float = 0.0, rate: float = 0.1) -> dict[str, Any]:
    figures = {"dead_fraction": dead, "bursting_fraction": bursting, "rate_per_step_mean": rate}
    return {"first": figures}


SILENT, ALL = "silent: first (100% of neurons)", "saturated: first (100% of neurons)"


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ((MEAN, None, layers()), ["to beat: mean image 40"]),
        ((MEAN, 37.0, layers()), []),
        ((MEAN, 39.0, layers()), ["bioae: the score of 39 is no better than mean image 40"]),
        ((CHANCE, 0.52, layers()), ["bioae: the score of 0.52 is no better than chance 0.5"]),
        ((CHANCE, 0.53, layers()), []),
        ((CHANCE, None, layers(), True),
         ["to beat: chance 0.5", "bioae: the outputs are the same for all examples"]),
        ((None, None, layers(dead=0.6), False, "it"),
         ["silent: first (60% of neurons)", "suggestion: it"]),
        ((None, None, layers(dead=1.0), False, "it"),
         [SILENT, "bioae: no neuron of first fired for any example; suggestion: it"]),
        ((None, None, layers(bursting=1.0), False, "it"), [ALL, "suggestion: it"]),
        ((None, None, layers(bursting=1.0, rate=0.97)),
         [ALL, "bioae: the neurons of first fired in 97% of all steps"]),
    ],
)  # fmt: skip
def test_lines(values: tuple[Any, ...], lines: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="bioae"):
        Assessment(*values).log()
    assert caplog.messages == lines
    levels = ["WARNING" if line.startswith("bioae: ") else "INFO" for line in lines]
    assert [record.levelname for record in caplog.records] == levels
