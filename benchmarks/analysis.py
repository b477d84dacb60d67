"""Firing statistics of a result too large to hold, and beside those of elephant.

``python -m benchmarks.analysis`` writes ``results/analysis.json`` and ``analysis.md``. Elephant
needs ``pip install 'bioae[neo]'``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from benchmarks.drawn import Drawn, write_drawn
from benchmarks.interleaved import turns
from benchmarks.subprocesses import Apart
from benchmarks.tables import Table, write

if TYPE_CHECKING:
    from benchmarks.shared_statistics import Shared

__all__ = ["elephants", "large", "main"]

_LAYER = "latent"
_LIMIT_MEGABYTES = 4 * 1024
_FASTER = 50
_AGREES = 1e-9
#: The size that must fit, and the trains that elephant is given.
LARGE = Drawn(10_000, 10_000, 100, 0.02)
TRAINS = Drawn(1, 1_000, 100, 0.05)

# What `bioae.analysis.statistics` calls, by what it is about.
_PARTS = {
    "intervals between spikes": (
        "interval_sums", "isi_cv", "isi_cv2", "lv", "lvr", "burst_index", "isi_distribution",
    ),
    "rates and their distribution": (
        "firing_rate", "rate_per_step", "density_alive", "rate_statistics", "fit_rates",
    ),
    "counts": ("spike_count", "active_fraction", "dead_fraction"),
    "bursting": ("is_bursting",),
    "Fano factor": ("fano_factor",),
    "sparseness": ("lifetime_sparseness", "population_sparseness"),
    "information": ("count_information",),
    "mean pairwise correlation": ("mean_pairwise_correlation",),
    "dimensionality": ("participation_ratio",),
    "errors of the reconstruction": ("_root",),
}  # fmt: skip


def main() -> None:
    """Measure, print each table as it comes, and write them."""
    parser = argparse.ArgumentParser(description="Benchmark the analysis of firing.")
    parser.add_argument("--only", choices=["large", "elephant"], help="one table alone")
    parser.add_argument("--runs", type=int, default=5, help="rounds that count")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that follow
    tables: dict[str, Callable[[], Table]] = {
        "large": partial(large, LARGE, runs=min(chosen.runs, 3)),
        "elephant": partial(elephants, TRAINS, runs=chosen.runs),
    }
    for name, measure in tables.items():
        if chosen.only in {None, name}:
            write("analysis", "python -m benchmarks.analysis", measure())


def large(drawn: Drawn, *, runs: int) -> Table:
    """Analyse a result on disk in a process of its own, that reads it lazily."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.nc"
        _check_disk(path.parent, drawn)
        start = time.perf_counter()
        write_drawn(drawn, path)
        writing = time.perf_counter() - start
        size = path.stat().st_size / 1e6
        found: list[dict[str, float]] = []
        memory = []
        for _ in range(runs):
            with Apart(partial(_analysed, path)) as apart:
                found.append(apart())
                memory.append(apart.megabytes)
        with Apart(partial(_read, path)) as apart:
            reading = apart()
    rows = [_seconds(what, [each[what] for each in found]) for what in found[0]]
    rows[0]["megabytes"] = max(memory)
    rows += [_seconds(what, [seconds]) for what, seconds in reading.items()]
    spikes = drawn.examples * drawn.neurons * drawn.steps * drawn.density
    title = (
        f"large: {drawn.examples:,} images, {drawn.neurons:,} neurons, {drawn.steps} steps, "
        f"{spikes / 1e6:,.0f} M spikes"
    )
    verdict = "below" if max(memory) < _LIMIT_MEGABYTES else "NOT below"
    notes = [
        (
            f"`bioae.analysis.statistics` of a file of {size:,.0f} MB that is opened lazily, on one"
            " thread, in a new process each run; the parts are those of the whole"
        ),
        (
            f"the most memory of any run, {max(memory):,.0f} MiB with Python and its libraries, is"
            f" {verdict} {_LIMIT_MEGABYTES:,}"
        ),
        f"written piece by piece in {writing:.0f} s; the file was in the system's cache",
    ]
    return Table(title, rows, notes)


def _check_disk(folder: Path, drawn: Drawn) -> None:
    # Compressed, a spike takes less than 8 bytes, and a count than 1.
    needed = drawn.examples * drawn.neurons * (8 * drawn.steps * drawn.density + 1)
    if shutil.disk_usage(folder).free < needed:
        raise SystemExit(f"{folder}: {needed / 1e9:.1f} GB must be free")


def _analysed(path: Path) -> Callable[[], dict[str, float]]:
    """Return what analyses a file, and says how many seconds each part took."""
    from bioae import analysis
    from bioae.analysis.measures import statistics as firing

    seconds = dict.fromkeys(_PARTS, 0.0)
    for part, names in _PARTS.items():
        for name in names:
            setattr(firing, name, _timed(getattr(firing, name), part, seconds))

    def work() -> dict[str, float]:
        start = time.perf_counter()
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            analysis.statistics(tree)
        whole = time.perf_counter() - start
        return {"all": whole, **seconds, "the rest": whole - sum(seconds.values())}

    return work


def _timed(measure: Callable[..., Any], part: str, seconds: dict[str, float]) -> Any:
    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return measure(*arguments, **options)
        finally:
            seconds[part] += time.perf_counter() - start

    return timed


def _read(path: Path) -> Callable[[], dict[str, float]]:
    """Return what reads a file's spikes as the analysis does, and without making blocks of them."""
    from bioae.analysis import blocks

    def work() -> dict[str, float]:
        seconds = {}
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            start = time.perf_counter()
            for _ in blocks(tree, _LAYER):
                pass
            seconds["reading the spikes alone"] = time.perf_counter() - start
            data = tree["layers"].children[_LAYER].to_dataset()
            start = time.perf_counter()
            for name in ("spike_example", "spike_neuron", "spike_time_ms"):
                for begin in range(0, data.sizes["spike"], 2**22):
                    data[name].variable[begin : begin + 2**22].to_numpy()
            seconds["of it HDF5, with decompression"] = time.perf_counter() - start
        return seconds

    return work


def elephants(drawn: Drawn, *, runs: int, sample: int = 1_000, lagged: int = 20_000) -> Table:
    """Measure what elephant measures too, in turns with it.

    Parameters
    ----------
    drawn
        A presentation. Of fifty times as many neurons it is measured what takes little time.
    runs
        Rounds that count.
    sample, lagged
        Of `benchmarks.shared_statistics.of_pairs`.
    """
    from benchmarks.shared_statistics import of_pairs, of_trains, of_trials

    def all_shared() -> Iterator[Shared]:
        size = (drawn.steps, drawn.density)
        yield from of_trains(drawn, slow=True)
        yield from of_trains(Drawn(1, 50 * drawn.neurons, *size), slow=False)
        yield from of_trials(Drawn(20, drawn.neurons, *size))
        yield from of_pairs(drawn, sample=sample, lagged=lagged)

    rows: list[dict[str, Any]] = []
    for shared in all_shared():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            difference = shared.difference()
            times = turns({"elephant": shared.elephant, "bioae": shared.bioae}, runs=runs)
        rows.append(_ratio(shared.what, times, shared.scale, difference) | _kind(shared))
    title = f"elephant: trains of {drawn.steps} steps, {drawn.density * drawn.steps:g} spikes each"
    return Table(title, rows, _elephant_notes(rows, sample))


def _elephant_notes(rows: list[dict[str, Any]], sample: int) -> list[str]:
    worst = float(np.max([row["difference"] for row in rows]))  # NaN if any is
    agree = "all agree" if worst <= _AGREES else "NOT all agree"
    slow = [f"{row['what']} ({row['median']:.0f})" for row in rows if row["loop"]
            and row["median"] < _FASTER]  # fmt: skip
    each = [row for row in rows if row["loop"] and not row["again"]]
    single = [row for row in each if "pairs" not in row["what"]]
    return [
        (
            "a call of bioae beside a loop of elephant over the same trains, which it has as"
            " neo.SpikeTrain, of pairs also binned; in turns, on one thread"
        ),
        (
            f"of pairs, elephant measures {sample:,} drawn by chance; its seconds are scaled to the"
            " number of pairs that bioae measures"
        ),
        "rows with 'elephant's' are one call of elephant for all trains, and no loop",
        f"{agree} within {_AGREES:g} of the largest value, the most is {worst:.1e}",
        (
            "elephant's isi, cv2 and lv are one NumPy expression a train, while bioae reads and"
            " sorts all spikes for each; `statistics` does so once for all that is of intervals, as"
            " in the row of five of them: of few trains the call itself takes most of the time"
        ),
        (
            f"all loops together take {_together(each):,.0f} times as long as bioae, those that are"
            f" not of pairs {_together(single):,.0f} times; the five in a pass are left out"
        ),
        f"loops that take less than {_FASTER} times as long: {', '.join(slow) or 'none'}",
    ]


def _kind(shared: Shared) -> dict[str, bool]:
    return {"loop": shared.loop, "again": shared.again}


def _together(rows: list[dict[str, Any]]) -> float:
    """Return how many times as long elephant takes for all rows together."""
    return float(sum(row["elephant_s"] for row in rows) / sum(row["bioae_s"] for row in rows))


def _ratio(
    what: str, times: dict[str, list[float]], scale: float, difference: float
) -> dict[str, Any]:
    pairs = zip(times["elephant"], times["bioae"], strict=True)
    ratios = [scale * theirs / ours for theirs, ours in pairs]
    return {
        "what": what,
        "unit": "times as fast",
        **_spread(ratios),
        "elephant_s": scale * statistics.median(times["elephant"]),
        "bioae_s": statistics.median(times["bioae"]),
        "difference": difference,
    }


def _seconds(what: str, seconds: list[float]) -> dict[str, Any]:
    return {"what": what, "unit": "s", **_spread(seconds)}


def _spread(values: list[float]) -> dict[str, Any]:
    middle = statistics.median(values)
    return {"median": middle, "lowest": min(values), "highest": max(values), "runs": len(values)}


if __name__ == "__main__":
    main()
