"""Encoders: statistics against the binomial law, closed forms, and random numbers by example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import stats

from bioae.networks.encoders import (
    Bernoulli,
    ConstantCurrent,
    FirstSpike,
    Frames,
    LevelCrossing,
    Population,
)
from bioae.random import stream, uniform

ENCODERS = [Bernoulli(), FirstSpike(), ConstantCurrent()]
SHAPE = (2, 3, 4)
IMAGES = stream(0, 0).random((6, *SHAPE))
SIGNALS = stream(0, 0).normal(size=(6, 5, 3))
EXAMPLES = np.array([17, 3, 99, 0, 4, 5])


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.kind)
def test_drive_has_time_first(encoder: Any) -> None:
    drive = encoder.encode(IMAGES, EXAMPLES, steps=7)
    assert (drive.shape, drive.dtype) == ((7, 6, *SHAPE), np.float32)
    assert drive.any()
    assert encoder.graded or set(np.unique(drive)) == {0.0, 1.0}
    assert not encoder.encode(0 * IMAGES, EXAMPLES, steps=7).any()


@pytest.mark.parametrize(
    ("encoder", "values"),
    [
        *[(each, IMAGES) for each in (*ENCODERS, Population(), Population(random=True))],
        *[(each, SIGNALS) for each in (Frames(random=True), LevelCrossing(delta=0.3))],
    ],
    ids=lambda each: getattr(each, "kind", ""),
)
@given(order=st.permutations(range(6)), count=st.integers(1, 6))
def test_the_encoding_of_an_example_does_not_depend_on_others(
    encoder: Any, values: Any, order: list[int], count: int
) -> None:
    chosen = order[:count]
    together = encoder.encode(values, EXAMPLES, steps=5, seed=2)
    some = encoder.encode(values[chosen], EXAMPLES[chosen], steps=5, seed=2)
    assert (some == together[:, chosen]).all()


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.kind)
def test_mean_drive_is_that_of_a_white_pixel(encoder: Any) -> None:
    white = np.ones((400, 1, 5, 5))
    total = encoder.encode(white, np.arange(400), steps=12).sum(axis=0, dtype=np.float64)
    # A thousandth is more than the rounding of a constant current; six standard errors of spikes.
    tolerance = 1e-3 if encoder.kind != "bernoulli" else 6 * np.sqrt(12 * 0.2 * 0.8 / 10_000)
    assert total.mean() == pytest.approx(encoder.mean_drive(12), abs=tolerance)


def test_bernoulli_compares_the_stream_in_order_of_step_and_neuron() -> None:
    spikes = Bernoulli(rate=0.5).encode(IMAGES[:1], np.array([17]), steps=3, seed=5)
    (row,) = uniform(5, np.array([17]), 3 * 24)
    assert (spikes[:, 0] == (row.reshape(3, *SHAPE) < 0.5 * IMAGES[0])).all()
    assert 0 < spikes.mean() < 1


@given(pixel=st.floats(0, 1), steps=st.integers(1, 30))
def test_first_spike_comes_at_the_nearest_step(pixel: float, steps: int) -> None:
    drive = FirstSpike().encode(np.full((1, 1, 1, 1), pixel), np.array([0]), steps=steps)
    when = np.flatnonzero(drive)
    if pixel == 0:
        assert not len(when)
    else:
        assert len(when) == 1
        assert abs(when[0] - (1 - pixel) * (steps - 1)) <= 0.5


@given(pixel=st.floats(0, 1), gain=st.floats(1e-3, 10))
def test_constant_current_is_on_the_grid(pixel: float, gain: float) -> None:
    drive = ConstantCurrent(gain=gain).encode(np.full((1, 1, 1, 1), pixel), np.array([0]), steps=3)
    ticks = drive.ravel().astype(np.float64) * 4096
    assert (ticks == np.rint(ticks)).all()
    assert len(set(ticks)) == 1
    assert abs(ticks[0] / 4096 - gain * pixel) <= 0.5 / 4096


# Signals, and population codes

IN_TIME = [
    Frames(), Frames(random=True), LevelCrossing(delta=0.3), Population(low=-2.0, high=2.0),
    Population(low=-2.0, high=2.0, random=True),
]  # fmt: skip

signals = arrays.arrays(
    np.float64, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(-50, 50)
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
@pytest.mark.parametrize("encoder", IN_TIME, ids=lambda encoder: encoder.kind)
def test_the_drive_is_what_neurons_hold_or_is_drawn_from_it(encoder: Any, every: int) -> None:
    encoder = encoder.model_copy(update={"every": every})
    steps = 5 * every
    drive = encoder.encode(SIGNALS, EXAMPLES, steps=steps, seed=2)
    held = encoder.held(SIGNALS, steps=steps)
    neurons = encoder.output_shape((3,))
    assert drive.shape == (steps, 6, *neurons)
    assert held.shape == (6, steps, *neurons)
    assert drive.dtype == np.float32
    assert np.count_nonzero(drive) > 10
    if encoder.graded:
        np.testing.assert_array_equal(drive, held.swapaxes(0, 1))
    else:
        assert set(np.unique(drive)) == {0.0, 1.0}
        assert not drive.swapaxes(0, 1)[held <= 0].any()


@given(values=signals, gain=st.floats(1e-3, 10), every=st.integers(1, 3))
def test_frames_are_on_the_grid(values: NDArray[np.float64], gain: float, every: int) -> None:
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
def test_level_crossing_rebuilds(values: NDArray[np.float64], delta: float, every: int) -> None:
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
    assert drive[np.abs(np.array(centres) - value).argmin()] == drive.max()


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
