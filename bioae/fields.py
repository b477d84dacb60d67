"""Fields of tables: their types and ranges, declared once for all formats.

Every format of bioae is plain data: texts, whole numbers of 64 bits, finite numbers, lists and
tables. A `Table` rejects everything else, and converts nothing: ``true`` is not a number, and
``"1"`` neither.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

#: The deepest nesting of tables and lists.
DEEPEST = 32

#: Whole numbers: neurons or pixels along one axis, steps or epochs, and other counts.
Size = Annotated[int, Field(ge=1, le=10**6)]
Steps = Annotated[int, Field(ge=1, le=10**6)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Natural = Annotated[int, Field(ge=0, le=10**6)]
Threads = Annotated[int, Field(ge=1, le=1024)]

#: A number greater than 0 whose products with others of its kind stay finite, also in 32 bits.
Positive = Annotated[float, Field(ge=1e-12, le=1e12)]


class Table(BaseModel):
    """A table: no unknown key, no conversion of types, plain values only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    #: Keys that are younger than the format: documents, and their hashes, have them only where
    #: they differ from the default.
    newer: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_newer_defaults(self, serialise: Any) -> dict[str, Any]:
        fields: dict[str, Any] = serialise(self)
        for name in self.newer & fields.keys():
            default = type(self).model_fields[name].get_default(call_default_factory=True)
            if getattr(self, name) == default:
                del fields[name]
        return fields

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        check_plain(values)
        return _of_python(values)


def _of_python(value: Any) -> Any:
    """Return values with those of NumPy as numbers, texts and lists of Python."""
    if isinstance(value, dict):
        return {key: _of_python(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_of_python, value))
    return value.tolist() if type(value).__module__ == "numpy" else value


def check_plain(value: Any, *, finite: bool = True) -> None:
    """Reject deep nesting, numbers that are too long or not finite, and texts with NUL.

    Parameters
    ----------
    value
        A value of a document.
    finite
        Whether to reject infinity and NaN.

    Raises
    ------
    ValueError
        Naming the key.
    """
    remaining: list[tuple[str, Any, int]] = [("", value, 0)]
    while remaining:
        key, each, depth = remaining.pop()
        name = key or "a value"
        match each:
            case dict() | list() | tuple() if depth > DEEPEST:
                raise ValueError(f"{key.partition('.')[0]}: nested more than {DEEPEST} deep")
            case dict():
                _check_text("a key", "".join(map(str, each)))
                remaining += ((f"{key}.{k}".lstrip("."), v, depth + 1) for k, v in each.items())
            case list() | tuple():
                remaining += ((key, item, depth + 1) for item in each)
            case str():
                _check_text(name, each)
            case float() if finite and not math.isfinite(each):
                raise ValueError(f"{name} is not finite: expected a finite number, found {each}")
            case int() if not -(2**63) <= each < 2**64:
                raise ValueError(f"{name} is a whole number of more than 64 bits")


def _check_text(key: str, text: str) -> None:
    if "\0" in text or (not text.isascii() and re.search("[\ud800-\udfff]", text)):
        raise ValueError(f"{key} holds a character that is not text: NUL, or half a pair")
