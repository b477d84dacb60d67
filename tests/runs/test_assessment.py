"""Assessment of a run: the trivial score, silent and saturated layers, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bioae.datasets import Data
from bioae.networks.tasks import Classification, Reconstruction, Regression, Representation
from bioae.runs import Assessment
from bioae.runs.assessment import Baseline, baseline
from bioae.unit_text import multiple

CHANCE, MEAN = Baseline("chance", 0.5), Baseline("mean training image", 40.0)
HEALTHY = {"dead_fraction": 0.0, "bursting_fraction": 0.0, "rate_per_step_mean": 0.1}


def test_trivial_scores_are_those_of_the_mean_or_of_the_most_frequent_class() -> None:
    pixels = np.zeros((4, 2, 2), np.uint8)
    pixels[:, 0, 0] = [0, 255, 255, 0]
    targets = np.array([[0.0, 3], [2, 3], [4, 3], [2, 3]])
    train = Data.of_images(pixels, labels=[1, 1, 0, 2], targets=targets)
    held = Data.of_images(pixels, labels=[1, 0, 1, 1], targets=[[2.0, 3], [2, 5], [2, 3], [2, 3]])
    assert baseline(Classification(classes=3), train, held, 1) == ("chance", 0.75)
    others = Data.of_images(pixels, labels=[0, 2, 0, 3])
    assert baseline(Classification(classes=4), train, others, 1) == ("chance", 0.5)
    assert baseline(Reconstruction(), train, held, 1) == ("mean training image", 0.25)
    assert baseline(Regression(outputs=2), train, held, 1) == ("mean training target", 0.5)
    assert baseline(Representation(outputs=2), train, held, 1) is None


@pytest.mark.parametrize(
    ("values", "firing", "lines"),
    [
        ((MEAN,), {}, ["baseline on the validation split: mean training image 40"]),
        ((MEAN, 39.0), {}, ["bioae: the score of 39 is no better than mean training image 40"]),
        ((CHANCE, 0.52), {}, ["bioae: the score of 0.52 is no better than chance 0.5"]),
        ((CHANCE, 0.53), {}, []),
        ((None,), {"dead_fraction": 0.6}, ["silent: first (60% of neurons)", "suggestion: it"]),
        ((None,), {"dead_fraction": 1.0}, ["silent: first (100% of neurons)",
         "bioae: no neuron of first fired for any example; suggestion: it"]),
        ((MEAN, 20.0), {"dead_fraction": 1.0},
         ["silent: first (100% of neurons)",
          "bioae: no neuron of first fired for any example; suggestion: it"]),
        ((None,), {"bursting_fraction": 1.0, "rate_per_step_mean": 0.97},
         ["saturated: first (100% of neurons)",
          "bioae: the neurons of first fired in 97% of all steps; suggestion: it"]),
    ],
)  # fmt: skip
def test_lines(
    values: tuple[Any, ...], firing: Any, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="bioae"):
        layers, suggestion = {"first": {**HEALTHY, **firing}}, "it" if firing else None
        Assessment(*values, layers=layers, suggestion=suggestion).log()
    assert caplog.messages == lines


@pytest.mark.parametrize(
    ("text", "twice"),
    [("1", "2"), ("0.5*mV", "1*mV"), ("mV", "2*mV"), ("0.1/ms", "2*(0.1/ms)"), ("1e-6", "2e-06")],
)
def test_suggested_weights_are_multiples_in_their_unit(text: str, twice: str) -> None:
    assert multiple(2, text) == twice
