"""Run the benchmarks of starting, training, simulation and analysis, each in a new process."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.stored import parser

__all__ = ["main"]

_BENCHMARKS = ("starting", "training", "simulation", "analysis")


def main() -> None:
    """Run them one after another, and stop at the first that fails."""
    options = parser("python -m benchmarks", __doc__).parse_args()
    for name in _BENCHMARKS:
        command = [sys.executable, "-m", f"benchmarks.{name}", *["--resume"] * options.resume]
        if status := subprocess.run(command, check=False).returncode:
            raise SystemExit(status)


if __name__ == "__main__":
    main()
