"""A process that has imported the libraries, and runs each command line in a child of its own.

It reads a case per line of JSON (arguments, environment, folder) from standard input, and writes
the status, the output and the time of each. A child that takes longer than the limit is killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

LIMIT = 10.0


def run(case: dict[str, Any]) -> dict[str, Any]:
    """Run a command line in a child, in its folder, with files for its output."""
    folder = Path(case["folder"])
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        _command(case, folder)
    handle = os.pidfd_open(child)
    hung = not select.select([handle], [], [], LIMIT)[0]
    if hung:
        os.killpg(child, signal.SIGKILL)
    os.close(handle)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {
        "status": "hung" if hung else status,
        "seconds": time.monotonic() - begin,
        "out": Path(f"{folder}.out").read_text(errors="backslashreplace"),
        "err": Path(f"{folder}.err").read_text(errors="backslashreplace"),
    }


def _command(case: dict[str, Any], folder: Path) -> None:
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(case["environment"])
    sys.argv = ["bioae", *case["arguments"]]
    sys.stdin = sys.__stdin__
    status = 70
    try:
        from bioae.cli import main

        status = main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def serve() -> None:
    """Import the libraries, and answer the cases."""
    import bioae.analysis.report.pipeline
    import bioae.cli.analyze
    import bioae.cli.app
    import bioae.cli.changes
    import bioae.cli.neurons
    import bioae.cli.parity
    import bioae.cli.simulate
    import bioae.cli.train
    import bioae.responses.calibration
    import bioae.simulation.run
    import bioae.trainers.parity.networks
    import bioae.trainers.training.training  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
