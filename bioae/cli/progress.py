"""A progress bar on standard error, if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioae.trainers.training.loop import Report, Reporter

__all__ = ["counting", "training_progress"]


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes the finished and the total count, or None without a terminal.

    Parameters
    ----------
    label
        The text before the bar, a word or two.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


@contextmanager
def training_progress() -> Iterator[Reporter | None]:
    """Yield a reporter of a training run's batches, or None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("validation {task.fields[score]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", epoch="–", loss="–", score="–")

        def report(at: Report) -> None:
            bar.update(
                task,
                total=at.epochs * at.batches,
                completed=(at.epoch - 1) * at.batches + at.batch,
                epoch=f"{at.epoch}/{at.epochs}",
                loss=f"{at.loss:.2f}",
                score="–" if at.score is None else f"{at.score:.4g}",
            )

        yield report
