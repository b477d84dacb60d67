"""Errors pinned by their class and their fields, in one line per case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bioae.errors import BioaeError

#: A field's value: equal to a text or a path, matched by a pattern, or absent.
Field = str | Path | re.Pattern[str] | None


@contextmanager
def refused(
    kind: type[BioaeError], *names: object, **fields: Field
) -> Iterator[pytest.ExceptionInfo[BioaeError]]:
    """Expect an error, as in ``with refused(DataError, where="data", found="(3, 4)"):``.

    A table test passes the fields of each case: ``with refused(NetworkError, **case):``.

    Parameters
    ----------
    kind
        Its class, exactly: no subclass.
    names
        Names and values that its line contains, such as a key, a layer or a number; no prose.
    fields
        `where`, `expected`, `found` and `hint` that it has; fields left out may have any value.
    """
    assert fields.keys() <= {"where", "expected", "found", "hint"}
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind, error
    for name, value in fields.items():
        actual = getattr(error, name)
        if isinstance(value, re.Pattern):
            assert value.search(actual or ""), (name, actual, error)
        else:
            assert actual == (value if value is None else str(value)), (name, error)
    assert not [name for name in names if str(name) not in str(error)], error


def place(file: str, where: str) -> str:
    """Return the field `where` of an error at a place in a file, or of the file if it is empty."""
    return f"{file}, {where}" if where else file
