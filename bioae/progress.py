"""Progress bars of long calls: on a terminal or in a notebook, without anything to switch on.

A bar is removed when its call ends. ``TQDM_DISABLE=1`` in the environment turns all bars off.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from bioae.errors import InputError, shortened

#: Called with the number of finished pieces of work, and of all.
Progress = Callable[[int, int], None]


class Bar:
    """A bar after a label of a few words, drawn until `close`, of a number of pieces of work."""

    def __init__(self, label: str, total: int, *, unit: str = "", done: int = 0) -> None:
        self._label = label
        unit = f" {unit}" if unit else "it"
        self._drawn = _tqdm()(
            desc=label, total=total, initial=done, unit=unit, file=sys.stderr, leave=False,
            dynamic_ncols=True,
        )  # fmt: skip
        if self._drawn.ncols == -1:  # of a pseudo-terminal without a size, where nothing is drawn
            self._drawn.ncols, self._drawn.nrows, self._drawn.dynamic_ncols = 80, 24, False
        self._reached = done

    def reach(
        self, done: int, *, label: str | None = None, notes: Mapping[str, Any] | None = None
    ) -> None:
        """Show the number of finished pieces, with another label or with values by name."""
        if label is not None:
            self._label = label
            self._drawn.set_description(label, refresh=False)
        if notes is not None:
            self._drawn.set_postfix(notes, refresh=False)
        self._reached = done
        self._drawn.update(done - self._drawn.n)

    def reach_further(self, more: int) -> None:
        """Show a number of pieces that are done beyond those of `reach`, but not yet finished."""
        self._drawn.update(self._reached + more - self._drawn.n)

    @contextmanager
    def named(self, text: str) -> Iterator[None]:
        """Add a text to the label within a block."""
        self._drawn.set_description(f"{self._label}, {text}")
        try:
            yield
        finally:
            self._drawn.set_description(self._label, refresh=False)

    def close(self) -> None:
        """Remove the bar."""
        self._drawn.close()


_INNERMOST: ContextVar[Bar | None] = ContextVar("_INNERMOST", default=None)
#: The bar of the innermost `counted`, if that one shows a bar.
_COUNTED: ContextVar[Bar | None] = ContextVar("_COUNTED", default=None)


@contextmanager
def bar(
    label: str, total: int, *, show: bool | None = None, unit: str = "", done: int = 0
) -> Iterator[Bar | None]:
    """Yield a bar if standard error is a terminal or a notebook's, or as `show` says; else None."""
    if not (is_watched() if show is None else show) or multiprocessing.parent_process():
        yield None
        return
    shown = Bar(label, total, unit=unit, done=done)
    before = _INNERMOST.set(shown)
    try:
        yield shown
    finally:
        _INNERMOST.reset(before)
        shown.close()


@contextmanager
def counted(
    label: str,
    total: int,
    progress: Progress | bool | None = None,
    *,
    unit: str = "",
    done: int = 0,
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of finished pieces of work.

    It moves a bar, or calls `progress`, which may also say whether to show a bar.
    """
    check_progress(progress)
    if callable(progress):
        report = progress
        yield lambda finished: report(finished, total)
        return
    with bar(label, total, show=progress, unit=unit, done=done) as shown:
        before = _COUNTED.set(shown)
        try:
            yield shown.reach if shown else lambda _: None
        finally:
            _COUNTED.reset(before)


def ahead() -> Callable[[int], None] | None:
    """Return a function that moves the bar of the innermost `counted` ahead of its pieces.

    It takes the number of pieces that are done since the last report, of work that is reported as a
    whole. None where no bar is shown.
    """
    shown = _COUNTED.get()
    # A forked worker has a copy of the bar.
    return None if shown is None or multiprocessing.parent_process() else shown.reach_further


@contextmanager
def activity(text: str) -> Iterator[None]:
    """Show in the innermost bar what a block waits for, such as a compiler."""
    shown = _INNERMOST.get()
    if shown is None or multiprocessing.parent_process():
        yield
    else:
        with shown.named(text):
            yield


def above() -> AbstractContextManager[None]:
    """Return a context in which lines on standard error go above the bar, if one is shown."""
    shown: AbstractContextManager[None] = nullcontext()
    if _INNERMOST.get():
        shown = _tqdm().external_write_mode(sys.stderr)
    return shown


def lasting(seconds: float) -> str:
    """Return a duration in words."""
    scales = ("s", 1) if seconds < 90 else ("minutes", 60) if seconds < 5400 else ("hours", 3600)
    return f"about {seconds / scales[1]:.0f} {scales[0]}"


def check_progress(progress: object) -> None:
    """Raise InputError unless `progress` is a function, true, false or None."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise InputError(
            "progress cannot be reported this way", where="progress",
            expected="True, False, None or a function", found=shortened(repr(progress)),
        )  # fmt: skip


def is_watched() -> bool:
    """Return whether somebody looks at standard error: a terminal, or the cell of a notebook."""
    if os.environ.get("TQDM_DISABLE"):  # which tqdm itself reads once, when it is imported
        return False
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return sys.stderr.isatty() or "IPKernelApp" in getattr(shell, "config", ())


def _tqdm() -> Any:
    """Return the class of bars: widgets in a notebook that has them, text elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a notebook has no widgets
        from tqdm.auto import tqdm

    return tqdm
