"""The IDX reader and writer, against the bytes that the format prescribes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bioae.datasets.idx import read_idx, write_idx
from bioae.errors import DataError, OutputError

# Two images of 1 x 3 pixels, byte by byte.
CONTENT = bytes.fromhex("00000803 00000002 00000001 00000003") + bytes([0, 1, 2, 253, 254, 255])
PIXELS = np.array([[[0, 1, 2]], [[253, 254, 255]]], np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train-images-idx3-ubyte"


@pytest.mark.parametrize("encode", [bytes, gzip.compress])
def test_reads_the_prescribed_bytes(path: Path, encode: Callable[[bytes], bytes]) -> None:
    path.write_bytes(encode(CONTENT))
    np.testing.assert_array_equal(read_idx(path, ndim=3), PIXELS, strict=True)


def test_writes_the_prescribed_bytes(path: Path) -> None:
    write_idx(path, PIXELS)
    assert path.read_bytes() == CONTENT


@given(
    values=st.sampled_from(["u1", "i1", "<i2", ">i4", "<f4", "<f8"]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(max_dims=4),
            elements={"allow_nan": False} if "f" in dtype else None,
        )
    ),
    end=st.sampled_from(["", ".gz"]),
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, end: str) -> None:
    path = tmp_path_factory.mktemp("idx") / f"values{end}"
    write_idx(path, values)
    native = values.astype(values.dtype.newbyteorder("="))
    np.testing.assert_array_equal(read_idx(path, ndim=values.ndim), native, strict=True)


def test_the_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.gz", tmp_path / "b.gz"
    write_idx(first, PIXELS)
    write_idx(second, PIXELS)
    assert first.read_bytes() == second.read_bytes()


@given(length=st.integers(0, len(CONTENT) - 1), compressed=st.booleans())
def test_truncated(tmp_path_factory: pytest.TempPathFactory, length: int, compressed: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / "images"
    content = CONTENT[:length]
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DataError, match=r"images: the IDX .*truncated; expected .*; found \d+"):
        read_idx(path, ndim=3)


def test_truncated_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(CONTENT)[:-9])
    with pytest.raises(DataError, match="gzip file is truncated or damaged"):
        read_idx(path, ndim=3)


def test_bytes_past_the_end(path: Path) -> None:
    path.write_bytes(CONTENT + b"\0")
    with pytest.raises(DataError, match=r"longer than its header says; expected 6 .*; found more"):
        read_idx(path, ndim=3)


@pytest.mark.parametrize(
    ("content", "ndim"),
    [(CONTENT, 1), (b"\1" + CONTENT[1:], 3), (b"\0\0\x07\3" + CONTENT[4:], 3), (b"P" * 40, 3)],
    ids=["images for labels", "no zero", "unknown type", "foreign"],
)
def test_wrong_magic(path: Path, content: bytes, ndim: int) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"magic number .*{ndim} dimensions?; found 0x"):
        read_idx(path, ndim=ndim)


def test_dimensions_beyond_all_memory(path: Path) -> None:
    path.write_bytes(CONTENT[:4] + b"\xff" * 12)
    with pytest.raises(DataError, match="truncated"):
        read_idx(path, ndim=3)


def test_missing(path: Path) -> None:
    with pytest.raises(DataError, match=f"{path}: cannot be read: No such file"):
        read_idx(path, ndim=3)


def test_type_without_a_code(path: Path) -> None:
    with pytest.raises(DataError, match=r"expected uint8, .*; found complex128"):
        write_idx(path, np.zeros(2, complex))
    assert not path.exists()


def test_an_existing_file_is_kept(path: Path) -> None:
    path.write_bytes(b"old")
    with pytest.raises(OutputError):
        write_idx(path, PIXELS)
    assert path.read_bytes() == b"old"
    write_idx(path, PIXELS, overwrite=True)
    assert path.read_bytes() == CONTENT
