"""Run all benchmarks, each in a new process; that of learning needs the data set ``mnist``."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.stored import parser
from bioae.files import user_cache, write_text

#: The benchmarks, which are modules of this package, in their order.
NAMES = (
    "starting", "files", "training", "recurrent", "simulation", "scripts", "analysis", "learning",
)  # fmt: skip


def main() -> None:
    """Run them one after another, and stop at the first that fails."""
    options = parser("python -m benchmarks", __doc__).parse_args()
    unfinished = user_cache() / "benchmarks" / "unfinished.json"
    pending = list(NAMES)
    if options.resume:
        if not unfinished.exists():
            raise SystemExit("There is no interrupted run. Start one: python -m benchmarks")
        pending = json.loads(unfinished.read_text(encoding="utf-8"))
    for place, name in enumerate(pending):
        write_text(unfinished, json.dumps(pending[place:]) + "\n", overwrite=True)
        # Only the first of them was interrupted; the stored rows of the others are older.
        resume = options.resume and place == 0
        command = [sys.executable, "-m", f"benchmarks.{name}", *["--resume"] * resume]
        if status := subprocess.run(command, check=False).returncode:
            raise SystemExit(status)
    unfinished.unlink()


if __name__ == "__main__":
    main()
