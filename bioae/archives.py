"""Zip archives and compressed data from strangers: sizes are checked before memory is taken."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bioae.inputs import open_input

__all__ = ["DAMAGED", "MOST_INFLATED", "member_of", "open_archive"]

#: The most bytes that one byte of deflated data can hold: the limit of zlib's format.
MOST_INFLATED = 1032

#: What the libraries raise for a damaged archive, one with a password, or an unknown compression.
DAMAGED = (
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

_SIZES = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATED}


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, which must be a regular file.

    Raises
    ------
    OSError
        If it is no regular file, or cannot be read.
    zipfile.BadZipFile
        If it is damaged or of another kind; see `DAMAGED`.
    """
    with open_input(path) as file, zipfile.ZipFile(file) as archive:
        yield archive


def member_of(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return a member, if the archive can hold as many bytes as it declares.

    Raises
    ------
    KeyError
        If there is none of this name.
    ValueError
        If it declares more, or is compressed in another way than by deflating.
    """
    member = archive.getinfo(name)
    if member.compress_type not in _SIZES:
        raise ValueError(f"{name} is compressed in an unknown way")
    if member.file_size > _SIZES[member.compress_type] * member.compress_size:
        raise ValueError(f"{name} declares {member.file_size} bytes, more than the file can hold")
    return member
