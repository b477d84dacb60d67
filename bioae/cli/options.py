"""Types and validators that options of several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token
from cyclopts.validators import Number

__all__ = ["Natural", "Positive", "Several", "whole"]


def whole(least: int) -> Parameter:
    """Return the parameter of an option that is a whole number of at least `least`."""
    return Parameter(converter=_whole, validator=Number(gte=least))


def _whole(_: object, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    try:
        # The library's own conversion rounds 1.5 to 2.
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, found {text!r}.") from None


#: A whole number of at least 1.
Positive = Annotated[int, whole(1)]

#: A whole number of at least 0.
Natural = Annotated[int, whole(0)]

#: One or more words after one option.
Several = Annotated[tuple[str, ...], Parameter(consume_multiple=1)]
