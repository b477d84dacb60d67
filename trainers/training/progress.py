"""Progress of a training run: reports of its batches, shown as a bar unless they go elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from bioae.progress import bar, check_progress

__all__ = ["Report", "Reporter", "reported"]


@dataclass(frozen=True)
class Report:
    """Progress of a run after a batch; `epoch` and `batch` count from 1.

    `score` is the validation score of the last finished epoch, None before there is one.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    score: float | None = None


Reporter: TypeAlias = Callable[[Report], None]


@contextmanager
def reported(progress: Reporter | bool | None, batches: int, done: int) -> Iterator[Reporter]:
    """Yield a function that takes reports.

    Parameters
    ----------
    progress
        That function; or whether to show a bar, by default on a terminal and in a notebook.
    batches, done
        The numbers of batches of all epochs, and of those that are finished already.

    Raises
    ------
    InputError
        If `progress` is none of these.
    """
    check_progress(progress)
    if callable(progress):
        yield progress
        return
    with bar("training", batches, show=progress, unit="batches", done=done) as shown:
        numbers = count(done + 1)

        def report(at: Report) -> None:
            if shown is not None:
                score = {} if at.score is None else {"validation": f"{at.score:.4g}"}
                notes = {"loss": f"{at.loss:.2f}", **score}
                shown.reach(next(numbers), label=f"epoch {at.epoch}/{at.epochs}", notes=notes)

        yield report
