"""Run all benchmarks: a table on standard output, JSON and Markdown under benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks.rows import rows
from benchmarks.timing import Row
from bioae.files import atomic_output

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("bioae", "brian2", "numpy", "torch")


def main() -> None:
    """Measure, print each figure as it comes, and write them all."""
    measured = []
    for row in rows():
        print(_line(row), flush=True)
        measured.append(row)
    machine: dict[str, object] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }
    found = {"command": "make bench", "machine": machine, "rows": [asdict(row) for row in measured]}
    _write("benchmarks.json", json.dumps(found, indent=2) + "\n")
    _write("benchmarks.md", _markdown(machine, measured))


def _line(row: Row) -> str:
    return f"{row.median:10.4g}  {row.unit:12} ({row.lowest:.4g} to {row.highest:.4g})  {row.what}"


def _markdown(machine: dict[str, object], measured: list[Row]) -> str:
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench`; {about}.",
        "Medians with the fastest and the slowest run; machines are noisy, compare ratios.",
        "",
        "| what | median | fastest | slowest | unit |",
        "| --- | ---: | ---: | ---: | --- |",
        *(
            f"| {r.what} | {r.median:.4g} | {r.lowest:.4g} | {r.highest:.4g} | {r.unit} |"
            for r in measured
        ),
    ]
    return "\n".join(lines) + "\n"


def _write(name: str, text: str) -> None:
    with atomic_output(_RESULTS / name, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
