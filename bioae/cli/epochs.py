"""Progress of a training on the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bioae.progress import is_watched, lasting

if TYPE_CHECKING:
    from bioae.runs import Report

#: The seconds between two lines: short runs print none.
_QUIET = 10.0


def shown_progress() -> Callable[[Report], None] | None:
    """Return a function that prints progress to a log; None: a terminal shows a bar.

    The first line foretells the time that is left, the others are on finished epochs.
    """
    if is_watched():
        return None
    started = printed = time.monotonic()
    begun: tuple[float, int] | None = None

    def report(at: Report) -> None:
        nonlocal begun, printed
        now, text = time.monotonic(), ""
        begun = begun or (now, at.done)
        since, waited = now - begun[0], now - printed
        if at.done * at.epochs == at.epoch * at.total:  # the epoch is finished
            score = "" if at.score is None else f", validation {at.score:.4g}"
            if waited > _QUIET or (at.done == at.total and now - started > _QUIET):
                text = f"epoch {at.epoch} of {at.epochs}{score}, {now - started:.0f} s"
        elif printed == started and since > _QUIET:
            left = at.total - at.done
            text = f"{left:,} presentations left, {lasting(since / (at.done - begun[1]) * left)}"
        if text:
            print(text, file=sys.stderr, flush=True)
            printed = now

    return report
