"""Memory tasks: what is shown when, and which answers can be read without memory."""

from __future__ import annotations

import numpy as np
import pytest

from bioae.datasets import Data, load
from experiments.synthetic import permuted_rows, store_recall


def parts(signals: Data, neurons: int = 1) -> np.ndarray:
    """Return which of the four populations are active, (example, time, population)."""
    values = signals.as_float().reshape(len(signals), signals.points, 4, neurons)
    assert (values == values[..., :1]).all()
    return values[..., 0] > 0


def first(active: np.ndarray) -> np.ndarray:
    """Return the first active point of each example."""
    assert active.any(axis=1).all()
    return active.argmax(axis=1)


@pytest.mark.parametrize(("delay", "steps", "neurons"), [(200, 250, 1), (40, 90, 3)])
def test_cues_values_and_delay(delay: int, steps: int, neurons: int) -> None:
    made = store_recall(200, seed=1, delay=delay, steps=steps, neurons=neurons, rate=0.25)
    assert made.as_float().shape == (200, steps, 4 * neurons)
    assert set(np.unique(made.as_float())) == {0.0, 0.25}
    active = parts(made, neurons)
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
