"""Runs that are stopped on their way, as the kill of a process stops them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from bioae.runs import Report

Stop = Callable[[Report], None]


class StoppedError(Exception):
    """A run ends without a chance to save."""


def at_presentation(number: int, error: type[BaseException] = StoppedError) -> Stop:
    """Return a progress that ends a run once it has seen so many presentations."""

    def stop(report: Report) -> None:
        if report.done >= number:
            raise error

    return stop


def at_report(number: int) -> Stop:
    """Return a progress that ends a run at this one of its reports."""
    reports = count(1)

    def stop(_: Report) -> None:
        if next(reports) == number:
            raise StoppedError

    return stop
