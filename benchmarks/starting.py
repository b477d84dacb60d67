"""How long a new process takes to import what it needs, and from there to the first result."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.timing import Row, measure

__all__ = ["imports", "starts"]

_RUNS = 5

_CODE = """
import sys
import time
from bioae.datasets import load
from bioae.networks.network import Network, NetworkConfig
from bioae.simulation.run import simulate
network = Network.initialise(NetworkConfig.preset("strided")).quantised()
digit = load("sample", "test", 1)
start = time.perf_counter()
simulate(network, digit, sys.argv[1])
print(time.perf_counter() - start)
"""


def imports() -> Iterator[Row]:
    """Yield the time of commands and imports, each in a new process."""
    for what, arguments in (
        ("bioae --help", ["-m", "bioae", "--help"]),
        ("import brian2", ["-c", "import brian2"]),
        ("import bioae.simulation.run", ["-c", "import bioae.simulation.run"]),
        ("import bioae.trainers.training.train", ["-c", "import bioae.trainers.training.train"]),
    ):
        command = [sys.executable, *arguments]
        yield measure(what, partial(subprocess.run, command, check=True, capture_output=True))


def starts() -> Iterator[Row]:
    """Yield the time to the first result, of one digit in the strided network."""
    with tempfile.TemporaryDirectory() as folder:
        yield _row("numpy", "numpy", [Path(folder)] * _RUNS)
        emptied = [Path(folder) / str(number) for number in range(_RUNS)]
        yield _row("cpp_standalone", "cpp_standalone, nothing kept", emptied)
        yield _row("cpp_standalone", "cpp_standalone, kept", [emptied[0]] * _RUNS)


def _row(target: str, what: str, caches: list[Path]) -> Row:
    times = [_seconds(target, cache) for cache in caches]
    what = f"{what}: first result after imports, strided network"
    return Row(what, "s", statistics.median(times), min(times), max(times), len(times))


def _seconds(target: str, cache: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, target],
        env={**os.environ, "BIOAE_CACHE": str(cache)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)
