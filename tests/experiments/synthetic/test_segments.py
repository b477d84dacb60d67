"""Ordered segments: their places, classes and reproducibility, and what a time average tells."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from experiments.synthetic import ordered_segments


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


def test_the_mean_over_time_is_the_same_for_all_classes() -> None:
    quiet = ordered_segments(40, seed=2, noise=0)
    means = quiet.as_float().mean(axis=1)
    np.testing.assert_allclose(means, np.broadcast_to(means[0], means.shape), atol=1e-6)


def test_the_noise_has_its_deviation() -> None:
    quiet, noisy = (ordered_segments(20, seed=3, noise=noise) for noise in (0, 0.5))
    rest = noisy.as_float() - quiet.as_float()
    assert rest.std() == pytest.approx(0.5, rel=0.01)
    assert abs(rest.mean()) < 0.01
