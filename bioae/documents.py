"""Documents of plain data, TOML and JSON, read within limits."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bioae.errors import InputError
from bioae.fields import DEEPEST, check_plain
from bioae.inputs import LARGEST_TEXT, read_input

__all__ = ["parse_json", "parse_toml", "read_toml"]

# A key of more parts than tables may nest: tomllib's time and memory grow with their square.
_DEEP_KEY = re.compile(
    rf"""(?:^|[\[{{,])[ \t]*+(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{DEEPEST},}}""",
    re.ASCII | re.MULTILINE,
)


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
