"""The training runs of ``bioae demo``, side by side in processes."""

from __future__ import annotations

import os
import signal
import tomllib
import warnings
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from importlib.resources import files
from multiprocessing import active_children, get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.progress import bar

if TYPE_CHECKING:
    from rich.console import Console

    from bioae.runs import Trained

__all__ = ["RUNS", "recipe", "train_all"]

#: Description of each run, the file of its training configuration in bioae/data/demo, and whether
#: it has regularisers.
RUNS: dict[str, tuple[str, str, bool]] = {
    "regularised": ("soft reset, regularised", "soft_reset", True),
    "unregularised": ("soft reset, not regularised", "soft_reset", False),
    "paper": ("rule of the paper, not regularised", "paper", False),
}

#: Seconds between two looks at the progress of the runs.
_INTERVAL = 0.5

#: In a process of training: the queue that its reports go to.
_REPORTS: list[SimpleQueue[Any]] = []


def recipe(run: str) -> dict[str, Any]:
    """Return the training configuration of a run as plain data."""
    _, file, regularised = RUNS[run]
    text = (files("bioae") / "data" / "demo" / f"{file}.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    return values if regularised else {**values, "regularisers": {}}


def train_all(
    out: Path, *, epochs: int | None, overwrite: bool, console: Console
) -> dict[str, Trained]:
    """Train all networks, one per core at a time.

    Parameters
    ----------
    out
        The folder of the demo, which holds a folder for each run.
    epochs
        The number of epochs; that of each configuration by default.
    overwrite
        Replace runs in the folder.
    console
        Prints what is done.
    """
    recipes = {name: recipe(name) for name in RUNS}
    for values in recipes.values():
        values["training"] |= {} if epochs is None else {"epochs": epochs}
    workers = min(len(RUNS), _cores())
    console.print(f"Training {len(RUNS)} networks, {workers} at a time …")
    spawn = get_context("spawn")  # threads of PyTorch do not survive a fork
    reports = spawn.SimpleQueue()
    with ProcessPoolExecutor(workers, spawn, initializer=_settle, initargs=(reports,)) as pool:
        try:
            runs = {
                name: pool.submit(_trained, name, values, out / name, overwrite)
                for name, values in recipes.items()
            }
            _watch(runs, reports, sum(each["training"]["epochs"] for each in recipes.values()))
            return {name: run.result() for name, run in runs.items()}
        except BaseException:
            for process in active_children():
                process.terminate()
            raise


def _watch(runs: Mapping[str, Future[Any]], reports: SimpleQueue[Any], epochs: int) -> None:
    """Show the progress of all runs in one bar; raise what one of them raises."""
    finished: dict[str, float] = {}
    notes: dict[str, str] = {}
    with bar("training", epochs, unit="epochs") as shown:
        while (state := wait(runs.values(), _INTERVAL, FIRST_EXCEPTION)).not_done:
            for run in state.done:
                run.result()
            while not reports.empty():
                name, at = reports.get()
                finished[name] = at.epochs * at.done / at.total
                notes[name] = f"{at.epoch}/{at.epochs}"
            if shown is not None:
                shown.reach(int(sum(finished.values())), notes=notes)


def _cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _settle(reports: SimpleQueue[Any]) -> None:
    """Prepare a process of training; interruptions are left to its parent, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    _REPORTS.append(reports)


def _trained(name: str, values: Mapping[str, Any], folder: Path, overwrite: bool) -> Trained:
    """Train a network in a process of the pool."""
    from bioae.api import train
    from bioae.trainers import TrainingConfig

    config = TrainingConfig.from_mapping(values, where=f"demo, {name}")
    (reports,) = _REPORTS
    return train(
        config, out=folder, overwrite=overwrite, progress=lambda report: reports.put((name, report))
    )
