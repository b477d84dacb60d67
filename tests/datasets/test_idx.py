"""The IDX reader and writer, against the bytes that the format prescribes."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from refusals import refused

from bioae.datasets.idx import read_idx, write_idx
from bioae.errors import DataError, OutputError

# Two images of 1 x 3 pixels, byte by byte.
CONTENT = bytes.fromhex("00000803 00000002 00000001 00000003") + bytes([0, 1, 2, 253, 254, 255])
PIXELS = np.array([[[0, 1, 2]], [[253, 254, 255]]], np.uint8)


def test_the_prescribed_bytes(tmp_path: Path) -> None:
    for encode in (bytes, gzip.compress):
        (tmp_path / "images").write_bytes(encode(CONTENT))
        np.testing.assert_array_equal(read_idx(tmp_path / "images", ndim=3), PIXELS, strict=True)
    with refused(OutputError):
        write_idx(tmp_path / "images", PIXELS)
    write_idx(tmp_path / "images", PIXELS, overwrite=True)
    assert (tmp_path / "images").read_bytes() == CONTENT
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, PIXELS)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    with refused(DataError, found="complex128"):
        write_idx(tmp_path / "none", np.zeros(2, complex))
    assert not (tmp_path / "none").exists()


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


@given(length=st.integers(0, len(CONTENT) - 1), compressed=st.booleans())
def test_truncated(tmp_path_factory: pytest.TempPathFactory, length: int, compressed: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / "images"
    content = CONTENT[:length]
    path.write_bytes(gzip.compress(content) if compressed else content)
    with refused(DataError, where=path, found=re.compile(r"^\d+$")):
        read_idx(path, ndim=3)


@pytest.mark.parametrize(
    ("content", "ndim", "fields"),
    [
        (gzip.compress(CONTENT, mtime=0)[:-9], 3, {"hint": "Fetch or copy the file again"}),
        (CONTENT + b"\0", 3, {"expected": re.compile("^6 bytes"), "found": "more"}),
        (CONTENT[:4] + b"\xff" * 12, 3, {"found": "0"}),  # beyond all memory
        (CONTENT, 1, {"expected": "an IDX file of 1 dimension"}),
        (b"\1" + CONTENT[1:], 3, {"found": "0x01000803"}),
        (b"\0\0\x07\3" + CONTENT[4:], 3, {"found": "0x00000703"}),
        (b"P" * 40, 3, {"found": "0x50505050"}),
        (None, 3, {}),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes | None, ndim: int, fields: Any) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    if content is not None:
        path.write_bytes(content)
    with refused(DataError, where=path, **fields):
        read_idx(path, ndim=ndim)
