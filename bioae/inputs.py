"""Inputs: regular files and folders only, read without waiting and within limits."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from bioae.errors import InputError, shortened

__all__ = [
    "LARGEST_TEXT",
    "as_path",
    "check_input",
    "expanded",
    "is_system",
    "kind_of",
    "open_input",
    "read_input",
]

#: The most bytes of a file of text: a description, a configuration, a neuron model.
LARGEST_TEXT = 4 * 2**20

# Files of the system are no data; those in /dev/shm are ordinary ones, in memory.
_SYSTEM, _MEMORY = ("/dev", "/proc", "/sys"), "/dev/shm"


def as_path(path: object, error: type[InputError], name: str) -> Path:
    """Return text or a path as a path.

    Raises
    ------
    InputError
        Of the given class, if it is anything else.
    """
    if isinstance(path, str | os.PathLike) and isinstance(text := os.fspath(path), str) and text:
        if "\0" not in text:
            return Path(text)
        raise error(f"the {name} has a null character in its path", found=shortened(repr(text)))
    raise error(
        f"the {name} is not a path",
        expected="text or a pathlib.Path",
        found=shortened(repr(path)),
    )


def check_input(path: object, error: type[InputError], name: str = "input") -> Path:
    """Return the path of an input, with the home folder in place of ``~``.

    What is neither a file nor a folder is refused: reading it might never end. A missing input is
    not: its reader knows what was expected.

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
        If `path` is a pipe, a socket, a device or a file of the system, or no path; or if there is
        no such home folder.
    """
    path = as_path(path, error, name)
    if not os.path.lexists(path):  # a file's name may begin with ~
        path = expanded(path, where=name, error=error)
    try:
        kind = kind_of(path.stat().st_mode)
        system = is_system(path.resolve())
    except (OSError, ValueError):
        return path
    if kind not in ("file", "folder") or system:
        found = f"a {kind}" if kind not in ("file", "folder") else f"a {kind} of the system"
        raise error(
            "this is no file that holds data",
            where=str(path),
            expected="a file or a folder",
            found=found,
        )
    return path


def open_input(path: Path | str) -> BufferedReader:
    """Open a regular file for reading, without waiting.

    Raises
    ------
    OSError
        If there is none, it is something else, or it cannot be read.
    """
    path = Path(path)
    _check_regular(path, path.stat().st_mode)  # opening some devices has effects
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        _check_regular(path, os.fstat(file.fileno()).st_mode)
    except OSError:
        file.close()
        raise
    return file


def read_input(path: Path | str, most: int | None = LARGEST_TEXT) -> bytes:
    """Read a regular file of at most a number of bytes, if that is given.

    Raises
    ------
    OSError
        As for `open_input`; or if the file is larger.
    """
    with open_input(path) as file:
        content = file.read(-1 if most is None else most + 1)  # not its size: a file may grow
    if most is not None and len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most // 2**20} MiB", str(path))
    return content


def expanded(path: Path | str, *, where: str, error: type[InputError] = InputError) -> Path:
    """Return a path with the home folder in place of ``~``.

    Raises
    ------
    InputError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise error("there is no such home folder", where=where, found=str(path)) from None


def kind_of(mode: int) -> str:
    """Return the kind of a file by its mode: file, folder, pipe, socket or device."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


def is_system(path: Path) -> bool:
    """Return whether a path without links is that of a file or a folder of the system."""
    return any(map(path.is_relative_to, _SYSTEM)) and not path.is_relative_to(_MEMORY)


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode) or is_system(path.resolve()):
        found = f"a {kind_of(mode)}" if not stat.S_ISREG(mode) else "a file of the system"
        raise OSError(errno.EINVAL, f"it is {found}, and holds no data", str(path))
