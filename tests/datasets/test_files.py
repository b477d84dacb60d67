"""Data in files: folders of IDX and PNG files, arrays in NumPy's files and HDF5, and saved data."""

from __future__ import annotations

import io
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builders import dense, described, write_arrays
from numpy.typing import NDArray
from PIL import Image
from refusals import refused

from bioae.datasets import Data, convert, load, save
from bioae.datasets.hashing import data_sha256
from bioae.datasets.hdf5_files import StoredArray
from bioae.datasets.store import file_names
from bioae.errors import DataError, OutputError
from bioae.networks import NetworkConfig
from bioae.simulation.presentations import check_fit
from scripts.make_sample import write_idx

NUMBERS = np.random.default_rng(0)
PIXELS = NUMBERS.integers(2, 256, (6, 3, 5), np.uint8)
SIGNALS = NUMBERS.normal(size=(6, 5, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2])
TARGETS = np.ones((6, 5, 2))
EVENTS: dict[str, Any] = {
    "event_example": np.arange(6), "event_channel": np.zeros(6, int),
    "event_time_ms": np.ones(6), "channels": 4, "examples": 6,
}  # fmt: skip

each_suffix = pytest.mark.parametrize("suffix", [".npz", ".h5"])
each_split = pytest.mark.parametrize("split", ["train", "test"])


def write_split(folder: Path, split: Any, *, style: int = 0, pixels: Any = PIXELS) -> None:
    write_idx(folder / file_names(split, "images")[style], pixels)
    write_idx(folder / file_names(split, "labels")[style], LABELS.astype(np.uint8))


@pytest.mark.parametrize("style", range(4))
@each_split
def test_folders_of_idx_files_in_every_spelling(tmp_path: Path, split: Any, style: int) -> None:
    write_split(tmp_path, split, style=style)
    images = load(tmp_path, split)
    np.testing.assert_array_equal(np.asarray(images.values)[:, 0], PIXELS)
    np.testing.assert_array_equal(images.labels, LABELS)
    assert (images.name, images.split) == (str(tmp_path), split)
    with refused(DataError, where=tmp_path, expected=re.compile("or PNG files$")):
        load(tmp_path, "test" if split == "train" else "train")
    (tmp_path / file_names(split, "labels")[style]).unlink()
    assert load(str(tmp_path), split).labels is None


@pytest.mark.parametrize(
    ("images", "fields"),
    [
        (np.concatenate([PIXELS, PIXELS]), {"where": re.compile("labels$")}),
        (PIXELS[:0], {"found": "the shape (0, 3, 5)"}),
        (PIXELS.astype(np.int32), {"found": "int32"}),
    ],
    ids=["other labels", "empty", "no bytes"],
)
def test_idx_files_that_do_not_fit(tmp_path: Path, images: Any, fields: Any) -> None:
    write_split(tmp_path, "train", pixels=images)
    with refused(DataError, **fields):
        load(tmp_path)


@pytest.mark.parametrize("values", [[0, 0, 1], [0.5, 1.0, 2.0], [0, 1]])
def test_indices_that_do_not_fit(values: list[float], tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", PIXELS[:3])
    kind = np.float64 if 0.5 in values else np.int32
    write_idx(tmp_path / "train-indices-idx1-int.gz", np.array(values, kind))
    with refused(DataError, where=f"{tmp_path}: indices"):
        load(tmp_path)
    np.savez(tmp_path / "set.npz", images=PIXELS[:3], indices=values)
    with refused(DataError, where=f"{tmp_path / 'set.npz'}: indices"):
        load(tmp_path / "set.npz")


def write(folder: Path, *numbers: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(PIXELS[number]).save(folder / f"{number}.png")


@pytest.mark.parametrize(
    ("names", "labels"),
    [(("cat", "dog"), (0, 1)), (("3", "7"), (3, 7)), (("1", "b"), (0, 1)), (("01", "1"), (0, 1))],
)
def test_folders_of_classes(
    names: tuple[str, str], labels: tuple[int, int], tmp_path: Path
) -> None:
    write(tmp_path / names[0], 0, 1, 2)
    write(tmp_path / names[1], 3, 4)
    (tmp_path / "notes.txt").write_text("not an image")
    write(tmp_path / ".thumbnails", 5)
    (tmp_path / names[0] / "._1.png").write_bytes(b"of a desktop")
    data = load(tmp_path)
    order = [0, 3, 1, 4, 2]  # rounds of one image of each class
    np.testing.assert_array_equal(np.asarray(data.values)[:, 0], PIXELS[order])
    assert np.asarray(data.labels).tolist() == [labels[number >= 3] for number in order]
    assert (data.split, len(load(tmp_path, limit=2))) == ("all", 2)


def test_folders_of_splits(tmp_path: Path) -> None:
    for number, place in enumerate(("train/ant", "train/bee", "train/cat", "test/ant", "test/cat")):
        write(tmp_path / place, number)
    train, test = (np.asarray(load(tmp_path, split).labels) for split in ("train", "test"))  # type: ignore[arg-type]
    assert (train.tolist(), test.tolist()) == ([0, 1, 2], [0, 2])  # one label in both splits
    write(tmp_path / "test", 5)
    with refused(DataError, where=tmp_path / "test"):
        load(tmp_path, "test")
    write(tmp_path / "plain" / "train", 0, 1)
    assert load(tmp_path / "plain").labels is None
    with refused(DataError, where=tmp_path / "plain" / "test"):
        load(tmp_path / "plain", "test")


def test_colours_and_depth_of_pictures(tmp_path: Path) -> None:
    colours = NUMBERS.integers(0, 256, (3, 5, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    write(tmp_path, 0)  # grey among coloured ones
    values = np.asarray(load(tmp_path).values)
    np.testing.assert_array_equal(values[0], np.broadcast_to(PIXELS[0], (3, 3, 5)))
    np.testing.assert_array_equal(values[1], np.moveaxis(colours, -1, 0))
    deep = np.arange(15, dtype=np.uint16).reshape(3, 5) * 3000
    (tmp_path / "deep").mkdir()
    Image.fromarray(deep).save(tmp_path / "deep" / "a.PNG")
    np.testing.assert_array_equal(load(tmp_path / "deep").as_float()[0, 0], deep / 65535)


def picture(pixels: Any, name: str = "x.png", **options: Any) -> Any:
    return lambda folder: Image.fromarray(pixels).save(folder / name, **options)


@pytest.mark.parametrize(
    ("spoil", "fields"),
    [
        (picture(PIXELS[1][:2]), {"where": "x.png", "expected": re.compile(r"= \(3, 5\)")}),
        (lambda path: (path / "x.png").write_bytes((path / "0.png").read_bytes()[:50]),
         {"where": "x.png"}),
        (lambda path: (path / "x.png").write_bytes(b"GIF89a"), {"where": "x.png"}),
        (picture(PIXELS[0].astype(np.uint16) * 257), {}),
        (picture(PIXELS[0], transparency=int(PIXELS[0, 0, 0])),
         {"where": "x.png", "expected": "opaque"}),
        (picture(PIXELS[1], "1.jpg"), {"found": "1.jpg"}),
    ],
    ids=["size", "truncated", "no PNG", "depth", "transparent", "JPEG"],
)  # fmt: skip
def test_pictures_that_do_not_fit(tmp_path: Path, spoil: Any, fields: dict[str, Any]) -> None:
    write(tmp_path, 0)
    spoil(tmp_path)
    if "where" in fields:
        fields = {**fields, "where": tmp_path / fields["where"]}
    with refused(DataError, **fields):
        load(tmp_path)


@pytest.mark.parametrize("read", [load, partial(convert, split="train")])
def test_bytes_of_0_and_1_are_refused_in_every_form(tmp_path: Path, read: Any) -> None:
    binary = (PIXELS % 2).astype(np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte", binary)
    np.save(tmp_path / "a.npy", binary)
    write_arrays(tmp_path / "a.npz", images=binary)
    write_arrays(tmp_path / "a.h5", images=binary)
    (tmp_path / "png").mkdir()
    Image.fromarray(binary[0]).save(tmp_path / "png" / "0.png")
    for path in (tmp_path, *(tmp_path / name for name in ("a.npy", "a.npz", "a.h5", "png"))):
        with refused(DataError, where=path, hint=re.compile("255")):
            read(path)
    np.save(tmp_path / "b.npy", binary.astype(bool))
    np.testing.assert_array_equal(read(tmp_path / "b.npy").as_float()[:, 0], binary)
    assert np.asarray(convert(tmp_path / "a.npy", white=255).values).max() == 1


@each_suffix
@each_split
@pytest.mark.parametrize(
    ("kind", "values"), [("images", PIXELS / 255), ("images", PIXELS > 99), ("signals", SIGNALS)]
)
def test_files_of_arrays(tmp_path: Path, suffix: str, split: Any, kind: str, values: Any) -> None:
    known = {"labels": LABELS, "targets": TARGETS}
    plain = write_arrays(tmp_path / f"plain{suffix}", **{kind: values}, **known)
    arrays = {f"{name}_{split}": each for name, each in {kind: values, **known}.items()}
    apart = write_arrays(tmp_path / f"apart{suffix}", **arrays)
    for path, of in ((plain, "all"), (apart, split)):
        data = load(path, split, limit=4)
        assert (data.kind, data.name, data.split) == (kind, str(path), of)
        np.testing.assert_array_equal(data.as_float().reshape(4, 3, 5), values[:4].reshape(4, 3, 5))
        np.testing.assert_array_equal(data.labels, LABELS[:4])
        np.testing.assert_array_equal(data.targets, TARGETS[:4])
    other = "test" if split == "train" else "train"
    with refused(DataError, where=apart, expected=re.compile(f"signals_{other}")):
        load(apart, other)


def test_the_arrays_of_keras(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_train=PIXELS, y_train=LABELS)
    np.testing.assert_array_equal(load(tmp_path / "mine.npz").labels, LABELS)


@each_suffix
def test_files_of_events(tmp_path: Path, suffix: str) -> None:
    labelled = {**EVENTS, "labels": LABELS}
    data = load(write_arrays(tmp_path / f"ms{suffix}", **labelled))
    np.testing.assert_array_equal(data.frames(2)[:, 1, 0], np.ones(6))
    np.testing.assert_array_equal(data[[2]].labels, [2])
    labelled["event_step"] = labelled.pop("event_time_ms").astype(int)
    steps = load(write_arrays(tmp_path / f"steps{suffix}", **labelled))
    np.testing.assert_array_equal(steps.frames(2), data.frames(2))


@each_suffix
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"event_time_ms": None}, "event_step"),
        ({"event_channel": None}, "event_channel"),
        ({"channels": None}, "channels"),
        ({"event_step": np.ones(6, int)}, "event_step"),
        ({"event_step_test": np.ones(6, int)}, "event_step"),
        ({"channels": [3, 4]}, "channels"),
        ({"event_channel": np.full(6, 2**64 - 1, np.uint64)}, 2**64 - 1),
        ({"event_channel": np.zeros(5, int)}, "6, 6 and 5"),
    ],
    ids=str,
)
def test_events_that_do_not_fit(tmp_path: Path, suffix: str, change: Any, name: Any) -> None:
    arrays = {key: each for key, each in {**EVENTS, **change}.items() if each is not None}
    path = write_arrays(tmp_path / f"mine{suffix}", **arrays)
    with refused(DataError, path, name):
        convert(path)


def network() -> NetworkConfig:
    """A network of signals of 5 points and 3 channels, with 2 numbers at each step."""
    return described(
        dense("only", 2), input_shape=[3], steps=5, encoder={"kind": "frames"},
        task={"kind": "sequence", "outputs": 2}, decoder={"kind": "trajectory"},
    )  # fmt: skip


@each_suffix
@pytest.mark.parametrize(
    ("arrays", "fields"),
    [
        ({"signals": SIGNALS, "labels": np.arange(5)}, {"found": "the type int64, shape (5,)"}),
        ({"signals": SIGNALS, "targets": np.ones((7, 5, 2))}, {"where": re.compile("targets$")}),
        ({"signals": SIGNALS[..., :2]}, {"found": "(2,)"}),
        ({"signals": SIGNALS[:, :4]}, {"found": "4"}),
        ({"signals": SIGNALS[:, 0, 0]}, {"found": "the shape (6,)"}),
        ({"signals": SIGNALS.astype("S5")}, {}),
        (
            {"signals": SIGNALS, "targets": np.ones((6, 4, 2))},
            {"found": re.compile(r"\(6, 4, 2\)")},
        ),
        ({"signals": SIGNALS, "targets": np.ones((6, 10, 2))}, {"found": "(10, 2)"}),
        ({"images": PIXELS}, {"found": "images of the shape (1, 3, 5)"}),
        ({"images": PIXELS[0]}, {"found": "the shape (3, 5)"}),
        (EVENTS, {"found": "(4,)"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_shapes_that_do_not_fit(
    arrays: dict[str, Any], fields: Any, suffix: str, tmp_path: Path
) -> None:
    path = write_arrays(tmp_path / f"mine{suffix}", **arrays)
    with refused(DataError, **fields):
        check_fit(network(), convert(path))


def test_files_of_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "both.npz", images=PIXELS, t=[1, 2], x=[0, 1])
    assert convert(tmp_path / "both.npz").kind == "images"
    two = write_arrays(tmp_path / "two.npz", signals=SIGNALS, images=SIGNALS)
    none = write_arrays(tmp_path / "none.npz", pictures=PIXELS)
    (tmp_path / "digits.png").touch()
    for path, found in ((two, "images, signals"), (none, "pictures"), ("digits.png", None)):
        with refused(DataError, where=tmp_path / path) as caught:
            load(tmp_path / path)
        assert found is None or set(found.split(", ")) == set(str(caught.value.found).split(", "))
    with refused(DataError, where="fashion-mnits", hint=re.compile("fashion-mnist")):
        load("fashion-mnits")
    for name in ("none.npy", "no.npz", "no.h5"):
        with refused(DataError, where=name):
            load(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "flat.npy", PIXELS.reshape(6, -1))
    np.testing.assert_array_equal(convert("~/flat.npy", (1, 3, 5)).values, PIXELS[:, None])
    with refused(DataError, where=tmp_path / "flat.npy"):
        load(tmp_path / "flat.npy")


def numpy_bytes(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images.npy", numpy_bytes(PIXELS))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("objects.npy", numpy_bytes(np.array([{}]), allow_pickle=True)),
        ("truncated.npy", numpy_bytes(PIXELS)[:-3]),
        ("truncated.npz", zip_bytes()[:-10]),
        ("foreign.npz", b"not a zip"),
        ("empty.npy", b""),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00" + b"{'descr': 3}".ljust(117) + b"\n"),
        ("foreign.h5", b"\x89HDF\r\n\x1a\n" + bytes(200)),
    ],
)  # fmt: skip
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with refused(DataError, where=tmp_path / name):
        load(tmp_path / name)


def test_links_in_hdf5_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["signals"] = h5py.ExternalLink(__file__, "/signals")
    with refused(DataError, where=tmp_path / "mine.h5"):
        load(tmp_path / "mine.h5")
    with h5py.File(tmp_path / "nothing.h5", "w") as file:
        file["images"] = h5py.Empty("f8")
    with refused(DataError, "'images'"):
        load(tmp_path / "nothing.h5")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows in each part of a file that is read."""
    read: list[int] = []
    whole = StoredArray.__array__

    def counted(array: StoredArray, *args: Any, **options: Any) -> NDArray[Any]:
        read.append(len(array))
        return whole(array, *args, **options)

    monkeypatch.setattr(StoredArray, "__array__", counted)
    return read


def test_only_parts_that_are_used_are_read(
    tmp_path: Path, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = load(write_arrays(tmp_path / "mine.h5", signals=SIGNALS))
    read.clear()
    expected = data_sha256(Data.of_signals(SIGNALS))
    part = signals[[5, 2, 2]]
    assert not read
    np.testing.assert_array_equal(part.as_float(), SIGNALS[[5, 2, 2]])
    np.testing.assert_array_equal(signals[3:5].as_float(), SIGNALS[3:5])
    assert read == [3, 2]
    monkeypatch.setattr("bioae.datasets.hashing._BLOCK", 30)
    assert data_sha256(signals) == expected
    assert read == [3, 2, 2, 2, 2]


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    signals = load(write_arrays(path, signals=SIGNALS))
    path.unlink()
    with refused(DataError, where=path):
        signals.as_float()
    write_arrays(path, signals=SIGNALS[:3])
    with refused(DataError, where=path, hint="Load it again"):
        signals.as_float()


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
    with refused(DataError, found="nan at example 4, time 3, channel 2"):
        load(tmp_path / "mine.h5")
    with refused(DataError, found="nan at example 4, time 3, channel 0"):
        Data.of_signals(StoredArray.of(tmp_path / "mine.h5", "signals_of_one"))


@pytest.mark.parametrize(
    "case",
    [
        ((4, 5, 1), 2, [4, 2]),
        ((1, 5, 3), 2, [1] * 6),
        (None, 30, [2] * 3),
        ((1, 5, 3), 45, [3, 3]),
        ((2, 2, 2), 75, [4, 2]),
    ],
)
def test_signals_in_a_file_are_checked_by_whole_pieces(
    case: Any, tmp_path: Path, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks, numbers, lengths = case
    monkeypatch.setattr("bioae.datasets.checks._BLOCK", numbers)
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file.create_dataset("signals", data=SIGNALS, chunks=chunks)
    load(tmp_path / "mine.h5")
    assert read == lengths


def made(kind: str, count: int, size: int = 4) -> Data:
    numbers = np.random.default_rng(count)
    if kind == "images":
        pixels = numbers.integers(2, 256, (count, size, 5), dtype=np.uint8)
        return Data.of_images(pixels, labels=np.arange(count))
    if kind == "signals":
        values = numbers.normal(size=(count, size, 3))
        return Data.of_signals(values, labels=np.arange(count), targets=values[:, :, :1])
    return Data.of_frames(numbers.integers(0, 3, (count, 9, size)), labels=np.arange(count))


@pytest.mark.parametrize("kind", ["images", "signals", "events"])
def test_saved_data_are_the_same_when_loaded(kind: str, tmp_path: Path) -> None:
    train, test = made(kind, 6)[[4, 1, 5]], made(kind, 3)
    path = save(tmp_path / "set.npz", train, test)
    alone = save(tmp_path / "alone.npz", train)
    for data, loaded, split in (
        (train, load(path, "train"), "train"),
        (test, load(path, "test"), "test"),
        (train, load(alone, "test"), "all"),
    ):
        assert (loaded.kind, loaded.split) == (kind, split)
        assert data_sha256(loaded) == data_sha256(data)  # the numbers of examples, too


def test_saved_data_that_do_not_fit(tmp_path: Path) -> None:
    path, signals = tmp_path / "set.npz", made("signals", 3)
    for test in (made("images", 3), made("signals", 3, 5)):
        with refused(DataError, where="test"):
            save(path, signals, test)
    with refused(DataError, where="test"):
        save(path, made("events", 3), made("events", 3, 5))
    with refused(DataError, expected=".npz"):
        save(tmp_path / "set.txt", signals)
    for wrong in (3, "x", np.zeros((3, 3, 3)), None):
        with refused(DataError, "train", expected="Data"):
            save(path, wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    before = save(path, signals).read_bytes()
    for place in (path, "a\0.npz"):
        with refused(OutputError):
            save(place, made("signals", 4))
    assert path.read_bytes() == before
    assert len(load(save(path, made("signals", 4), overwrite=True))) == 4
