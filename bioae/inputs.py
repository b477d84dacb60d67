"""Inputs from users: paths, and documents in TOML."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from bioae.errors import InputError, shortened


def as_path(path: object, error: type[InputError], name: str) -> Path:
    """Return text or a path as a path, with the home folder in place of ``~``.

    Raises `InputError`, of the given class, if it is anything else.
    """
    if isinstance(path, str | os.PathLike) and isinstance(text := os.fspath(path), str) and text:
        if "\0" not in text:
            return Path(os.path.expanduser(text))  # noqa: PTH111 - leaves an unknown user
        raise error(f"the {name} has a null character in its path", found=shortened(repr(text)))
    raise error(
        f"the {name} is not a path", expected="text or a pathlib.Path", found=shortened(repr(path)),
    )  # fmt: skip


def read_toml(path: Path, what: str, *, error: type[InputError]) -> dict[str, Any]:
    """Read a TOML file.

    `what`: the kind of file, such as ``"neuron model file"``, named in errors; `error`: the class
    of error to raise.

    Raises `error` if it cannot be read, or is not TOML.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise error(f"there is no such {what}", where=str(path)) from None
    except (OSError, ValueError) as reason:  # ValueError: a NUL in the path
        found = getattr(reason, "strerror", None) or str(reason)
        raise error(f"the {what} cannot be read: {found}", where=str(path)) from reason
    return parse_toml(content, where=str(path), error=error)


def parse_toml(
    content: bytes, *, where: str, error: type[InputError], hint: str | None = None
) -> dict[str, Any]:
    """Return the tables of a TOML document in UTF-8.

    `where`: the file, named in errors; `error`: the class of error to raise; `hint`: the way to
    correct the document, named in errors.

    Raises `error` if it is not TOML.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as reason:
        raise error("this is not a text file in UTF-8", where=where, hint=hint) from reason
    except (ValueError, RecursionError) as reason:
        raise error(f"this is not valid TOML: {reason}", where=where, hint=hint) from reason
