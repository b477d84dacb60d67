"""Types and validators that options of several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeAlias, TypeVar

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from bioae.errors import InputError, shortened

Value = TypeVar("Value")

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")


def whole(least: int, most: int = 10**9) -> Parameter:
    """Return the parameter of an option that is a whole number from `least` to `most`."""
    return Parameter(converter=_whole, validator=Number(gte=least, lte=most))


def check_effect(reason: str, **options: object) -> None:
    """Reject options that would be ignored for a reason; None, False and () are not given."""
    names = [
        f"--{name.replace('_', '-')}"
        for name, value in options.items()
        if not (value is None or value is False or value == ())
    ]
    if names:
        raise InputError(
            f"no effect, because {reason}", where=", ".join(names),
            hint=f"Leave out {' and '.join(names)}",
        )  # fmt: skip


def assigned(
    texts: Sequence[str], read: Callable[[str], Value], *, where: str, expected: str
) -> dict[str, Value]:
    """Read texts such as ``name=value``."""
    values: dict[str, Value] = {}
    for text in texts:
        name, _, value = map(str.strip, text.partition("="))
        try:
            if not name or not value:
                raise ValueError
            read_value = read(value)
        except ValueError:
            what = f"the {where.removeprefix('--')} cannot be read"
            raise InputError(what, where=where, expected=expected, found=repr(text)) from None
        if name in values:
            raise InputError("a name is there twice", where=where, found=repr(name))
        values[name] = read_value
    return values


def _integer(text: str) -> int:
    """Return a whole number; of what libraries read too, reject 1.5, "1_0" and other scripts."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"expected a whole number, found {shortened(text, 40)!r}.")
    return int(text)


def _whole(_: object, tokens: Sequence[Token]) -> int:
    return _integer(tokens[0].value)


def _sizes(_: object, tokens: Sequence[Token]) -> tuple[int, ...]:
    return tuple(map(_integer, _separated(_, tokens)))


def _separated(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    # A comma within brackets separates nothing.
    parts = (re.split(r",(?![^\[]*\])", token.value) for token in tokens)
    return tuple(part.strip() for several in parts for part in several)


#: The number of examples, neurons or epochs; of steps; of processes.
Positive = Annotated[int, whole(1)]
Steps = Annotated[int, whole(1, 10**6)]
Workers = Annotated[int, whole(1, 1024)]

#: A seed, an unsigned 64-bit integer.
Seed = Annotated[int, whole(0, 2**64 - 1)]

#: A part of a data set.
Split: TypeAlias = Literal["train", "test"]

#: One or more words after one option, separated by spaces or commas.
Several = Annotated[tuple[str, ...], Parameter(consume_multiple=1, converter=_separated)]

#: Whether to print plain data for other programs.
Json = Annotated[bool, Parameter(help="Print one line of JSON.")]

#: Whole numbers after one option, separated by spaces or commas.
Sizes = Annotated[tuple[int, ...], Parameter(consume_multiple=1, converter=_sizes)]
