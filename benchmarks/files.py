"""From the command to the file: a simulation in C++ on one core, its program compiled before.

``python -m benchmarks.files`` writes ``results/files.json`` and ``files.md``. Processor time
includes that of the programs that a process starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.interleaved import summary_row
from benchmarks.stored import Table, parser, pending_tables, write_table
from bioae import open_result, simulate, write_result

_COMMAND = "python -m benchmarks.files"
_NETWORK, _DIGITS = "sae-mnist-leaky", 500
_TITLE = f"{_DIGITS} digits of {_NETWORK}"


def main() -> None:
    """Measure, print the table, and write it."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--runs", type=int, default=7, help="rounds that count")
    options = arguments.parse_args()
    for title in pending_tables("files", [_TITLE], resume=options.resume):
        with tempfile.TemporaryDirectory() as folder:
            rounds = [_round(Path(folder) / "r.nc") for _ in range(options.runs + 1)][1:]
        times = {what: [seconds[what] for seconds, _ in rounds] for what in rounds[0][0]}
        rows = [asdict(summary_row(what, values)) for what, values in times.items()]
        note = f"{rounds[0][1]:,} spikes; processor time unless noted"
        write_table("files", _COMMAND, Table(title, rows, [note]))


def _round(path: Path) -> tuple[dict[str, float], int]:
    """Return the seconds of each part, and the number of spikes."""
    own, program, _, result = _timed(
        lambda: simulate(_NETWORK, "sample", limit=_DIGITS, progress=False)
    )
    writing, *_ = _timed(lambda: write_result(result, path, overwrite=True))
    opening, *_ = _timed(lambda: open_result(path))
    words = ["simulate", _NETWORK, "--limit", str(_DIGITS), "--out", str(path), "--overwrite"]
    line = [sys.executable, "-m", "bioae", *words]
    _, command, wall, _ = _timed(lambda: subprocess.run(line, check=True, capture_output=True))
    spikes = sum(int(each.spike_count.sum()) for each in result["layers"].children.values())
    return {
        "the compiled program": program,
        "simulate, without the program": own,
        "write_result": writing,
        "open_result": opening,
        "bioae simulate": command,
        "bioae simulate, wall time": wall,
    }, spikes


def _timed(work: Callable[[], Any]) -> tuple[float, float, float, Any]:
    """Return the processor's seconds of this process and of those it starts, seconds, result."""
    before, start = os.times(), time.perf_counter()
    result = work()
    after, wall = os.times(), time.perf_counter() - start
    own = after.user + after.system - before.user - before.system
    started = after.children_user + after.children_system
    return own, started - before.children_user - before.children_system, wall, result


if __name__ == "__main__":
    main()
