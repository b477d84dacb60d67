"""Progress of a training on the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bioae.progress import is_watched

if TYPE_CHECKING:
    from bioae.runs import Report

#: The seconds between two lines on finished epochs: short runs print none.
_QUIET = 10.0


def shown_progress() -> Callable[[Report], None] | None:
    """Return a function that prints finished epochs to a log; None: a terminal shows a bar."""
    if is_watched():
        return None
    started = printed = time.monotonic()
    epoch: int | None = None

    def report(at: Report) -> None:
        nonlocal epoch, printed
        now = time.monotonic()
        if epoch not in (None, at.epoch) and now - printed > _QUIET:
            score = "" if at.score is None else f", validation {at.score:.4g}"
            text = f"epoch {epoch} of {at.epochs}{score}, {now - started:.0f} s"
            print(text, file=sys.stderr, flush=True)
            printed = now
        epoch = at.epoch

    return report
