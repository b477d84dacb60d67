"""Zip archives and compressed data from strangers: sizes are checked before memory is taken."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bioae.inputs import open_input, read_input

__all__ = ["DAMAGED", "MOST_INFLATED", "member_of", "open_archive", "read_members"]

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


def read_members(path: Path, limits: Mapping[str, int | None]) -> list[bytes]:
    """Read files of a folder, or of an uncompressed archive of it.

    Parameters
    ----------
    path
        The folder or the archive.
    limits
        The most bytes of each file, by name; None: any number.

    Raises
    ------
    ValueError, zipfile.BadZipFile
        If a file is missing, compressed or too large, or cannot be read; see `DAMAGED`.
    """
    if path.is_dir():
        readers = {name: partial(read_input, path / name, most) for name, most in limits.items()}
        return [_content(name, read) for name, read in readers.items()]
    with open_archive(path) as archive:
        readers = {name: partial(_stored, archive, name, most) for name, most in limits.items()}
        return [_content(name, read) for name, read in readers.items()]


def _content(name: str, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except (KeyError, FileNotFoundError) as error:
        raise ValueError(f"{name} is missing") from error
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def _stored(archive: zipfile.ZipFile, name: str, most: int | None) -> bytes:
    member = member_of(archive, name)
    if member.compress_type != zipfile.ZIP_STORED:  # a stored file cannot grow
        raise ValueError(f"{name} is compressed, and only uncompressed archives are read")
    if most is not None and member.file_size > most:
        raise ValueError(f"{name} is larger than {most // 2**20} MiB")
    return archive.read(member)
