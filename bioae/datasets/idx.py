"""The IDX format: a magic number, big-endian dimensions, then the values in C order.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section
"The IDX file format".
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.errors import DataError

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path | str, *, ndim: int) -> NDArray[Any]:
    """Read an IDX file of `ndim` dimensions, gzipped or not, in the byte order of the machine."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        found = error.strerror
        raise DataError("the IDX file cannot be read", where=str(path), found=found) from error
    try:
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
        zero, code, dimensions, *shape = struct.unpack_from(f">HBB{ndim}I", content)
        if zero or code not in _TYPES or dimensions != ndim:
            raise ValueError(f"the magic number 0x{content[:4].hex()}")
        values = np.frombuffer(content, _TYPES[code], offset=4 + 4 * ndim).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise DataError(
            "the IDX file is damaged, or another one", where=str(path),
            expected=f"an IDX file of {ndim} dimension{'s' if ndim > 1 else ''}", found=f"{error}",
            hint="Fetch or copy it again, under the name that belongs to its content",
        ) from error  # fmt: skip
    return values.astype(values.dtype.newbyteorder("="))
