"""Tables of figures: printed, and kept as JSON and Markdown under ``results/``."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.stored import write_text

__all__ = ["Table", "machine", "write"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "bioae", "brian2", "numpy", "torch", "snntorch", "spikingjelly", "norse", "elephant",
)  # fmt: skip
_COLUMNS = (
    "median", "lowest", "highest", "spikes_per_image", "megabytes",
    "elephant_s", "bioae_s", "difference",
)  # fmt: skip


@dataclass
class Table:
    """Figures that were measured side by side.

    Attributes
    ----------
    title
        What of.
    rows
        Each with `what`, `unit`, `median`, `lowest`, `highest`, and whatever else was found.
    notes
        What follows from them, a line each.
    """

    title: str
    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def row(self, what: str) -> dict[str, Any]:
        """Return the row of that name."""
        return next(row for row in self.rows if row["what"] == what)

    def median(self, what: str) -> float:
        """Return the median of the row of that name."""
        return float(self.row(what)["median"])

    def markdown(self) -> str:
        """Return the table as Markdown."""
        columns = [name for name in _COLUMNS if any(name in row for row in self.rows)]
        lines = [
            f"## {self.title}",
            "",
            f"| | {' | '.join(name.replace('_', ' ') for name in columns)} | unit |",
            f"| --- |{' ---: |' * len(columns)} --- |",
        ]
        for row in self.rows:
            figures = (f"{row[name]:,.4g}" if name in row else "" for name in columns)
            lines.append(f"| {row['what']} | {' | '.join(figures)} | {row['unit']} |")
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes), ""])


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    found: dict[str, object] = {"cores": os.cpu_count(), "python": platform.python_version()}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            found["processor"] = line.partition(":")[2].strip()
            break
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write(name: str, command: str, table: Table) -> None:
    """Print a table, and put it into the files of that name in place of an older one."""
    print(table.markdown(), flush=True)
    path = _RESULTS / f"{name}.json"
    tables = json.loads(path.read_text(encoding="utf-8"))["tables"] if path.exists() else []
    tables = [each for each in tables if each["title"] != table.title]
    tables.append({**asdict(table), "machine": machine()})
    write_text(path, json.dumps({"command": command, "tables": tables}, indent=2) + "\n")
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    texts = (Table(each["title"], each["rows"], each["notes"]).markdown() for each in tables)
    head = f"# {name.capitalize()}\n\nWritten by `{command}`; {about}. Medians; compare ratios.\n"
    write_text(_RESULTS / f"{name}.md", "\n".join([head, *texts]))
