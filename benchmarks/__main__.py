"""Measure how long commands, imports and first results take, into ``results/starting.md``."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.starting import imports, starts
from benchmarks.tables import Table, write

__all__ = ["main"]


def main() -> None:
    """Measure, print the table, and write it."""
    rows = [asdict(row) for row in (*imports(), *starts())]
    write("starting", "python -m benchmarks", Table("Starting", rows))


if __name__ == "__main__":
    main()
