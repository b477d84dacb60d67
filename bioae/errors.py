"""Exceptions that bioae raises for whatever a user can get wrong.

::

    BioaeError
    ├── InputError          an input does not fit: exit status 2
    │   ├── ModelError      a neuron model
    │   ├── NetworkError    a network or training configuration
    │   ├── DataError       data, their labels or targets
    │   ├── ArtefactError   a trained network on disk
    │   ├── ResultError     the result of a simulation
    │   ├── OutputError     a place to write to
    │   └── LibraryError    an optional library that an input or a command needs
    └── TargetError         Brian2 or the compiler behind it cannot run: exit status 2
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Self, TypedDict, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel, ValidationError


class BioaeError(Exception):
    """An error in one line: the problem, its place, and its solution.

    Parameters
    ----------
    what
        The problem, with the name of the object.
    where
        The file, key or argument of the problem.
    expected, found
        The expected value and the actual one.
    hint
        The action by which the user can solve it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        super().__init__(self._line())
        _report_plainly()

    def at(self, where: str) -> Self:
        """Return the same error at another place."""
        return type(self)(
            self.what, where=where, expected=self.expected, found=self.found, hint=self.hint
        )

    def _line(self) -> str:
        # Both may quote a file, whose names may have any length.
        what, found = self.what, shortened(self.found or "", 1000)
        if len(what) > 1000:  # its end may be a hint
            what = f"{what[:500]}...{what[-497:]}"
        line = f"{self.where}: {what}" if self.where else what
        if self.expected:
            line += f"; expected {self.expected}"
        if found:
            line += f"; found {found}"
        if self.hint:
            line += f". {self.hint}"
        return " ".join(line.split())


def _report_plainly() -> None:
    """Let an uncaught error of ours be printed as Python does, not as a bug of Brian2."""
    brian2 = sys.excepthook
    if getattr(brian2, "__module__", None) == "brian2.utils.logger":
        sys.excepthook = lambda kind, error, traceback: (
            sys.__excepthook__ if issubclass(kind, BioaeError) else brian2
        )(kind, error, traceback)


def shortened(text: str, most: int = 80) -> str:
    """Shorten a text to a number of characters, with an ellipsis in place of its end."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def did_you_mean(
    name: str, known: Iterable[str], *, shown: Callable[[str], str] = repr
) -> str | None:
    """Suggest the known name that is closest to an unknown one; None if none is close."""
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {shown(near[0])}?" if near else None


class InputError(BioaeError):
    """An input does not fit."""


class ModelError(InputError):
    """A neuron model is incomplete, wrong, or uses an unsupported feature."""


class NetworkError(InputError):
    """A network or training configuration does not fit together."""


class DataError(InputError):
    """Data, labels or targets are missing, empty, of the wrong shape or not finite."""


class ArtefactError(InputError):
    """A trained network on disk is truncated, of another kind, or does not fit."""


class ResultError(InputError):
    """The result of a simulation is truncated, of another kind, or does not fit."""


class OutputError(InputError):
    """An output exists already or cannot be written."""


class LibraryError(InputError, ImportError):
    """An optional library is not installed; also an `ImportError`, as Python's own would be."""


class TargetError(BioaeError):
    """A requirement of a simulation target is missing, or the target failed."""


#: The types of documents, by the kinds of pydantic's errors.
_PLAIN_TYPES = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "list_type": "a list",
    "tuple_type": "a list",
}


class Complaint(TypedDict, total=False):
    """Parts of an error line that a failed validation provides."""

    what: str
    expected: str
    found: str


def describe(error: ValidationError, model: type[BaseModel] | None = None) -> Complaint:
    """Describe the first failure of a pydantic validation.

    The keys of `model`, the class that was validated, are listed where one is unknown.
    """
    errors = error.errors(include_url=False)
    # A misspelt key is also missing: its name says more.
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    place, tables = _located(first["loc"], model)
    key = key_path(*place)
    match first["type"]:
        case "missing":
            return {"what": f"the key {key!r} is missing"}
        case "extra_forbidden":
            complaint: Complaint = {"what": f"unknown key {key!r}"}
            if len(tables) == 1:
                fields = tables[0].model_fields.items()
                known = ", ".join(field.alias or name for name, field in fields)
                complaint["expected"] = f"one of {known}"
            return complaint
        case "union_tag_invalid":
            of, tags = first["ctx"]["discriminator"].strip("'"), first["ctx"]["expected_tags"]
            what = f"unknown {of} {shortened(repr(first['ctx']['tag']))}"
            return {
                "what": f"{key}: {what}" if key else what,
                "expected": f"one of {tags.replace(chr(39), '')}",
            }
        case "union_tag_not_found":
            of = first["ctx"]["discriminator"].strip("'")
            if isinstance(first["input"], dict):
                return {"what": f"the key {f'{key}.{of}'!r} is missing"}
            found = shortened(repr(first["input"]))
            return {"what": f"{key} does not fit", "expected": "a table", "found": found}
        case "too_short":
            least, found = first["ctx"]["min_length"], shortened(repr(first["input"]))
            what = f"{key or 'the value'} does not fit"
            return {"what": what, "expected": f"{least} or more entries", "found": found}
        case "value_error":
            reason = str(first["ctx"]["error"])
            return {"what": f"{key}: {reason}" if key else reason}
        case kind:
            expected = first["msg"].removeprefix("Input should be ")
            return {
                "what": f"{key or 'the value'} does not fit",
                "expected": _PLAIN_TYPES.get(kind, expected),
                "found": shortened(repr(first["input"])),
            }


def _located(
    parts: tuple[str | int, ...], model: type[BaseModel] | None
) -> tuple[list[str | int], list[type[BaseModel]]]:
    """Return the path of a key, and the tables that may have it.

    Pydantic also names the tables of a union, which no document does.
    """
    kept: list[str | int] = []
    tables = owners = [] if model is None else [model]
    for part in parts:
        tagged = [table for table in tables if part in _tags(table)] if len(tables) > 1 else []
        if tagged:
            tables = tagged
            continue
        kept.append(part)
        owners = tables
        fields = [table.model_fields[part] for table in tables if part in table.model_fields]
        if fields:
            tables = [table for field in fields for table in _tables(field.annotation)]
    return kept, owners


def _tags(table: type[BaseModel]) -> tuple[object, ...]:
    fields = (table.model_fields.get(name) for name in ("kind", "name"))
    return tuple(tag for field in fields if field for tag in get_args(field.annotation))


def _tables(annotation: object) -> list[type[BaseModel]]:
    """Return the tables in an annotation, such as those of a union or of a list."""
    if hasattr(annotation, "model_fields"):
        return [cast("type[BaseModel]", annotation)]
    return [table for each in get_args(annotation) for table in _tables(each)]


def key_path(*parts: str | int) -> str:
    """Return the path of a key in a document; entries of lists are counted from 1, as ``2nd``."""
    return ".".join(part if isinstance(part, str) else _ordinal(part + 1) for part in parts)


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    ending = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
