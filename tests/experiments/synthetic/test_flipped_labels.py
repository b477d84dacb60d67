"""Flipped labels: their number, their classes, and the seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bioae.datasets import Data
from experiments.synthetic import flip_labels


def images(count: int, classes: int) -> Data:
    labels = np.arange(count) % classes
    return Data.of_images(np.zeros((count, 1, 2, 2)), labels=labels, name="noise")


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 200),
    classes=st.integers(2, 12),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
    kind=st.sampled_from(["symmetric", "pair"]),
)
def test_exactly_a_fraction_is_flipped_to_another_class(
    count: int, classes: int, fraction: float, seed: int, kind: str
) -> None:
    data = images(count, classes)
    flipped = flip_labels(data, fraction, classes=classes, seed=seed, kind=kind)
    before, after = data.labels, flipped.labels
    assert before is not None
    assert after is not None
    assert after.dtype == np.int64
    assert (after != before).sum() == round(fraction * count)
    assert after.min() >= 0
    assert after.max() < classes
    assert (before == np.arange(count) % classes).all()  # unchanged
    assert flipped.values is data.values
    if kind == "pair":
        wrong = after != before
        assert (after[wrong] == (before[wrong] + 1) % classes).all()
    more = flip_labels(data, min(1.0, fraction + 0.3), classes=classes, seed=seed, kind=kind)
    assert (more.labels == after)[after != before].all()


def test_signals_and_events_keep_their_kind() -> None:
    signals = Data.of_signals(np.zeros((4, 3, 2)), labels=[0, 1, 0, 1])
    events = Data.of_events(
        example=[0, 3], time=[1.0, 2.0], channel=[0, 1], channels=2, labels=[0, 1, 0, 1]
    )
    for data in (signals, events):
        flipped = flip_labels(data, 1.0, classes=2, seed=0)
        assert type(flipped) is type(data)
        assert flipped.labels.tolist() == [1, 0, 1, 0]
