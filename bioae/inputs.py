"""Inputs: regular files and folders only, read within limits."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from bioae.errors import InputError, shortened

__all__ = ["LARGEST_TEXT", "as_path", "check_input", "kind_of", "open_input", "read_input"]

#: The most bytes of a file of text: a description, a configuration, a neuron model.
LARGEST_TEXT = 4 * 2**20


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
        f"the {name} is not a path",
        expected="text or a pathlib.Path",
        found=shortened(repr(path)),
    )


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
            "this is no file that holds data",
            where=str(path),
            expected="a file or a folder",
            found=f"a {kind}",
        )
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
    """Return the kind of what a path leads to: file, folder, pipe, socket or device.

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
