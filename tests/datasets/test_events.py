"""Events: frames of them, events of frames, selection, files, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_arrays
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bioae.datasets import Data, convert, load
from bioae.datasets.forms.registry import Check
from bioae.errors import DataError

#: Of three examples, the second without events; not in order.
EXAMPLE, TIME, CHANNEL = [2, 0, 0, 2, 0], [3.5, 1.0, 0.25, 0.0, 1.5], [1, 0, 2, 0, 0]
FRAMES = np.zeros((3, 4, 3))
FRAMES[0, 0, 2] = FRAMES[2, 0, 0] = FRAMES[2, 3, 1] = 1
FRAMES[0, 1, 0] = 2


def events(**options: Any) -> Data:
    return Data.of_events(EXAMPLE, TIME, CHANNEL, **{"channels": 3, **options})


counts = arrays.arrays(
    np.int64, arrays.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.integers(0, 3)
)


def test_worked_example() -> None:
    np.testing.assert_array_equal(events().frames(4, point_ms=1.0), FRAMES)
    coarse = events().frames(2, point_ms=2.0)
    np.testing.assert_array_equal(coarse, FRAMES.reshape(3, 2, 2, 3).sum(2))


@given(frames=counts)
def test_frames_to_events_and_back(frames: Any) -> None:
    made = Data.of_frames(frames)
    assert len(made.values.time) == frames.sum()
    np.testing.assert_array_equal(made.frames(frames.shape[1]), frames)


@given(frames=counts, data=st.data())
def test_events_to_frames_and_back(frames: Any, data: st.DataObject) -> None:
    made = Data.of_frames(frames)
    order = data.draw(st.permutations(range(int(frames.sum()))))
    addresses = made.values
    again = Data.of_events(
        addresses.example[order], addresses.time[order], addresses.channel[order],
        channels=frames.shape[2], unit="step", examples=len(frames),
    )  # fmt: skip
    back = Data.of_frames(again.frames(frames.shape[1])).values
    for name in ("counts", "time", "channel", "example"):
        np.testing.assert_array_equal(getattr(back, name), getattr(addresses, name))


@given(frames=counts, data=st.data())
def test_frames_of_some_examples(frames: Any, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(frames) - 1), max_size=6))
    made = Data.of_frames(frames)
    some = made[np.array(chosen, int)]
    np.testing.assert_array_equal(some.frames(frames.shape[1]), frames[chosen])
    np.testing.assert_array_equal(made[1:].frames(frames.shape[1]), frames[1:])


@given(step=st.integers(0, 10**5), dt=st.sampled_from([0.1, 0.05, 1 / 3, 0.7]))
def test_a_multiple_of_the_time_step_is_in_the_frame_that_it_starts(step: int, dt: float) -> None:
    made = Data.of_events([0], [step * dt], [0], channels=1)
    assert made.values.points(step + 1, dt, "").tolist() == [step]


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.7])
def test_times_of_32_bits_are_in_the_frame_that_they_start(dt: float) -> None:
    steps = np.arange(2000)
    places, channels = np.zeros(2000, int), np.zeros(2000, int)
    for times in ((steps * dt).astype(np.float32), steps * np.float32(dt)):
        made = Data.of_events(places, times.astype(">f4"), channels, channels=1)
        np.testing.assert_array_equal(made.values.points(2000, dt, ""), steps)


def test_times_that_are_too_coarse_for_the_steps() -> None:
    made = Data.of_events([0], np.float32([1e5]), [0], channels=1)
    assert made.values.points(10**6, 1.0, "").tolist() == [10**5]
    with pytest.raises(DataError, match="float32 are too coarse for these steps; expected float64"):
        made.check_times(10**8, point_ms=0.01)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_files(tmp_path: Path, suffix: str) -> None:
    labels = np.array([4, 5, 6])
    lists = {"event_example": EXAMPLE, "event_channel": CHANNEL, "channels": 3, "labels": labels}
    path = write_arrays(tmp_path / f"mine{suffix}", **lists, event_time_ms=TIME)
    loaded = load(path)
    assert isinstance(loaded, Data)
    np.testing.assert_array_equal(loaded.frames(4), FRAMES)
    np.testing.assert_array_equal(loaded[[2]].labels, [6])
    path = write_arrays(tmp_path / f"steps{suffix}", **lists, event_step=np.array(TIME, int))
    np.testing.assert_array_equal(load(path).frames(4), FRAMES)  # type: ignore[union-attr]


def test_trailing_examples_without_events(tmp_path: Path) -> None:
    assert len(events(examples=5)) == 5
    assert len(events(labels=[0, 1, 2, 3])) == 4
    lists = {"event_example": EXAMPLE, "event_channel": CHANNEL, "event_time_ms": TIME}
    assert len(load(write_arrays(tmp_path / "mine.h5", **lists, channels=3, examples=7))) == 7


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"example": [0, 1]}, r"lists of events differ in length.*found 2, 5 and 5"),
        ({"example": [0, 1, 2, 3, -1]}, "examples of events: an event is outside the range"),
        ({"examples": 2}, r"whole numbers from 0 to 1; found 2"),
        ({"channels": 2}, r"channels of events.*from 0 to 1; found 2"),
        ({"channels": 0}, "channels does not fit"),
        ({"channel": [0.5] * 5}, "channels of events: the list of events does not fit"),
        ({"time": [-1.0] * 5}, "a time is negative or not finite"),
        ({"time": [np.nan] * 5}, "a time is negative or not finite"),
        ({"unit": "step"}, "times of events: the list of events does not fit"),
        ({"unit": "s"}, "the unit of times does not fit; expected ms or step"),
        ({"labels": [0, 1]}, "an event is outside the range"),
        ({"labels": [0.5, 1, 2]}, "labels do not fit the data"),
    ],
)
def test_refused_in_one_line(arguments: dict[str, Any], line: str) -> None:
    lists = {"example": EXAMPLE, "time": TIME, "channel": CHANNEL, "channels": 3}
    with pytest.raises(DataError, match=line) as caught:
        Data.of_events(**{**lists, **arguments})
    assert "\n" not in str(caught.value)


def test_an_event_after_the_end() -> None:
    with pytest.raises(DataError, match=r"after the end of a presentation; expected times below 3 \(ms\); found 3.5"):  # fmt: skip # noqa: E501
        events().frames(3)


def test_frames_that_count_nothing() -> None:
    for frames in (FRAMES / 2, -FRAMES, FRAMES[0], np.full((1, 1, 1), np.nan)):
        with pytest.raises(DataError, match="these are no frames"):
            Data.of_frames(frames)


@pytest.mark.parametrize("check", [None, lambda declared: None], ids=["loaded", "checked"])
@pytest.mark.parametrize("missing", ["event_time_ms", "event_channel", "channels"])
def test_a_missing_list(tmp_path: Path, missing: str, check: Check | None) -> None:
    lists = {
        "event_example": EXAMPLE, "event_time_ms": TIME, "event_channel": CHANNEL, "channels": 3,
    }  # fmt: skip
    del lists[missing]
    path = write_arrays(tmp_path / "mine.npz", **lists)
    name = "event_step" if missing == "event_time_ms" else missing
    with pytest.raises(DataError, match=f"the array {name} of the events is missing"):
        convert(path, check=check)


@pytest.mark.parametrize(
    "names", [("event_time_ms", "event_step"), ("event_time_ms", "event_step_train")]
)
def test_times_in_two_units_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    lists = {"event_example": EXAMPLE, "event_channel": CHANNEL, "channels": 3}
    times = dict.fromkeys(names, np.array(TIME, int))
    path = write_arrays(tmp_path / "mine.h5", **lists, **times)
    with pytest.raises(DataError, match=f"given twice; .*found {' and '.join(names)}"):
        load(path)


@pytest.mark.parametrize("name", ["labels", "event_example", "event_channel", "event_step"])
def test_numbers_beyond_their_range_are_refused(tmp_path: Path, name: str) -> None:
    """They would wrap around to negative ones."""
    lists = {
        "event_example": [0, 1], "event_step": [0, 1], "event_channel": [0, 1], "labels": [0, 1],
    }  # fmt: skip
    arrays = {key: np.array(values, np.uint64) for key, values in lists.items()}
    arrays[name][1] = 2**64 - 1
    with pytest.raises(DataError, match=r"too large; .*found 18446744073709551615"):
        load(write_arrays(tmp_path / "mine.npz", **arrays, channels=3))
