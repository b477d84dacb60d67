"""Values for the fields of files and the options of commands, and the rules that judge them.

The rules are written here and know nothing of the product: each says of a value whether it is
valid in a field of that kind. Valid values that would take long are not among the values.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "NUMBERS",
    "OPTION_TEXTS",
    "TIMES",
    "VALUES",
    "Field",
    "changed",
    "either",
    "flag",
    "nothing",
    "number",
    "one_of",
    "text",
    "text_number",
    "time",
    "whole",
]

Rule = Callable[[Any], bool]

#: Values of every type that TOML has, at the edges of their ranges.
VALUES: tuple[Any, ...] = (
    True, False, 0, 1, 2, -1, -(2**31), 2**31, 2**53 + 1, 2**63, 10**30, 10**400,
    0.0, 0.5, 1.0, -0.5, 1e-320, 1e308, math.inf, -math.inf, math.nan,
    "", " ", "1", "true", "nan", "no such thing", "~nouser/x", "a\0b", "é" * 300, "../..",
    "x" * 5000,
    [], [1], [1, 2, 3], ["a"], [[]], [True], [math.nan, "20*Hz"], [0.1, "1e300*Hz"],
    {}, {"a": 1}, {"kind": "dense"}, {"kind": 1}, {"model": 1}, {"name": "sample"},
    dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 1), dt.time(1),
)  # fmt: skip

#: Texts for a time.
TIMES = (
    "1*ms", "0.5*ms", "0*ms", "-1*ms", "-0.0*ms", "1e300*second", "1e-300*second", "inf*ms",
    "nan*ms", "1e400*ms", "1", "1*mV", "1*ms**2", "ms", "1 ms", "1*", "1/0*ms", "ms/0", "", " ",
    "tau", "abc", "__import__('os').getcwd()", "1*ms; 2*ms", "(" * 300 + "1*ms" + ")" * 300,
    "9" * 400 + "*ms", "1e308*1e308*ms", "0**-1*ms", "'1'*ms", "[1]*ms", "1*ms\0",
)  # fmt: skip

#: Texts for a number.
NUMBERS: tuple[str, ...] = (
    "1",
    "0.5",
    "1e308",
    "-1e308",
    "inf",
    "nan",
    "1*mV",
    "",
    "abc",
    "1/0",
    "9" * 400,
    "1\0",
)

#: Texts for an option.
OPTION_TEXTS = (
    "", " ", "-1", "0", "1", "2", "01", "1.5", "1e3", "1_0", "١", "9" * 25, "9" * 5000, "abc",
    "inf",
    "nan", "true", "0x10", "~nouser/x", "/dev/null/x", "no/such/file", "é", "\udcff", "a=b", "=",
    "1,1", "0,", ",", "1,-1", "tau=nan", "tau=-1", "tau=1e308", "tau=", "theta=0.1=2", "x=0.1",
    "%s",
    "{0}", "$HOME", "\n", "a\nb", "\x1b[31m", "[bold]", "x" * 5000, "-", "--", "*", ".", "..",
    *TIMES[:-1],
)  # fmt: skip


class Field(NamedTuple):
    """A field of a document: its path, and the rule that says whether a value is valid."""

    path: tuple[str | int, ...]
    rule: Rule
    values: tuple[Any, ...] = VALUES


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of a document with another value at a path."""
    if not path:
        return value
    first, *rest = path
    copied = list(document) if isinstance(document, list) else dict(document)
    inner = copied[first] if isinstance(first, int) else copied.get(first, {})
    copied[first] = changed(inner, tuple(rest), value)
    return copied


# Rules


def whole(low: int, high: int) -> Rule:
    """Return the rule of a whole number, which true and 1.0 are not."""
    return lambda value: type(value) is int and low <= value <= high


def number(low: float, high: float = math.inf, *, above: bool = False) -> Rule:
    """Return the rule of a finite number, from `low`, or above it."""
    return lambda value: (
        type(value) in (int, float)
        and math.isfinite(float(value) if abs(value) < 1e300 else math.inf)
        and low <= value <= high
        and not (above and value == low)
    )


def one_of(*values: Any) -> Rule:
    """Return the rule of a choice."""
    return lambda value: any(type(value) is type(each) and value == each for each in values)


def either(*rules: Rule) -> Rule:
    """Return the rule that one of several rules holds."""
    return lambda value: any(rule(value) for rule in rules)


def text(value: Any) -> bool:
    """Return whether a value is text."""
    return type(value) is str and "\0" not in value


def flag(value: Any) -> bool:
    """Return whether a value is true or false."""
    return type(value) is bool


def nothing(value: Any) -> bool:
    """Return False: no value of the list is valid."""
    return False


#: The seconds of the valid times among `TIMES`.
SECONDS = {"1*ms": 1e-3, "0.5*ms": 5e-4, "ms": 1e-3}


def time(least: float = 1e-12, most: float = 1e6) -> Rule:
    """Return the rule of a text of a time, in seconds."""
    zero = {"0*ms": 0.0, "-0.0*ms": 0.0, "1e-300*second": 1e-300} if least == 0 else {}
    known = {**SECONDS, **zero}
    return lambda value: type(value) is str and least <= known.get(value, math.nan) <= most


def text_number(low: int, high: int) -> Rule:
    """Return the rule of an option that is a whole number."""
    return lambda text: bool(re.fullmatch(r"[+-]?[0-9]{1,20}", text)) and low <= int(text) <= high
