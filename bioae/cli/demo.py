"""``bioae demo``: training, simulation and report on the embedded digits, in a few minutes."""

from __future__ import annotations

import json as json_format
import os
import signal
import time
import tomllib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from importlib.resources import files
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.cli.demo_report import BRIAN2, MAIN, MIRROR, RUNS, numbers_of, print_numbers, write
from bioae.cli.options import Json, Positive, Steps
from bioae.progress import bar
from bioae.runs.folder import METRICS
from bioae.simulation.backend import LABELS, Target

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from bioae.datasets import Data
    from bioae.runs import Trained

REPORT, SUMMARY = "report.html", "summary.json"

#: The result of each network in the mirror.
MIRRORED = {"regularised": "mirror.nc", "unregularised": "unregularised.nc", "paper": "paper.nc"}

#: Seconds between two looks at the progress of the runs.
_INTERVAL = 2.0


def demo(
    *,
    out: Path = Path("bioae-demo"),
    limit: Positive | None = None,
    epochs: Steps | None = None,
    target: Target = "cpp_standalone",
    overwrite: bool = False,
    json: Json = False,
) -> int:
    """Train on the embedded digits, run in Brian2, compare, and write a report.

    Trains an auto-encoder of soft-reset neurons with a regulariser of firing and without, and one
    by the rule of Hübotter et al. (2021) without regularisers, whose neurons die and burst. Runs
    the first in Brian2 on held-out digits, and compares it with the PyTorch mirror spike for spike.

    Parameters
    ----------
    out
        The folder to write to.
    limit
        The number of held-out digits to simulate; all 500 by default.
    epochs
        The number of training epochs; 10 by default, and 6 by the rule of the paper.
    target
        Brian2's target.
    overwrite
        Replace an earlier demo in the folder.
    """
    from rich.console import Console

    from bioae.datasets import load
    from bioae.extras import need_torch
    from bioae.files import write_text
    from bioae.simulation.targets.activation import check_target

    need_torch("bioae demo")
    console = Console(stderr=True)
    check_target(target)
    _check_outputs(out, overwrite)
    digits = load("sample", "test", limit)
    console.print(f"Training {len(RUNS)} networks side by side …")
    with _training(out, limit, epochs=epochs, overwrite=overwrite) as finished:
        (main,) = finished([MAIN])
        brian2 = _simulate(main, digits, out, target, console)
        runs = dict(zip(RUNS, finished(RUNS), strict=True))
    results = {BRIAN2: brian2} | _mirrored(out)
    report = out / REPORT
    numbers = numbers_of(results, load("sample", "train").as_float())
    write(report, runs, results, numbers)
    write_text(out / SUMMARY, json_format.dumps(numbers, indent=2) + "\n", overwrite=True)
    if json:
        print(json_format.dumps(numbers))
    else:
        print_numbers(numbers, report)
    return 0 if numbers["differing_spikes"] == 0 else 1


def recipe(run: str) -> dict[str, Any]:
    """Return the training configuration of a run as plain data."""
    _, file, regularised = RUNS[run]
    text = (files("bioae") / "data" / "demo" / f"{file}.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    return values if regularised else {**values, "regularisers": {}}


def _check_outputs(out: Path, overwrite: bool) -> None:
    """Reject a folder that cannot hold a demo, before anything is trained."""
    from bioae.files import check_output

    check_output(out, overwrite=overwrite, kind="folder")
    for name in RUNS:
        check_output(out / name, overwrite=True, kind="folder")
    for name in (REPORT, SUMMARY, "brian2.nc", *MIRRORED.values()):
        check_output(out / name, overwrite=True, kind="file")


@contextmanager
def _training(
    out: Path, limit: int | None, *, epochs: int | None, overwrite: bool
) -> Iterator[Callable[[Iterable[str]], list[Trained]]]:
    """Train all networks, one per core at a time, and simulate each in the mirror.

    Yield a function that waits for some of the runs, by name, and returns their results.
    """
    recipes = {name: recipe(name) for name in RUNS}
    for values in recipes.values():
        values["training"] |= {} if epochs is None else {"epochs": epochs}
    total = sum(values["training"]["epochs"] for values in recipes.values())
    spawn = get_context("spawn")  # threads of PyTorch do not survive a fork
    ignored = signal.SIGINT, signal.SIG_IGN  # this process ends the others
    start = time.time()
    with ProcessPoolExecutor(min(len(RUNS), _cores()), spawn, signal.signal, ignored) as pool:
        try:
            runs = {
                name: pool.submit(_trained, name, values, out, limit, overwrite)
                for name, values in recipes.items()
            }

            def finished(names: Iterable[str]) -> list[Trained]:
                awaited = [runs[name] for name in names]
                with bar("training", total, unit="epochs") as shown:
                    while wait(awaited, _INTERVAL, FIRST_EXCEPTION).not_done:
                        for run in runs.values():
                            if run.done():
                                run.result()
                        if shown is not None:
                            shown.reach(sum(_epochs(out / name, start) for name in runs))
                return [run.result() for run in awaited]

            yield finished
        except BaseException:
            for process in active_children():
                process.terminate()
            raise


def _cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _epochs(run: Path, start: float) -> int:
    """Return the number of finished epochs of a run; 0 if its metrics are older than `start`."""
    path = run / METRICS
    with suppress(FileNotFoundError):  # the run has not begun, or removes those of an earlier one
        if path.stat().st_mtime >= start:
            return len(path.read_text(encoding="utf-8").splitlines())
    return 0


def _trained(
    name: str, values: Mapping[str, Any], out: Path, limit: int | None, overwrite: bool
) -> Trained:
    """Train a network in a process of the pool, and write its result in the mirror."""
    from bioae.api import simulate, train
    from bioae.datasets import load
    from bioae.simulation import write_result
    from bioae.trainers import TrainingConfig

    warnings.simplefilter("ignore")
    config = TrainingConfig.from_mapping(values, where=f"demo, {name}")
    trained = train(config, out=out / name, overwrite=overwrite, progress=False)
    result = simulate(trained.network, load("sample", "test", limit), "torch", progress=False)
    write_result(result, out / MIRRORED[name], overwrite=True)
    return trained


def _simulate(
    trained: Trained, digits: Data, out: Path, target: Target, console: Console
) -> xr.DataTree:
    """Run the regularised network in Brian2."""
    from bioae.api import simulate
    from bioae.simulation import write_result

    first = "" if target == "numpy" else ", the compiler first"
    console.print(f"Running the regularised network in Brian2 ({LABELS[target]}){first} …")
    result = simulate(trained.network, digits, target)
    write_result(result, out / "brian2.nc", overwrite=True)
    return result


def _mirrored(out: Path) -> dict[str, xr.DataTree]:
    """Return the results of all networks in the mirror."""
    from bioae.analysis import open_result

    names = {name: MIRROR if name == MAIN else text for name, (text, *_) in RUNS.items()}
    return {shown: open_result(out / MIRRORED[name]) for name, shown in names.items()}
