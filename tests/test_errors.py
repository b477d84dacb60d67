"""Errors as users see them."""

import re
import sys

import pytest
from brian2.utils.logger import brian_excepthook

from bioae.errors import InputError


def test_long_errors_keep_everything_but_the_middle_of_what_they_quote() -> None:
    error = InputError("ab" * 3000 + "end", where="here", found="x" * 3000, hint="Do that")
    assert re.fullmatch(r"here: a[ab]+\.\.\.[ab]+end; found x+\.\.\.\. Do that", str(error))
    assert len(str(error)) < 2100


def test_uncaught_errors_are_printed_as_python_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", brian_excepthook)
    error = InputError("no pixels")
    sys.excepthook(InputError, error, None)
    assert capsys.readouterr().err == "bioae.errors.InputError: no pixels\n"
