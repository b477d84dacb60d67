"""Loading of images by name, from folders and from files, and its errors."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_arrays
from PIL import Image

from bioae.datasets import convert, load
from bioae.datasets.idx import write_idx
from bioae.datasets.store import file_names
from bioae.errors import DataError

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([7, 9], np.uint8)


def write_split(folder: Path, split: Any, *, style: int = 0, pixels: Any = PIXELS) -> None:
    write_idx(folder / file_names(split, "images")[style], pixels)
    write_idx(folder / file_names(split, "labels")[style], LABELS)


@pytest.mark.parametrize("style", range(4))
@pytest.mark.parametrize("split", ["train", "test"])
def test_folder_in_every_spelling(tmp_path: Path, split: Any, style: int) -> None:
    write_split(tmp_path, split, style=style)
    images = load(tmp_path, split)
    np.testing.assert_array_equal(images.values[:, 0], PIXELS)
    np.testing.assert_array_equal(images.labels, LABELS)
    assert (images.name, images.split) == (str(tmp_path), split)


def test_the_spellings_are_mnists() -> None:
    assert file_names("test", "labels") == (
        "t10k-labels-idx1-ubyte.gz",
        "t10k-labels.idx1-ubyte.gz",
        "t10k-labels-idx1-ubyte",
        "t10k-labels.idx1-ubyte",
    )


def test_bytes_of_0_and_1_are_refused_in_every_form(tmp_path: Path) -> None:
    binary = (PIXELS % 2).astype(np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte", binary)
    np.save(tmp_path / "a.npy", binary)
    write_arrays(tmp_path / "a.npz", images=binary)
    write_arrays(tmp_path / "a.h5", images=binary)
    (tmp_path / "png").mkdir()
    Image.fromarray(binary[0]).save(tmp_path / "png" / "0.png")
    for path in (tmp_path, *(tmp_path / name for name in ("a.npy", "a.npz", "a.h5", "png"))):
        for read in (load, convert):
            with pytest.raises(DataError, match=r"the largest here is 1. Store 255 for white"):
                read(path, split="train")
    np.save(tmp_path / "b.npy", binary.astype(bool))
    np.testing.assert_array_equal(load(tmp_path / "b.npy").as_float()[:, 0], binary)
    assert convert(tmp_path / "a.npy", white=255).values.max() == 1


def test_folder_without_labels(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS)
    assert load(str(tmp_path)).labels is None


def test_folder_without_the_split(tmp_path: Path) -> None:
    write_split(tmp_path, "train")
    with pytest.raises(DataError, match="no images of the split test; expected one of t10k-images"):
        load(tmp_path, "test")


def test_labels_of_another_number(tmp_path: Path) -> None:
    write_split(tmp_path, "train", pixels=np.concatenate([PIXELS, PIXELS]))
    with pytest.raises(DataError, match=r"labels: the labels do not fit the data; expected 4"):
        load(tmp_path)


def test_empty_idx(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS[:0])
    with pytest.raises(DataError, match="there are no images"):
        load(tmp_path)


def test_idx_of_another_type(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS.astype(np.int32))
    with pytest.raises(DataError, match="holds no bytes"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"), [("images", "labels"), ("x_train", "y_train")], ids=["plain", "keras"]
)
def test_npz(tmp_path: Path, images: str, labels: str) -> None:
    path = tmp_path / "mine.npz"
    arrays: dict[str, Any] = {images: PIXELS / 255, labels: LABELS}
    np.savez(path, **arrays)
    loaded = load(path)
    np.testing.assert_array_equal(loaded.as_float()[:, 0], PIXELS / 255)
    np.testing.assert_array_equal(loaded.labels, LABELS)


def test_npz_without_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", pictures=PIXELS)
    with pytest.raises(
        DataError, match=r"expected an array named images or x_test, signals .*; found pictures"
    ):
        load(tmp_path / "mine.npz", "test")


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", PIXELS)
    loaded = load(tmp_path / "mine.npy", "test", limit=1)
    np.testing.assert_array_equal(loaded.values[:, 0], PIXELS[:1])
    assert loaded.labels is None


def test_npy_with_nan(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.full((1, 2, 2), np.nan))
    with pytest.raises(DataError, match=r"mine.npy: a pixel is not finite"):
        load(tmp_path / "mine.npy")


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
    ],
)
def test_damaged_numpy_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: the file cannot be read as NumPy arrays"):
        load(tmp_path / name)


def test_missing_numpy_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        load(tmp_path / "none.npy")


def test_unknown_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "digits.png").touch()
    with pytest.raises(DataError, match=r"the kind of file is unknown"):
        load(tmp_path / "digits.png")


def test_unknown_name() -> None:
    with pytest.raises(DataError, match=r"fashion-mnits: unknown data set.*Did you mean fashion"):
        load("fashion-mnits")


def test_unknown_split() -> None:
    with pytest.raises(DataError, match="expected train or test; found 'valid'"):
        load("sample", "valid")  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_of_nothing(limit: int) -> None:
    with pytest.raises(DataError, match=f"expected 1 or more; found {limit}"):
        load("sample", limit=limit)


def test_limit_beyond_the_set() -> None:
    with pytest.raises(DataError, match="expected a limit of at most 500; found 501"):
        load("sample", "test", limit=501)


@pytest.mark.parametrize("header", [b"{1: 2, 'a': 3}", b"(", b"{'descr': 3}", b"[" * 90, b"1 if"])
def test_headers_that_describe_no_array(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + bytes([118, 0]) + header.ljust(117) + b"\n" + bytes(8))
    with pytest.raises(DataError, match="cannot be read as NumPy arrays"):
        load(path)


@pytest.mark.parametrize("values", [[0, 0, 1], [0.5, 1.0, 2.0], [0, 1]])
def test_numbers_of_images_that_do_not_fit(values: list[float], tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((3, 2, 2), np.uint8))
    kind = np.float64 if 0.5 in values else np.int32
    write_idx(tmp_path / "train-indices-idx1-int.gz", np.array(values, kind))
    with pytest.raises(DataError, match=r"indices: the examples' numbers do not"):
        load(tmp_path)
