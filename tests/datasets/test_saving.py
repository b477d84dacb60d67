"""Saved data sets: `load` returns the same examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioae.datasets import Data, load, save
from bioae.errors import DataError, OutputError

NUMBERS = np.random.default_rng(0)


def signals(count: int, points: int = 4) -> Data:
    values = NUMBERS.normal(size=(count, points, 3))
    return Data.of_signals(values, labels=np.arange(count), targets=values[:, :, :1])


def images(count: int, _points: int = 4) -> Data:
    pixels = NUMBERS.integers(0, 256, (count, 1, 5, 5), dtype=np.uint8)
    return Data.of_images(pixels, labels=np.arange(count), name="drawn")


def events(count: int, channels: int = 4) -> Data:
    example = NUMBERS.integers(0, count, 50)
    time, channel = NUMBERS.integers(0, 9, 50), NUMBERS.integers(0, 3, 50)
    return Data.of_events(
        example, time, channel, channels=channels, unit="step", examples=count,
        labels=np.arange(count),
    )  # fmt: skip


MAKERS = [signals, images, events]


def assert_same(found: Data, data: Data) -> None:
    assert found.kind == data.kind
    assert len(found) == len(data) > 0
    if found.kind == "events":
        pairs = [(getattr(each.values, name) for each in (found, data))
                 for name in ("counts", "time", "channel")]  # fmt: skip
        assert found.shape == data.shape
    else:
        pairs = [(each.values for each in (found, data))]
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.labels, data.labels)
    if data.targets is not None:
        np.testing.assert_array_equal(found.targets, data.targets)


@pytest.mark.parametrize("make", MAKERS)
def test_both_splits_are_read_again(make, tmp_path: Path) -> None:
    train, test = make(6), make(3)
    path = save(tmp_path / "set.npz", train, test)
    for split, data in (("train", train), ("test", test)):
        found = load(path, split)
        assert found.split == split
        assert_same(found, data)


@pytest.mark.parametrize("make", MAKERS)
def test_the_numbers_of_examples_are_kept(make, tmp_path: Path) -> None:
    chosen = [4, 1, 5]
    path = save(tmp_path / "set.npz", make(6)[chosen], make(6))
    assert load(path, "train").indices.tolist() == chosen
    assert load(path, "test").indices.tolist() == list(range(6))


@pytest.mark.parametrize("wrong", [[0, 1], [0, 1, 1], [0, 1, -1], [0.0, 1.0, 2.0]])
def test_numbers_of_examples_that_do_not_fit(wrong: list[float], tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=images(3).values, indices=wrong)
    with pytest.raises(DataError, match=r"set.npz: indices: .* expected 3 different whole numbers"):
        load(tmp_path / "set.npz")


@pytest.mark.parametrize("make", MAKERS)
def test_a_single_set_is_that_of_both_splits(make, tmp_path: Path) -> None:
    data = make(6)
    path = save(tmp_path / "set.npz", data)
    for split in ("train", "test"):
        assert load(path, split).split == "all"
        assert_same(load(path, split), data)


def test_sets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for train, test in ((signals(3), images(3)), (signals(3), signals(3, 5)),
                        (events(3), events(3, 5))):  # fmt: skip
        with pytest.raises(DataError, match="does not fit the training set"):
            save(tmp_path / "set.npz", train, test)
    with pytest.raises(DataError, match="another suffix"):
        save(tmp_path / "set.txt", signals(3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [3, "x", np.zeros((3, 3, 3)), [1]])
def test_what_is_no_data_set(wrong: Any, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    for name, sets in (("train", (wrong,)), ("train", (None,)), ("test", (signals(3), wrong))):
        with pytest.raises(DataError, match=f"^{name} does not fit; expected Data"):
            save(path, *sets)
    assert not path.exists()


def test_what_is_no_path() -> None:
    with pytest.raises(OutputError, match="null character"):
        save("a\0.npz", signals(3))


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = save(tmp_path / "set.npz", signals(3))
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        save(path, signals(4))
    assert path.read_bytes() == before
    assert len(load(save(path, signals(4), overwrite=True))) == 4


def test_truth_values_of_hdf5_are_pixels(tmp_path: Path) -> None:
    import h5py

    truth = np.random.default_rng(0).random((3, 4, 5)) < 0.5
    with h5py.File(tmp_path / "truth.h5", "w") as file:
        file["images"] = truth
    data = load(tmp_path / "truth.h5")
    assert isinstance(data, Data)
    assert (data.as_float()[:, 0] == truth).all()
    with h5py.File(tmp_path / "nothing.h5", "w") as file:
        file["images"] = h5py.Empty("f8")
    with pytest.raises(DataError, match="/images holds no numbers"):
        load(tmp_path / "nothing.h5")
