"""A progress bar of a training run, on standard error where that is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bioae.trainers.training.loop import Report, Reporter

__all__ = ["progress_bar"]


@contextmanager
def progress_bar() -> Iterator[Reporter | None]:
    """Show a bar over all batches of a run, with epoch and loss; None where nobody would see it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.2f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", epoch="", loss=float("nan"))

        def report(at: Report) -> None:
            bar.update(
                task,
                total=at.epochs * at.batches,
                completed=(at.epoch - 1) * at.batches + at.batch,
                epoch=f"{at.epoch}/{at.epochs}",
                loss=at.loss,
            )

        yield report
