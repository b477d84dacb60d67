"""Interrupts: Ctrl-C is never lost, and SIGTERM acts like it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["ends_by_status", "interrupts_kept", "terminated_as_interrupted"]

_AGAIN_SECONDS = 0.01


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Repeat a ``KeyboardInterrupt`` that Python drops in a finaliser or a callback."""
    before, at_interrupts = sys.unraisablehook, signal.getsignal(signal.SIGINT)
    if at_interrupts is signal.SIG_IGN:
        # As shells start jobs in the background; Brian2 would call what it finds there.
        signal.signal(signal.SIGINT, lambda *_: None)

    def hook(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Raised from here, it would be dropped again.
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        if at_interrupts is signal.SIG_IGN:
            signal.signal(signal.SIGINT, at_interrupts)


def ends_by_status() -> None:
    """Let this process end by its exit status after an interrupt that was caught.

    ``python -m`` ends by the signal instead if it arrived in code that was executed from a string,
    as libraries do while they are imported, until other such code runs.
    """
    exec("")


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM, which batch systems send, like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
