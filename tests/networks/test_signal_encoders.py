"""Encoders of signals and population codes: closed forms, reconstruction, and random spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import stats

from bioae.networks.encoders import Frames, LevelCrossing, Population
from bioae.random import stream

SIGNALS = stream(0, 0).normal(size=(5, 6, 3))
EXAMPLES = np.array([17, 3, 99, 0, 4])
ENCODERS = [
    Frames(),
    Frames(random=True),
    LevelCrossing(delta=0.3),
    Population(low=-2.0, high=2.0),
    Population(low=-2.0, high=2.0, random=True),
]

signals = arrays.arrays(
    np.float64,
    arrays.array_shapes(min_dims=3, max_dims=3, max_side=6),
    elements=st.floats(-50, 50),
)


def encoded(encoder: Any, values: NDArray[Any], *, every: int = 1) -> NDArray[np.float32]:
    numbers = np.arange(len(values))
    drive: NDArray[np.float32] = encoder.encode(values, numbers, steps=every * values.shape[1])
    return drive


@pytest.mark.parametrize("random", [False, True])
def test_frames_of_images_are_those_of_their_channels(random: bool) -> None:
    values = stream(0, 1).random((4, 5, 2 * 3 * 4))
    flat, image = Frames(random=random), Frames(random=random, shape=(2, 3, 4))
    assert image.output_shape((24,)) == (2, 3, 4)
    drive = image.encode(values, np.arange(4), steps=5, seed=1)
    assert np.count_nonzero(drive) > 10
    expected = flat.encode(values, np.arange(4), steps=5, seed=1)
    np.testing.assert_array_equal(drive, expected.reshape(5, 4, 2, 3, 4))


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.kind)
def test_the_drive_is_what_neurons_hold_or_is_drawn_from_it(encoder: Any, every: int) -> None:
    encoder = encoder.model_copy(update={"every": every})
    steps = 6 * every
    drive = encoder.encode(SIGNALS, EXAMPLES, steps=steps, seed=2)
    held = encoder.held(SIGNALS, steps=steps)
    neurons = encoder.output_shape((3,))
    assert drive.shape == (steps, 5, *neurons)
    assert held.shape == (5, steps, *neurons)
    assert drive.dtype == np.float32
    assert np.count_nonzero(drive) > 10
    if encoder.graded:
        np.testing.assert_array_equal(drive, held.swapaxes(0, 1))
    else:
        assert set(np.unique(drive)) == {0.0, 1.0}
        assert not drive.swapaxes(0, 1)[held <= 0].any()


@given(values=signals, gain=st.floats(1e-3, 10), every=st.integers(1, 3))
def test_frames_are_the_values_on_the_grid(
    values: NDArray[np.float64], gain: float, every: int
) -> None:
    drive = encoded(Frames(gain=gain, every=every), values, every=every)
    ticks = drive.astype(np.float64) * 4096
    np.testing.assert_array_equal(ticks, np.rint(ticks))
    expected = np.repeat(values, every, axis=1).swapaxes(0, 1)
    np.testing.assert_allclose(drive, gain * expected, atol=0.5 / 4096, rtol=1e-15)


def test_random_frames_are_binomial() -> None:
    values = np.array([-0.5, 0.0, 0.2, 0.7, 1.0, 3.0])
    counts = encoded(Frames(random=True), np.tile(values, (50, 40, 1))).sum((0, 1))
    law = stats.binom(2000, values.clip(0, 1))
    assert (np.abs(counts - law.mean()) <= 5 * law.std()).all()


@given(values=signals, delta=st.floats(0.05, 5), every=st.integers(1, 2))
def test_level_crossing_reconstructs_within_delta(
    values: NDArray[np.float64], delta: float, every: int
) -> None:
    drive = encoded(LevelCrossing(delta=delta, every=every), values, every=every)
    crossed = drive.astype(np.float64).reshape(*drive.shape[:2], -1, 2)
    assert (crossed >= 0).all()
    assert not (crossed[..., 0] * crossed[..., 1]).any()
    assert not crossed[0].any()
    levels = np.cumsum(crossed[..., 0] - crossed[..., 1], axis=0)[every - 1 :: every]
    rebuilt = values[:, 0] + delta * levels
    assert (np.abs(rebuilt - values.swapaxes(0, 1)) < delta * (1 + 1e-9)).all()


def test_level_crossing_worked_example() -> None:
    values = np.array([0.5, 0.75, 1.0, 0.75, 0.5, -0.75, 0.5]).reshape(1, 7, 1)
    drive = encoded(LevelCrossing(delta=0.5, gain=2.0), values)
    assert drive[:, 0].T.tolist() == [
        [0, 0, 2, 0, 0, 0, 4], [0, 0, 0, 0, 2, 4, 0],
    ]  # fmt: skip


@given(value=st.floats(-3, 3), neurons=st.integers(3, 9), beta=st.floats(0.5, 3))
def test_population_code_is_gaussian(value: float, neurons: int, beta: float) -> None:
    """The closed form of Bohte, Kok & La Poutre 2002, and the law of a normal density."""
    encoder = Population(neurons=neurons, low=-2.0, high=1.0, beta=beta, gain=1.0)
    drive = encoded(encoder, np.full((1, 1, 1), value)).ravel()
    spacing = 3.0 / (neurons - 2)
    centres = [-2.0 + (2 * i - 3) / 2 * spacing for i in range(1, neurons + 1)]
    law = stats.norm(centres, spacing / beta)
    expected = law.pdf(value) / law.pdf(centres)
    np.testing.assert_allclose(drive, expected, atol=0.5 / 4096 + 1e-9)
    nearest = np.abs(np.array(centres) - value)
    assert drive[nearest.argmin()] == drive.max()


def test_population_code_of_images_keeps_their_places() -> None:
    images = stream(1, 0).random((2, 3, 4, 5))
    encoder = Population(neurons=4)
    assert encoder.output_shape((3, 4, 5)) == (12, 4, 5)
    drive = encoder.encode(images, np.arange(2), steps=2)
    assert drive.shape == (2, 2, 12, 4, 5)
    as_signals = encoder.encode(images.reshape(2, 1, 60), np.arange(2), steps=1)
    np.testing.assert_array_equal(
        drive[1].reshape(2, 3, 4, 20), as_signals[0].reshape(2, 3, 20, 4).swapaxes(2, 3)
    )
