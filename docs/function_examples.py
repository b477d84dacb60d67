"""Examples of public functions, which the reference shows below each: ``reference/examples/``.

A file begins with what its examples share. A line with the name of a function follows, then its
example as a Python session, which ``tests/docs/test_site.py`` runs.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("reference") / "examples"

#: A line with the name of a function.
_NAMES = re.compile(r"^(bioae\.[\w.]+)$", re.MULTILINE)


@cache
def examples() -> dict[str, list[str]]:
    """Return the lines of the example of each function, by its full name."""
    found: dict[str, list[str]] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        shared, *parts = _NAMES.split(path.read_text(encoding="utf-8"))
        for name, lines in zip(parts[::2], parts[1::2], strict=True):
            session = [*shared.splitlines(), *lines.splitlines()]
            found[name] = [line.replace("  # doctest: +SKIP", "") for line in session if line]
    return found
