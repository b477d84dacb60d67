"""The helper of the error tests catches a wrong class, field or name."""

import re
from pathlib import Path
from typing import Any

import pytest
from refusals import refused

from bioae.errors import DataError, InputError

ERROR = DataError("no pixels in 'a'", where="a/b", found="0", hint="Add some.")


@pytest.mark.parametrize(
    ("kind", "names", "fields"),
    [
        (DataError, ("'a'", 0), {"where": Path("a/b"), "found": "0", "expected": None}),
        (DataError, (), {"hint": re.compile("^Add")}),
    ],
)
def test_an_error_as_expected_passes(
    kind: Any, names: tuple[object, ...], fields: dict[str, Any]
) -> None:
    with refused(kind, *names, **fields):
        raise ERROR


@pytest.mark.parametrize(
    ("kind", "names", "fields"),
    [
        (InputError, (), {}),
        (DataError, ("'b'",), {}),
        (DataError, (), {"where": "b"}),
        (DataError, (), {"found": None}),
        (DataError, (), {"expected": re.compile("x")}),
        (DataError, (), {"what": "no pixels"}),
    ],
)
def test_another_error_fails(kind: Any, names: tuple[object, ...], fields: dict[str, Any]) -> None:
    with pytest.raises(AssertionError), refused(kind, *names, **fields):
        raise ERROR
