"""Start-up time: commands and imports in a new process, and the time to the first result.

``python -m benchmarks.starting`` writes ``results/starting.json`` and ``starting.md``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.interleaved import Row, summary_row
from benchmarks.stored import Table, parser, pending_tables, write_table

_COMMAND = "python -m benchmarks.starting"
_TITLE = "Starting"
_RUNS = 5

_CODE = """
import sys
import time
from bioae.datasets import load
from bioae.networks import Network, NetworkConfig
from bioae import simulate
network = Network.initialise(NetworkConfig.preset("strided")).quantised()
digit = load("sample", "test", 1)
start = time.perf_counter()
simulate(network, digit, sys.argv[1])
print(time.perf_counter() - start)
"""


def main() -> None:
    """Measure, print the table, and write it."""
    options = parser(_COMMAND, __doc__).parse_args()
    for title in pending_tables("starting", [_TITLE], resume=options.resume):
        rows = [asdict(row) for row in (*_imports(), *_first_results())]
        write_table("starting", _COMMAND, Table(title, rows))


def _imports() -> Iterator[Row]:
    """Yield the time of commands and imports, each in a new process."""
    modules = ("brian2", "bioae.simulation.run", "bioae.trainers.training.training")
    for what, arguments in (
        ("bioae --help", ["-m", "bioae", "--help"]),
        *((f"import {name}", ["-c", f"import {name}"]) for name in modules),
    ):
        times = []
        for _ in range(_RUNS + 1):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        yield summary_row(what, times[1:])  # the first run reads from a cold disk


def _first_results() -> Iterator[Row]:
    """Yield the time to the first result, of one digit in the strided network."""
    with tempfile.TemporaryDirectory() as folder:
        empty = [Path(folder) / str(number) for number in range(_RUNS)]
        for case, target, caches in (
            ("numpy", "numpy", [Path(folder)] * _RUNS),
            ("cpp_standalone, empty cache", "cpp_standalone", empty),
            ("cpp_standalone, cached build", "cpp_standalone", [empty[0]] * _RUNS),
        ):
            what = f"{case}: first result after imports, strided network"
            yield summary_row(what, [first_result_seconds(target, cache) for cache in caches])


def first_result_seconds(target: str, cache: Path) -> float:
    """Return the seconds from imports to a result, in a new process with a folder of builds."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE, target],
        env={**os.environ, "BIOAE_CACHE": str(cache)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
