"""Inputs from users: regular files and folders only, zip archives, and TOML and JSON, in limits.

Sizes are checked before memory is taken. Documents are plain data, see `bioae.fields`.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import Any

from bioae.errors import InputError, shortened
from bioae.fields import DEEPEST, check_plain

#: The most bytes of a file of text: a description, a configuration, a neuron model.
LARGEST_TEXT = 4 * 2**20

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

# A key of more parts than tables may nest: tomllib's time and memory grow with their square.
_DEEP_KEY = re.compile(
    rf"""(?:^|[\[{{,])[ \t]*+(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{DEEPEST},}}""",
    re.ASCII | re.MULTILINE,
)


def as_path(path: object, error: type[InputError], name: str) -> Path:
    """Return text or a path as a path, with the home folder in place of ``~``.

    Raises
    ------
    InputError
        Of the given class, if it is anything else.
    """
    if isinstance(path, str | os.PathLike) and isinstance(text := os.fspath(path), str) and text:
        if "\0" not in text:
            return Path(os.path.expanduser(text))  # noqa: PTH111 - leaves an unknown user
        raise error(f"the {name} has a null character in its path", found=shortened(repr(text)))
    raise error(
        f"the {name} is not a path", expected="text or a pathlib.Path", found=shortened(repr(path)),
    )  # fmt: skip


def check_input(path: object, error: type[InputError], name: str = "input") -> Path:
    """Return the path of an input; a missing one passes: its reader knows what was expected.

    Parameters
    ----------
    path
        The input, as text or a path.
    error
        The class of the error.
    name
        The input's name in the error.

    Raises
    ------
    InputError
        If `path` is a pipe, a socket or a device, or no path.
    """
    path = as_path(path, error, name)
    try:
        kind = kind_of(path)
    except (OSError, ValueError):
        return path
    if kind not in ("file", "folder"):
        raise error(
            "this is not a data file", where=str(path), expected="a file or a folder",
            found=f"a {kind}",
        )  # fmt: skip
    return path


def open_input(path: Path | str) -> BufferedReader:
    """Open a regular file for reading.

    Raises
    ------
    OSError
        If there is none, it is something else, or it cannot be read.
    """
    kind = kind_of(Path(path))
    if kind not in ("file", "folder"):  # reading it might never end
        raise OSError(errno.EINVAL, f"it is a {kind}, and holds no data", str(path))
    return Path(path).open("rb")


def read_input(path: Path | str, most: int | None = LARGEST_TEXT) -> bytes:
    """Read a regular file of at most a number of bytes, if that is given.

    Raises
    ------
    OSError
        As for `open_input`; or if the file is larger.
    """
    with open_input(path) as file:
        content = file.read(-1 if most is None else most + 1)
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most // 2**20} MiB", str(path))
    return content


def kind_of(path: Path) -> str:
    """Return the kind of object at a path: file, folder, pipe, socket or device.

    Raises
    ------
    OSError
        If there is nothing.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, which must be a regular file; it raises OSError or one of `DAMAGED`."""
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
    if archive.namelist().count(name) > 1:
        raise ValueError(f"{name} is there twice")
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
    OSError, ValueError, zipfile.BadZipFile
        If a file is missing, compressed or too large, or cannot be read; see `DAMAGED`.
    """
    contents = []
    with nullcontext() if path.is_dir() else open_archive(path) as archive:
        for name, most in limits.items():
            try:
                if archive is None:
                    contents.append(read_input(path / name, most))
                    continue
                member = member_of(archive, name)
            except (KeyError, FileNotFoundError) as error:
                raise ValueError(f"{name} is missing") from error
            except OSError as error:
                raise ValueError(f"{name} cannot be read: {error.strerror}") from error
            if member.compress_type != zipfile.ZIP_STORED:  # a stored file cannot grow
                raise ValueError(f"{name} is compressed, and only uncompressed archives are read")
            if most is not None and member.file_size > most:
                raise ValueError(f"{name} is larger than {most // 2**20} MiB")
            contents.append(archive.read(member))
    return contents


def read_toml(path: Path, what: str, *, error: type[InputError]) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path
        The file.
    what
        The kind of file, such as ``"neuron model file"``, named in errors.
    error
        The class of error to raise.

    Raises
    ------
    InputError
        (or `error`) If it cannot be read, or as `parse_toml`.
    """
    try:
        content = read_input(path)
    except FileNotFoundError:
        raise error(f"there is no such {what}", where=str(path)) from None
    except (OSError, ValueError) as reason:  # ValueError: a NUL in the path
        found = getattr(reason, "strerror", None) or str(reason)
        raise error(f"the {what} cannot be read: {found}", where=str(path)) from reason
    return parse_toml(content, where=str(path), error=error)


def parse_toml(
    content: bytes, *, where: str, error: type[InputError], hint: str | None = None
) -> dict[str, Any]:
    """Return the tables of a TOML document.

    Parameters
    ----------
    content
        The document, in UTF-8.
    where
        The file, named in errors.
    error
        The class of error to raise.
    hint
        The way to correct the document, named in errors.

    Raises
    ------
    InputError
        (or `error`) If it is too large or too deep, not TOML, or holds a number that is not finite,
        a whole number of more than 64 bits, or a text with NUL.
    """

    def parse(text: str) -> Any:
        if text.startswith("\ufeff"):
            raise ValueError("it starts with a byte order mark; save it without one")
        if _DEEP_KEY.search(text):
            raise ValueError(f"a key has more than {DEEPEST} parts")
        return tomllib.loads(text)

    tables: dict[str, Any] = _parsed(content, parse, "TOML", where=where, error=error, hint=hint)
    return tables


def parse_json(
    content: bytes,
    *,
    where: str,
    error: type[InputError],
    largest: int = LARGEST_TEXT,
    finite: bool = True,
) -> Any:
    """Return the value of a JSON document of at most `largest` bytes; see `parse_toml`.

    Unless `finite`, numbers may be infinite or NaN.
    """
    return _parsed(
        content, json.loads, "JSON", where=where, error=error, largest=largest, finite=finite
    )


def _parsed(
    content: bytes,
    parse: Callable[[str], Any],
    kind: str,
    *,
    where: str,
    error: type[InputError],
    hint: str | None = None,
    largest: int = LARGEST_TEXT,
    finite: bool = True,
) -> Any:
    try:
        if len(content) > largest:
            raise ValueError(f"it is larger than {largest // 2**20} MiB")
        value = parse(content.decode())
    except UnicodeDecodeError as reason:
        raise error("this is not a text file in UTF-8", where=where, hint=hint) from reason
    except (ValueError, RecursionError) as reason:
        found = "it is nested too deeply" if isinstance(reason, RecursionError) else str(reason)
        raise error(f"this is not valid {kind}: {found}", where=where, hint=hint) from reason
    try:
        check_plain(value, finite=finite)
    except ValueError as reason:
        raise error(str(reason), where=where, hint=hint) from reason
    return value
