"""Memory tasks, ordered segments and flipped labels: what is shown when, and its classes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioae.datasets import Data, load
from experiments.synthetic import (
    flip_labels,
    formant_sweeps,
    ordered_segments,
    permuted_rows,
    store_recall,
)
from experiments.synthetic.speech import VOWELS, erb_number


def parts(signals: Data) -> np.ndarray:
    """Return which of the four input neurons are active, (example, time, neuron)."""
    return signals.as_float() > 0


def first(active: np.ndarray) -> np.ndarray:
    """Return the first active point of each example."""
    assert active.any(axis=1).all()
    return active.argmax(axis=1)


@pytest.mark.parametrize(("delay", "steps"), [(200, 250), (40, 90)])
def test_cues_values_and_delay(delay: int, steps: int) -> None:
    made = store_recall(200, seed=1, delay=delay, steps=steps, rate=0.25)
    assert made.as_float().shape == (200, steps, 4)
    assert set(np.unique(made.as_float())) == {0.0, 0.25}
    active = parts(made)
    store, recall = first(active[:, :, 2]), first(active[:, :, 3])
    assert (recall - store == delay + 20).all()
    assert set(store) == set(range(11)), "every onset that leaves room"
    for cue in (2, 3):
        assert (active[:, :, cue].sum(1) == 20).all()
    each = np.arange(200)
    for point in (store, store + 19):
        assert active[each, point, made.labels].all()
        assert not active[each, point, 1 - made.labels].any()
    for example in each:
        silent = [*range(store[example]), *range(recall[example] + 20, steps)]
        assert not active[example, silent].any()
        assert not active[example, recall[example] : recall[example] + 20, :2].any()


def test_distractors_come_in_the_delay_and_say_nothing_of_the_label() -> None:
    made = store_recall(4000, seed=2)
    active = parts(made)
    store = first(active[:, :, 2])
    each = np.arange(4000)
    zeros, ones = (
        sum(active[each, store + 20 + point, value] for point in range(200)) for value in (0, 1)
    )
    # Half of ten windows of 20 points, and one value at a time.
    assert (zeros + ones).mean() == pytest.approx(100, rel=0.03)
    assert set(zeros + ones) <= set(range(0, 201, 20))
    assert abs(np.corrcoef(ones - zeros, made.labels)[0, 1]) < 0.05
    assert abs(made.labels.mean() - 0.5) < 0.03
    assert not parts(store_recall(50, seed=2, distractors=0.0))[:, 31:230, :2].any()


def test_rows_hold_the_permuted_pixels_of_their_image() -> None:
    digits = load("sample", "test", 20)
    rows, other, plain = (permuted_rows(digits, seed=seed) for seed in (0, 1, None))
    flat = digits.as_float().reshape(20, -1).astype(np.float32)
    np.testing.assert_array_equal(plain.as_float().reshape(20, -1), flat)
    for made in (rows, other):
        assert made.as_float().shape == (20, 28, 28)
        permuted = made.as_float().reshape(20, -1)
        np.testing.assert_array_equal(np.sort(permuted), np.sort(flat))
        assert (permuted != flat).any(axis=1).all()
        np.testing.assert_array_equal(made.labels, digits.labels)
        np.testing.assert_array_equal(made.indices, digits.indices)
    assert (rows.as_float() != other.as_float()).any()
    # One permutation for all images, whichever they are.
    later = permuted_rows(digits[10:], seed=0)
    np.testing.assert_array_equal(later.as_float(), rows.as_float()[10:])


def test_segments_come_in_the_order_of_the_label() -> None:
    quiet = ordered_segments(60, seed=1, steps=120, channels=10, length=8, gap=20, noise=0)
    assert quiet.values.shape == (60, 120, 10)
    active = (np.asarray(quiet.values) > 0).any(axis=2)
    assert (active.sum(axis=1) == 3 * 8).all()
    assert quiet.labels is not None
    assert set(quiet.labels) == set(range(6))
    seen: dict[int, list[Any]] = {}
    for values, shown, label in zip(quiet.as_float(), active, quiet.labels, strict=True):
        onsets = np.flatnonzero(shown & ~np.r_[False, shown[:-1]])
        assert len(onsets) == 3
        assert (np.diff(onsets) >= 28).all()
        assert onsets[-1] + 28 <= 120
        seen.setdefault(int(label), []).append(values[onsets])
    spectra = seen[0][0]
    for label, order in enumerate(permutations(range(3))):
        for shown in seen[label]:
            np.testing.assert_array_equal(shown, spectra[list(order)])


def test_sweeps_move_from_the_first_vowel_of_the_label_to_the_second() -> None:
    np.testing.assert_allclose(erb_number([0, 1000, 4000]), [0, 15.621, 27.107], atol=0.002)
    sure = formant_sweeps(
        600, seed=1, steps=70, channels=60, duration=(60, 60), rate=1.0, background=0.0
    )
    events = sure.as_float()
    centres = np.linspace(*erb_number([150, 4000]), 60)
    means = np.array([events[sure.labels == each].mean(axis=0) for each in range(12)])
    sounding = events.any(axis=2)
    assert (sounding.sum(axis=1) <= 60).all()
    assert set(sounding.argmax(axis=1)) >= {0, 5, 10}, "onsets"
    wide = 2 * np.sqrt(2 * np.pi) / (centres[1] - centres[0])  # two Gaussians apart
    assert 0.8 < events.sum() / (600 * 60 * wide) < 1
    sums = events.sum(axis=1)[sure.labels == 0]
    assert np.std(sums @ centres / sums.sum(axis=1)) > 0.4, "speakers"
    formants = erb_number(1.04 * np.array(VOWELS))  # those of the mean speaker
    for label, pair in enumerate(permutations(range(4), 2)):
        start, end = formants[list(pair)]
        # A third from each end, and the middle: random onsets move these by up to 5 points.
        for place, share in ((15, 1 / 6), (35, 0.5), (55, 5 / 6)):
            expected = start + (end - start) * share
            near = abs(centres - expected[1]) < 2.5
            near &= abs(centres - expected[1]) < abs(centres - expected[0])
            shown = near * means[label, place - 5 : place + 6].sum(axis=0)
            assert shown @ centres / shown.sum() == pytest.approx(expected[1], abs=0.6)


def test_reversed_sweeps_have_equal_sums_over_time() -> None:
    made = formant_sweeps(3000, seed=2)
    sums = made.as_float().sum(axis=1)
    labels = {pair: label for label, pair in enumerate(permutations(range(4), 2))}
    for (one, other), label in labels.items():
        pair = [sums[made.labels == each] for each in (label, labels[other, one])]
        error = np.sqrt(sum(each.var(axis=0) / len(each) for each in pair))
        assert (abs(pair[0].mean(axis=0) - pair[1].mean(axis=0)) < 4.5 * error).all()
    assert abs(np.bincount(made.labels) - 250).max() < 80


def images(count: int, classes: int) -> Data:
    labels = np.arange(count) % classes
    return Data.of_images(np.zeros((count, 1, 2, 2)), labels=labels, name="noise")


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 200), classes=st.integers(2, 12), fraction=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
)  # fmt: skip
def test_exactly_a_fraction_is_flipped_to_another_class(
    count: int, classes: int, fraction: float, seed: int
) -> None:
    data = images(count, classes)
    flipped = flip_labels(data, fraction, classes=classes, seed=seed)
    before, after = data.labels, flipped.labels
    assert before is not None
    assert after is not None
    assert after.dtype == np.int64
    assert (after != before).sum() == round(fraction * count)
    assert after.min() >= 0
    assert after.max() < classes
    assert (before == np.arange(count) % classes).all()  # unchanged
    assert flipped.values is data.values
    more = flip_labels(data, min(1.0, fraction + 0.3), classes=classes, seed=seed)
    assert (more.labels == after)[after != before].all()
