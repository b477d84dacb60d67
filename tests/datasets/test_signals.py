"""Signals of arrays and files: shapes, selection, values read in parts, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builders import write_arrays
from numpy.typing import NDArray

from bioae.datasets import Data, load
from bioae.datasets.hdf5_files import StoredArray
from bioae.errors import DataError

VALUES = np.random.default_rng(0).normal(size=(6, 5, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2])
TARGETS = np.arange(12.0).reshape(6, 2)


def test_of_arrays() -> None:
    signals = Data.of_signals(VALUES, labels=LABELS, targets=TARGETS)
    assert (len(signals), signals.points, signals.shape) == (6, 5, (3,))
    part = signals[[4, 1]]
    np.testing.assert_array_equal(part.as_float(), VALUES[[4, 1]])
    np.testing.assert_array_equal(part.labels, [1, 1])
    np.testing.assert_array_equal(part.targets, TARGETS[[4, 1]])
    np.testing.assert_array_equal(part.indices, [4, 1])
    np.testing.assert_array_equal(signals[LABELS == 2].indices, [2, 5])
    np.testing.assert_array_equal(signals[1:3].as_float(), VALUES[1:3])


def test_one_channel_needs_no_axis() -> None:
    assert Data.of_signals(VALUES[..., 0]).values.shape == (6, 5, 1)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8, bool])
def test_values_keep_their_type_until_they_are_used(dtype: Any) -> None:
    values = (10 * VALUES).clip(0).astype(dtype)
    signals = Data.of_signals(values)
    assert signals.values.dtype == dtype
    assert signals.as_float().dtype == np.float64
    np.testing.assert_array_equal(signals.as_float(), values)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_files(tmp_path: Path, suffix: str, split: Any) -> None:
    plain = write_arrays(
        tmp_path / f"plain{suffix}", signals=VALUES, labels=LABELS, targets=TARGETS
    )
    split_up = write_arrays(
        tmp_path / f"split{suffix}",
        **{f"signals_{split}": VALUES, f"labels_{split}": LABELS, f"targets_{split}": TARGETS},
    )
    for path, known in ((plain, "all"), (split_up, split)):
        signals = load(path, split, limit=4)
        assert isinstance(signals, Data)
        assert (signals.name, signals.split) == (str(path), known)
        np.testing.assert_array_equal(signals.as_float(), VALUES[:4])
        np.testing.assert_array_equal(signals.labels, LABELS[:4])
        np.testing.assert_array_equal(signals.targets, TARGETS[:4])


def test_the_other_split_is_not_there(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "mine.h5", signals_train=VALUES)
    with pytest.raises(DataError, match=r"no images, signals or events.*found signals_train"):
        load(path, "test")


def test_images_in_hdf5(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "mine.h5", images=np.abs(VALUES) / 10, labels=LABELS)
    images = load(path)
    assert isinstance(images, Data)
    np.testing.assert_array_equal(images.as_float()[:, 0], np.abs(VALUES) / 10)


def test_values_in_a_file_are_read_in_the_parts_that_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = load(write_arrays(tmp_path / "mine.h5", signals=VALUES))
    read: list[int] = []
    whole = StoredArray.__array__

    def counted(array: StoredArray, *args: Any, **options: Any) -> NDArray[Any]:
        read.append(len(array))
        return whole(array, *args, **options)

    monkeypatch.setattr(StoredArray, "__array__", counted)
    part = signals[[5, 2, 2]]
    assert not read
    np.testing.assert_array_equal(part.as_float(), VALUES[[5, 2, 2]])
    np.testing.assert_array_equal(signals[3:5].as_float(), VALUES[3:5])
    assert read == [3, 2]


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    signals = load(write_arrays(path, signals=VALUES))
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        _ = signals.as_float()
    write_arrays(path, signals=VALUES[:3])
    with pytest.raises(DataError, match="has changed since it was loaded"):
        _ = signals.as_float()


WRONG: list[tuple[Any, str]] = [
    (VALUES[0, 0], r"wrong number of axes; expected \(example, time, channel\)"),
    (VALUES[:0], "there are no signals"),
    (VALUES.astype(complex), "must be numbers"),
    (np.array(["a"] * 4).reshape(2, 2), "must be numbers"),
    ([[1.0], [2.0, 3.0]], "not a regular array"),
    (np.where(VALUES[2, 3, 1] == VALUES, np.nan, VALUES), "nan at example 2, time 3, channel 1"),
    (np.full((2, 2, 1), np.inf), "inf at example 0"),
    (np.full((2, 2, 1), -1e13), "magnitude of at most 1e"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "line"), WRONG, ids=lambda value: str(value)[:30])
def test_refused_in_one_line(values: Any, line: str) -> None:
    with pytest.raises(DataError, match=line) as caught:
        Data.of_signals(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ({"labels": LABELS[:5]}, "labels do not fit the data; expected 6"),
        ({"labels": LABELS / 2}, "labels do not fit the data"),
        ({"targets": TARGETS[:2]}, "targets do not fit the data"),
        ({"targets": np.full((6, 1), np.nan)}, "a target is not finite"),
    ],
)
def test_answers_that_do_not_fit(answers: dict[str, Any], line: str) -> None:
    with pytest.raises(DataError, match=line):
        Data.of_signals(VALUES, **answers)


def test_files_that_are_not_safe_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["signals"] = h5py.ExternalLink(__file__, "/signals")
    with pytest.raises(DataError, match=r"cannot be read as HDF5.*is a link to another place"):
        load(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        load(path)


def test_several_data_sets_in_a_file(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "mine.npz", signals=VALUES, images=VALUES)
    with pytest.raises(DataError, match="there are several data sets in the file"):
        load(path)
