"""Data of arrays: what is accepted, kept and refused, selections, frames, and the hash."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from refusals import refused

from bioae.datasets import Data
from bioae.datasets.hashing import data_sha256
from bioae.errors import DataError

COUNT = 6
VALUES = np.random.default_rng(0).normal(size=(COUNT, 5, 3))
PIXELS = np.random.default_rng(1).integers(0, 256, (COUNT, 1, 3, 4), dtype=np.uint8)
KNOWN: dict[str, Any] = {
    "labels": np.array([0, 1, 2, 0, 1, 2]), "targets": np.arange(12.0).reshape(6, 2),
}  # fmt: skip
#: Of three examples, the second without events; not in order.
LISTS: dict[str, Any] = {
    "example": [2, 0, 0, 2, 0], "time": [3.5, 1.0, 0.25, 0.0, 1.5], "channel": [1, 0, 2, 0, 0],
}  # fmt: skip
FRAMES = np.zeros((3, 4, 3))
FRAMES[0, 0, 2] = FRAMES[2, 0, 0] = FRAMES[2, 3, 1] = 1
FRAMES[0, 1, 0] = 2


def images(**known: Any) -> Data:
    return Data.of_images(PIXELS, **known)


def signals(**known: Any) -> Data:
    return Data.of_signals(VALUES, **known)


def events(**options: Any) -> Data:
    return Data.of_events(**{"channels": 3, **LISTS, **options})


DATA = {
    "images": images(**KNOWN),
    "signals": signals(**KNOWN),
    "events": Data.of_frames(np.arange(COUNT * 12).reshape(COUNT, 4, 3) % 3, **KNOWN),
}
each_kind = pytest.mark.parametrize("data", DATA.values(), ids=DATA)


@each_kind
@pytest.mark.parametrize("which", [slice(1, 3), [4, 1], np.arange(6) % 3 == 2], ids=str)
def test_selections_keep_all_parts_together(data: Data, which: Any) -> None:
    part, places = data[which], np.arange(COUNT)[which]
    assert (len(part), part.shape, part.kind) == (2, data.shape, data.kind)
    for name in ("labels", "targets"):
        np.testing.assert_array_equal(getattr(part, name), KNOWN[name][places])
    np.testing.assert_array_equal(part.indices, places)
    whole, some = ((each.frames(4) if data.kind == "events" else each.as_float())
                   for each in (data, part))  # fmt: skip
    np.testing.assert_array_equal(some, whole[places])


@pytest.mark.parametrize("which", [0, np.int64(1), [], (slice(0, 1), 0), [[0]], [0.5], "a"])
def test_what_selects_no_examples(which: Any) -> None:
    with refused(DataError, where=re.compile(r"^data\[")):
        images()[which]


@each_kind
def test_facts_are_replaced_and_checked(data: Data) -> None:
    other = data.assign(labels=None, indices=[5, 4, 3, 2, 1, 7], name="mine", split="test")
    assert (other.labels, other.name, other.split) == (None, "mine", "test")
    assert other.indices.tolist() == [5, 4, 3, 2, 1, 7]
    assert other.targets is not None
    for wrong in ([0] * 6, [-1, 0, 1, 2, 3, 4], np.arange(6) / 2, [0, 1]):
        with refused(DataError, where="indices", expected="6 different whole numbers, 0 or more"):
            data.assign(indices=wrong)


def test_representations_are_short_and_hold_no_values() -> None:
    assert repr(DATA["images"]) == (
        "<6 images (1, 3, 4) with labels and targets: 'images', 'train'>"
    )
    assert repr(signals(name="a.npz", split="all")) == "<6 signals (3,): 'a.npz', 'all'>"
    assert repr(events()) == "<3 events (3,): 'events', 'train'>"


SHAPES = hnp.array_shapes(min_dims=3, max_dims=4)


@given(hnp.arrays(np.uint8, SHAPES, elements=st.integers(2, 255)))
def test_bytes_stay_bytes(pixels: np.ndarray) -> None:
    data = Data.of_images(pixels)
    assert (data.values.dtype, len(data.values.shape)) == (np.uint8, 4)
    np.testing.assert_array_equal(np.asarray(data.values).ravel(), pixels.ravel())
    np.testing.assert_array_equal(data.as_float().ravel(), pixels.ravel() / 255)


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(0, 1)))
def test_intensities_are_kept_exactly(pixels: np.ndarray) -> None:
    data = Data.of_images(pixels)
    np.testing.assert_array_equal(data.as_float().ravel(), pixels.ravel())
    data.as_float()[:] = 1  # an array of the caller
    np.testing.assert_array_equal(data.as_float().ravel(), pixels.ravel())


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8, bool])
def test_signals_keep_their_type_until_they_are_used(dtype: Any) -> None:
    values = (10 * VALUES).clip(0).astype(dtype)
    data = Data.of_signals(values)
    assert (data.values.dtype, data.points, data.shape) == (dtype, 5, (3,))
    np.testing.assert_array_equal(data.as_float(), values.astype(np.float64), strict=True)
    assert Data.of_signals(values[..., 0]).values.shape == (6, 5, 1)


NUMERIC = "bytes from 0 to 255, or numbers in [0, 1]"
REFUSED: list[tuple[Any, dict[str, Any]]] = [
    # images
    (lambda: Data.of_images(PIXELS[0, 0]), {"where": "images", "found": "the shape (3, 4)"}),
    (lambda: Data.of_images(PIXELS[None]), {"found": "the shape (1, 6, 1, 3, 4)"}),
    (lambda: Data.of_images(PIXELS[:0], name="a.npy"), {"where": "a.npy"}),
    (lambda: Data.of_images([[[0.0], [0.0, 1.0]]]), {"where": "images"}),
    (lambda: Data.of_images(PIXELS.astype(str)), {"expected": NUMERIC}),
    (lambda: Data.of_images(PIXELS.astype(complex)), {"expected": NUMERIC}),
    (lambda: Data.of_images(PIXELS.astype(int)), {"expected": "numbers in [0, 1]"}),
    (lambda: Data.of_images(PIXELS, white=16), {"expected": "numbers in [0, 16]"}),
    (lambda: Data.of_images(PIXELS % 2), {"where": "images", "hint": re.compile("white=1")}),
    # signals
    (lambda: Data.of_signals(VALUES[0, 0]), {"where": "signals", "found": "the shape (3,)"}),
    (lambda: Data.of_signals(VALUES[:, :0]), {"found": "the shape (6, 0, 3)"}),
    (lambda: Data.of_signals(VALUES * 1j), {"found": "the type complex128"}),
    (lambda: Data.of_signals([[1.0], [2.0, 3.0]]), {"where": "signals"}),
    (lambda: Data.of_signals(np.full((2, 2, 1), -1e13)), {"expected": re.compile("1e\\+12")}),
    (
        lambda: Data.of_signals(np.where(VALUES[2, 3, 1] == VALUES, np.nan, VALUES)),
        {"found": "nan at example 2, time 3, channel 1"},
    ),
    # facts
    (lambda: images(labels=np.zeros(5, int)), {"where": "labels"}),
    (lambda: images(labels=np.zeros(6)), {"found": "the type float64, shape (6,)"}),
    (lambda: images(labels=["a"] * 6), {"hint": re.compile("numpy.unique")}),
    (lambda: images(labels=np.full(6, 2**64 - 1, np.uint64)), {"found": str(2**64 - 1)}),
    (lambda: signals(targets=np.ones((2, 2)), name="x"), {"where": "x: targets"}),
    (lambda: signals(targets=np.full((6, 1), np.nan)), {"where": "targets"}),
    (
        lambda: signals(targets=np.ones((6, 4, 1))),
        {"where": "targets", "found": re.compile("4, 1")},
    ),
    (lambda: signals().assign(targets=np.ones((6, 6, 1))), {"where": "targets"}),
    # events
    (lambda: events(example=[0, 1]), {"where": "events", "found": "2, 5 and 5"}),
    (lambda: events(example=[0, 1, 2, 3, -1]), {"where": "events: examples of events"}),
    (lambda: events(example=[], time=[], channel=[]), {"found": "0"}),
    (lambda: events(examples=2), {"expected": "whole numbers from 0 to 1", "found": "2"}),
    (lambda: events(labels=[0, 1]), {"expected": "whole numbers from 0 to 1"}),
    (lambda: events(labels=[0.5, 1, 2]), {"where": "labels"}),
    (lambda: events(channels=2), {"where": "events: channels of events", "found": "2"}),
    (lambda: events(channels=0), {}),
    (lambda: events(channel=[0.5] * 5), {"where": "events: channels of events"}),
    (lambda: events(channel=[2**40] * 5), {"found": str(2**40)}),
    (lambda: events(time=[-1.0] * 5), {"where": "events: times of events", "found": "-1.0"}),
    (lambda: events(time=[np.nan] * 5), {"found": "nan"}),
    (lambda: events(unit="step"), {"where": "events: times of events"}),
    (lambda: events(unit="s"), {"expected": "ms or step"}),
    (lambda: events().frames(3), {"expected": "times below 3 (ms)", "found": "3.5"}),
    (lambda: events().as_float(), {"where": "events"}),
    (lambda: Data.of_frames(FRAMES / 2), {"where": "frames"}),
    (lambda: Data.of_frames(-FRAMES), {"where": "frames"}),
    (lambda: Data.of_frames(FRAMES[0]), {"where": "frames"}),
    (lambda: Data.of_trains([]), {"where": "events"}),
    (lambda: Data.of_trains([[]]), {"found": "0"}),
    (lambda: Data.of_trains([[[1.0]], [[1.0], [2.0]]]), {"found": "1, 2"}),
]


@pytest.mark.parametrize(("make", "fields"), REFUSED)
def test_arrays_that_do_not_fit(make: Any, fields: dict[str, Any]) -> None:
    with refused(DataError, **fields) as caught:
        make()
    assert "\n" not in str(caught.value)


@given(
    pixels=hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0, 1)),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, 1.0000001, -1e-9, 1e300]),
    place=st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)),
)
def test_a_bad_pixel_is_named(pixels: np.ndarray, bad: float, place: tuple[int, int, int]) -> None:
    pixels[place] = bad
    example, y, x = place
    with refused(DataError, f"example {example}, channel 0, y {y}, x {x}", where="mine.npy"):
        Data.of_images(pixels, name="mine.npy")


def test_events_are_counted_in_frames() -> None:
    np.testing.assert_array_equal(events().frames(4), FRAMES)
    np.testing.assert_array_equal(events().frames(2, point_ms=2.0)[0], [[2, 0, 1], [0, 0, 0]])
    assert (len(events(examples=5)), len(events(labels=[0, 1, 2, 3]))) == (5, 4)
    trains = Data.of_trains([[[1.0, 3.5], []], [[], [2.0, 0.5, 9.0]]], labels=[1, 0])
    addresses: Any = trains.values
    assert addresses.example.tolist() == [0, 0, 1, 1, 1]
    assert addresses.channel.tolist() == [0, 0, 1, 1, 1]
    assert addresses.time.tolist() == [1.0, 3.5, 0.5, 2.0, 9.0]
    assert len(Data.of_trains([[[]], [[]]])) == 2


counts = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.integers(0, 3)
)


@given(frames=counts, data=st.data())
def test_frames_come_back_in_any_order_of_events(frames: Any, data: st.DataObject) -> None:
    made = Data.of_frames(frames)
    each: Any = made.values
    order = data.draw(st.permutations(range(int(frames.sum()))))
    again = Data.of_events(
        each.example[order], each.time[order], each.channel[order],
        channels=frames.shape[2], unit="step", examples=len(frames),
    )  # fmt: skip
    np.testing.assert_array_equal(again.frames(frames.shape[1]), frames)
    chosen = data.draw(st.lists(st.integers(0, len(frames) - 1), max_size=6))
    some = made[np.array(chosen, int)]
    np.testing.assert_array_equal(some.frames(frames.shape[1]), frames[chosen])


@given(step=st.integers(0, 10**5), dt=st.sampled_from([0.1, 0.05, 1 / 3, 0.7]))
def test_a_multiple_of_the_time_step_is_in_the_frame_that_it_starts(step: int, dt: float) -> None:
    made: Any = Data.of_events([0], [step * dt], [0], channels=1).values
    assert made.points(step + 1, dt, "").tolist() == [step]


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.7])
def test_times_of_32_bits_are_in_the_frame_that_they_start(dt: float) -> None:
    steps, zeros = np.arange(2000), np.zeros(2000, int)
    for times in ((steps * dt).astype(np.float32), steps * np.float32(dt)):
        made: Any = Data.of_events(zeros, times.astype(">f4"), zeros, channels=1).values
        np.testing.assert_array_equal(made.points(2000, dt, ""), steps)
    coarse = Data.of_events([0], np.float32([1e5]), [0], channels=1)
    with refused(DataError, "float32", expected="float64"):
        coarse.check_times(10**8, point_ms=0.01)


def _changed(values: np.ndarray) -> np.ndarray:
    copied = values.copy()
    copied.reshape(-1)[-1] += 1
    return copied


@each_kind
def test_whatever_a_run_depends_on_changes_the_hash(data: Data) -> None:
    others = [data[:-1], data[::-1], replace(data, labels=None), replace(data, targets=None)]
    names = ("indices", "labels", "targets")
    others += [replace(data, **{name: _changed(getattr(data, name))}) for name in names]
    values: Any = data.values
    if data.kind == "events":
        parts = {name: _changed(getattr(values, name)) for name in ("counts", "time", "channel")}
        parts |= {"unit": "ms", "channels": 4}
        others += [
            replace(data, values=replace(values, **{name: each})) for name, each in parts.items()
        ]
    else:
        others += [replace(data, values=_changed(values))]
    assert len({data_sha256(each) for each in [data, *others]}) == len(others) + 1
    assert data_sha256(replace(data, name="elsewhere", split="all")) == data_sha256(data)


def test_the_hash_is_that_of_earlier_versions() -> None:
    """Runs that an earlier version interrupted go on."""
    values = np.arange(40, dtype=np.float32).reshape(5, 4, 2)
    labelled = Data.of_signals(values, labels=np.arange(5))
    addresses = Data.of_events([0, 0, 1], [1, 2, 0], [0, 1, 1], channels=2, targets=[0.5, 1])
    hashes = [data_sha256(each)[:16] for each in (labelled, addresses)]
    assert hashes == ["9c7f26c9c54f4593", "a2653e9c8ff9499c"]
