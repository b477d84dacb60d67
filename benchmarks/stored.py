"""Stored results of the benchmarks: rows and tables as JSON, and the Markdown made from them.

A benchmark measures everything that was requested, and replaces earlier results. It writes each
result as soon as it is measured, so that ``--resume`` continues an interrupted run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bioae.files import write_text
from experiments.runner.provenance import processor

#: Results of the benchmarks, and results that pages of the documentation include.
RESULTS = Path(__file__).parent / "results"
DOCS_RESULTS = Path(__file__).parents[1] / "docs" / "results"

_PACKAGES = ("bioae", "brian2", "numpy", "scipy", "torch")
_MACHINE_PACKAGES = (
    "bioae", "brian2", "numpy", "torch", "snntorch", "spikingjelly", "norse", "elephant",
)  # fmt: skip
_COLUMNS = (
    "median", "lowest", "highest", "spikes_per_image", "megabytes",
    "elephant_s", "bioae_s", "difference",
)  # fmt: skip


def parser(command: str, description: str | None) -> argparse.ArgumentParser:
    """Return the command line of a benchmark, with its option ``--resume``."""
    first_line = (description or "").partition("\n")[0]
    options = argparse.ArgumentParser(prog=command, description=first_line)
    options.add_argument(
        "--resume", action="store_true", help="keep the stored results, and measure what is missing"
    )
    return options


class Stored:
    """Rows of a result in a JSON file, each identified by a key.

    Parameters
    ----------
    path
        The file.
    command
        The command that writes it.
    packages
        The packages whose versions are stored with it.
    """

    def __init__(self, path: Path, command: str, packages: Sequence[str] = _PACKAGES) -> None:
        self._path = path
        self._command = command
        self._packages = packages
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self.rows = json.loads(path.read_text(encoding="utf-8"))["rows"]

    def pending(
        self, keys: Iterable[Mapping[str, Any]], *, resume: bool
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the keys to measure.

        Parameters
        ----------
        keys
            Keys of the requested rows.
        resume
            Whether to skip keys that have a row; else their rows are removed first.
        """
        keys = list(keys)
        if not resume:
            self.rows = [row for row in self.rows if not any(_has(row, key) for key in keys)]
            self.add()  # an interruption before the first row must not leave the former ones
        yield from (key for key in keys if not any(_has(row, key) for row in self.rows))

    def add(self, *rows: dict[str, Any]) -> None:
        """Add rows, and write the file."""
        self.rows += rows
        versions = {package: version(package) for package in self._packages}
        content = {"command": self._command, "versions": versions, "rows": self.rows}
        write_text(self._path, json.dumps(content, indent=2) + "\n", overwrite=True)


def _has(row: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in key.items())


@dataclass
class Table:
    """Figures that were measured in one comparison.

    Attributes
    ----------
    title
        The heading.
    rows
        Each with `what`, `unit`, `median`, `lowest`, `highest`, and further columns.
    notes
        Conclusions, one line each.
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


def pending_tables(
    name: str, titles: Iterable[str], *, resume: bool, folder: Path = RESULTS
) -> Iterator[str]:
    """Yield the titles of the tables to measure.

    Parameters
    ----------
    name
        The name of the result's files.
    titles
        Beginnings of the requested titles.
    resume
        Whether to skip tables that are stored; else they are removed from the JSON file first.
    folder
        The folder of the files.
    """
    titles, path = tuple(titles), folder / f"{name}.json"
    if not path.exists():
        yield from titles
        return
    content = json.loads(path.read_text(encoding="utf-8"))
    if not resume:
        content["tables"] = [t for t in content["tables"] if not t["title"].startswith(titles)]
        write_text(path, json.dumps(content, indent=2) + "\n", overwrite=True)
    stored = [table["title"] for table in content["tables"]]
    yield from (title for title in titles if not any(s.startswith(title) for s in stored))


def write_table(name: str, command: str, table: Table, *, folder: Path = RESULTS) -> None:
    """Print a table, and store it in the files of that name in place of an older one."""
    print(table.markdown(), flush=True)
    path = folder / f"{name}.json"
    tables = json.loads(path.read_text(encoding="utf-8"))["tables"] if path.exists() else []
    tables = [each for each in tables if each["title"] != table.title]
    tables.append({**asdict(table), "machine": machine()})
    write_text(
        path, json.dumps({"command": command, "tables": tables}, indent=2) + "\n", overwrite=True
    )
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    texts = (Table(each["title"], each["rows"], each["notes"]).markdown() for each in tables)
    head = f"# {name.capitalize()}\n\nWritten by `{command}`; {about}. Medians; compare ratios.\n"
    write_text(folder / f"{name}.md", "\n".join([head, *texts]), overwrite=True)


def machine() -> dict[str, object]:
    """Return the processor and the versions of Python and of the packages."""
    about: dict[str, object] = {"cores": os.cpu_count(), "python": platform.python_version()}
    about["processor"] = processor()
    for package in _MACHINE_PACKAGES:
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            continue
    return about
