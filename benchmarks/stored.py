"""Results that take minutes: written as they come, so that a command that is run again goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bioae.files import atomic_output

__all__ = ["RESULTS", "Stored", "write_text"]

RESULTS = Path(__file__).parent.parent / "docs" / "results"

_PACKAGES = ("bioae", "brian2", "numpy", "scipy", "torch")


class Stored:
    """The rows of a result, each with a key, in a JSON file.

    Parameters
    ----------
    path
        The file; what it holds of the same command is kept.
    command
        What makes it.
    packages
        Whose versions it depends on.
    """

    def __init__(self, path: Path, command: str, packages: Sequence[str] = _PACKAGES) -> None:
        self._path = path
        self._command = command
        self._packages = packages
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self.rows = json.loads(path.read_text(encoding="utf-8"))["rows"]

    def find(self, **key: Any) -> dict[str, Any] | None:
        """Return the row of that key, if it is there."""
        return next((r for r in self.rows if all(r.get(k) == v for k, v in key.items())), None)

    def add(self, row: dict[str, Any]) -> None:
        """Add a row, and write the file."""
        self.rows.append(row)
        versions = {package: version(package) for package in self._packages}
        found = {"command": self._command, "versions": versions, "rows": self.rows}
        write_text(self._path, json.dumps(found, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
