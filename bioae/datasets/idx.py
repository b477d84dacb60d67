"""The IDX format: a magic number, big-endian dimensions, then the values in C order.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section
"The IDX file format".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.errors import DataError
from bioae.files import atomic_output

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_MAGIC = struct.Struct(">HBB")
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path | str, *, ndim: int) -> NDArray[Any]:
    """Read an IDX file of `ndim` dimensions, gzipped or not, in the byte order of the machine."""
    path = Path(path)
    content = _content(path)
    dtype, shape = _header(path, content, ndim)
    values = memoryview(content)[_MAGIC.size + 4 * ndim :]
    expected = math.prod(shape) * dtype.itemsize
    if len(values) != expected:
        short = len(values) < expected
        raise _damaged(
            path, f"the IDX file is {'truncated' if short else 'longer than its header says'}",
            f"{expected} bytes of values for the shape {shape}", f"{len(values)}",
        )  # fmt: skip
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def write_idx(path: Path | str, values: NDArray[Any], *, overwrite: bool = False) -> None:
    """Write an array as an IDX file, gzipped where the name ends in ``.gz``: always the same."""
    path = Path(path)
    codes = {dtype: code for code, dtype in _TYPES.items()}
    dtype = values.dtype.newbyteorder(">")
    if dtype not in codes:
        expected = ", ".join(known.newbyteorder("=").name for known in codes)
        raise DataError(
            "the type has no IDX code", where=str(path), expected=expected, found=values.dtype.name
        )
    content = _MAGIC.pack(0, codes[dtype], values.ndim)
    content += struct.pack(f">{values.ndim}I", *values.shape) + values.astype(dtype).tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def _content(path: Path) -> bytes:
    """Return the bytes of a file, gzipped or not."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, "the gzip file is truncated or damaged", None, f"{error}") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _header(path: Path, content: bytes, ndim: int) -> tuple[np.dtype[Any], tuple[int, ...]]:
    size = _MAGIC.size + 4 * ndim
    if len(content) < size:
        expected = f"at least {size} bytes"
        raise _damaged(path, "the IDX header is truncated", expected, f"{len(content)}")
    zero, code, dimensions = _MAGIC.unpack_from(content)
    if zero != 0 or code not in _TYPES or dimensions != ndim:
        raise DataError(
            "the magic number does not fit", where=str(path),
            expected=f"an IDX file of {ndim} dimension{'s' if ndim > 1 else ''}",
            found=f"0x{content[:4].hex()}",
            hint="Give the file under the name that belongs to its content",
        )  # fmt: skip
    return _TYPES[code], struct.unpack_from(f">{ndim}I", content, _MAGIC.size)


def _damaged(path: Path, what: str, expected: str | None, found: str) -> DataError:
    hint = "Fetch or copy the file again"
    return DataError(what, where=str(path), expected=expected, found=found, hint=hint)
