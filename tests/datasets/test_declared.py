"""Arrays in files: shapes are compared before values are read, each compressed piece once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builders import dense, described, write_arrays
from numpy.typing import NDArray

from bioae.datasets import Data, convert, load
from bioae.datasets.hdf5_files import StoredArray
from bioae.datasets.numpy_files import ZippedArray
from bioae.errors import DataError
from bioae.networks import NetworkConfig
from bioae.simulation.presentations import check_declared

SIGNALS = np.random.default_rng(0).normal(size=(6, 5, 3))
IMAGES = np.random.default_rng(1).random((6, 5, 3))
ADDRESSES = {
    "event_example": np.arange(6), "event_channel": np.zeros(6, int),
    "event_time_ms": np.ones(6), "channels": 4, "examples": 6,
}  # fmt: skip


def network(**fields: Any) -> NetworkConfig:
    """A network of signals of 5 points and 3 channels, with 2 numbers at each step."""
    config = {
        "input_shape": [3], "steps": 5, "encoder": {"kind": "frames"},
        "task": {"kind": "sequence", "outputs": 2}, "decoder": {"kind": "trajectory"}, **fields,
    }  # fmt: skip
    return described(dense("only", 2), **config)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reading of values fail, but for single numbers."""

    def read(array: StoredArray | ZippedArray, *_: Any, **__: Any) -> NDArray[Any]:
        if array.name in ("channels", "examples"):
            return np.array({"channels": 4, "examples": 6}[array.name])
        raise AssertionError(f"the values of {array.name} are read")

    monkeypatch.setattr(ZippedArray, "__array__", read)
    monkeypatch.setattr(StoredArray, "__array__", read)
    monkeypatch.setattr(StoredArray, "blocks", read)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"signals": SIGNALS, "labels": np.arange(5)}, "labels do not fit the data"),
    ({"signals": SIGNALS, "targets": np.ones((7, 5, 2))}, "targets do not fit the data"),
    ({"signals": SIGNALS[..., :2]}, "signals do not fit the network"),
    ({"signals": SIGNALS[:, :4]}, "do not last as long as a presentation"),
    ({"signals": SIGNALS[:, 0, 0]}, "wrong number of axes"),
    ({"signals": SIGNALS.astype("S5")}, "must be numbers|holds no numbers"),
    ({"signals": SIGNALS, "targets": np.ones((6, 4, 2))}, r"expected the shape \(5, 2\)"),
    ({"images": IMAGES}, r"the network receives signals; expected signals of .* \(5, 3\)"),
    ({"images": IMAGES[0]}, "wrong number of axes"),
    (ADDRESSES, r"events do not fit the network; .* found \(4,\)"),
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize(("arrays", "line"), WRONG, ids=lambda value: str(value)[:40])
@pytest.mark.usefixtures("unread")
def test_shapes_are_compared_before_values_are_read(
    arrays: dict[str, Any], line: str, suffix: str, tmp_path: Path
) -> None:
    path = write_arrays(tmp_path / f"mine{suffix}", **arrays)
    with pytest.raises(DataError, match=line) as caught:
        convert(path, check=partial(check_declared, network()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.usefixtures("unread")
def test_answers_and_lists_are_compared_with_their_examples_first(
    suffix: str, tmp_path: Path
) -> None:
    images = write_arrays(tmp_path / f"i{suffix}", images=IMAGES, labels=np.arange(7))
    with pytest.raises(DataError, match="labels do not fit the data"):
        load(images)
    short = {**ADDRESSES, "event_channel": np.zeros(5, int)}
    with pytest.raises(DataError, match="lists of events differ in length"):
        load(write_arrays(tmp_path / f"e{suffix}", **short))


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_data_that_fit_are_loaded(suffix: str, tmp_path: Path) -> None:
    targets = np.ones((6, 5, 2))
    path = write_arrays(tmp_path / f"mine{suffix}", signals=SIGNALS, targets=targets)
    loaded = convert(path, check=partial(check_declared, network()))
    assert isinstance(loaded, Data)
    np.testing.assert_array_equal(loaded.as_float(), SIGNALS)


@pytest.mark.parametrize(
    ("chunks", "numbers", "parts"),
    [
        ((6, 5, 3), 10, 1),  # one piece, larger than a part
        ((6, 2, 3), 10, 3),
        ((2, 5, 3), 60, 2),  # two rows of pieces each, then what is left
        ((1, 1, 1), 15, 6),
        (None, 30, 3),
    ],
)
def test_each_compressed_piece_is_read_once(
    chunks: tuple[int, ...] | None, numbers: int, parts: int, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        options = {} if chunks is None else {"chunks": chunks, "compression": "gzip"}
        file.create_dataset("signals", data=SIGNALS, **options)
    stored = StoredArray.of(tmp_path / "mine.h5", "signals")
    copied, read = np.full(SIGNALS.shape, np.nan), 0
    for place, block in stored.blocks(numbers):
        into = tuple(slice(at, at + size) for at, size in zip(place, block.shape, strict=True))
        if chunks is not None:
            assert all(at % step == 0 for at, step in zip(place, chunks, strict=True))
        assert np.isnan(copied[into]).all()
        copied[into] = block
        read += 1
    np.testing.assert_array_equal(copied, SIGNALS)
    assert read == parts


@pytest.mark.parametrize("chunks", [(6, 2, 2), (1, 5, 3)])
@pytest.mark.parametrize("block", [2, 10**6])
def test_a_wrong_value_in_a_piece_is_named(
    chunks: tuple[int, ...], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bioae.datasets.checks._BLOCK", block)
    values = SIGNALS.copy()
    values[4, 3, 2] = np.nan
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file.create_dataset("signals", data=values, chunks=chunks, compression="gzip")
        file.create_dataset("signals_of_one", data=values[..., 2])
    with pytest.raises(DataError, match="found nan at example 4, time 3, channel 2"):
        load(tmp_path / "mine.h5")
    with pytest.raises(DataError, match="found nan at example 4, time 3, channel 0"):
        Data.of_signals(StoredArray.of(tmp_path / "mine.h5", "signals_of_one"))


def test_data_sets_are_described_by_their_shapes() -> None:
    many = 20_000
    labels, targets = np.arange(many), np.ones((many, 2))
    images = Data.of_images(
        np.zeros((many, 1, 2, 2), np.uint8),
        labels=labels,
        name="n",
        split="test",
        indices=labels,
        targets=targets,
    )
    signals = Data.of_signals(np.zeros((many, 3, 2)), labels=labels, name="mine", split="test")
    events = Data.of_events(labels, labels, labels * 0, channels=1, labels=labels)
    assert repr(signals) == "<20000 signals (2,) with labels: 'mine', 'test'>"
    assert repr(images) == "<20000 images (1, 2, 2) with labels and targets: 'n', 'test'>"
    assert repr(events) == "<20000 events (1,) with labels: 'events', 'train'>"
