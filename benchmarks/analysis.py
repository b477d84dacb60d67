"""Firing statistics of a result larger than memory, and run time compared with elephant.

``python -m benchmarks.analysis`` writes ``results/analysis.json`` and ``analysis.md``. Elephant
needs ``pip install '.[neo]'``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from benchmarks.interleaved import interleaved, summary_row
from benchmarks.random_results import RandomSpikes, write_random_result
from benchmarks.stored import Table, parser, pending_tables, write_table
from benchmarks.subprocesses import Subprocess

if TYPE_CHECKING:
    from benchmarks.shared_statistics import Shared

_COMMAND = "python -m benchmarks.analysis"
_LAYER = "latent"
_LIMIT_MEGABYTES = 4 * 1024
_FASTER = 50
_AGREES = 1e-9
#: The large result, and the trains on which elephant is compared.
LARGE = RandomSpikes(10_000, 10_000, 100, 0.02)
TRAINS = RandomSpikes(1, 1_000, 100, 0.05)

# The functions that `bioae.analysis.statistics` calls, by topic.
_PARTS = {
    "intervals between spikes": (
        "interval_sums", "isi_cv", "isi_cv2", "lv", "lvr", "burst_index", "isi_distribution",
    ),
    "rates and their distribution": (
        "firing_rate", "rate_per_step", "rate_per_step_mean_alive", "rate_statistics", "fit_rates",
    ),
    "counts": ("spike_count", "active_fraction", "dead_fraction"),
    "bursting": ("is_bursting",),
    "Fano factor": ("fano_factor",),
    "sparseness": ("lifetime_sparseness", "population_sparseness"),
    "information": ("count_information",),
    "mean pairwise correlation": ("mean_pairwise_correlation",),
    "dimensionality": ("participation_ratio",),
    "errors of the reconstruction": (
        "mean_absolute_error", "mean_squared_error", "sum_squared_error", "output_errors",
    ),
}  # fmt: skip


def main() -> None:
    """Measure, print and write one table after another."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--only", choices=["large", "elephant"], help="one of the tables")
    arguments.add_argument("--runs", type=int, default=5, help="rounds that count")
    options = arguments.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that follow
    tables: dict[str, Callable[[], Table]] = {
        "large": partial(large, LARGE, runs=min(options.runs, 3)),
        "elephant": partial(compared_with_elephant, TRAINS, runs=options.runs),
    }
    names = [options.only] if options.only else tables
    for name in pending_tables("analysis", names, resume=options.resume):
        write_table("analysis", _COMMAND, tables[name]())


def large(spikes: RandomSpikes, *, runs: int) -> Table:
    """Analyse a result on disk in a separate process, which reads it lazily."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.nc"
        _check_disk(path.parent, spikes)
        start = time.perf_counter()
        write_random_result(spikes, path)
        writing = time.perf_counter() - start
        size = path.stat().st_size / 1e6
        times: list[dict[str, float]] = []
        memory = []
        for _ in range(runs):
            with Subprocess(partial(_analysis, path)) as process:
                times.append(process())
                memory.append(process.megabytes)
        with Subprocess(partial(_reading, path)) as process:
            reading = process()
    rows = [asdict(summary_row(what, [each[what] for each in times])) for what in times[0]]
    rows[0]["megabytes"] = max(memory)
    rows += [asdict(summary_row(what, [seconds])) for what, seconds in reading.items()]
    count = spikes.examples * spikes.neurons * spikes.steps * spikes.density
    title = (
        f"large: {spikes.examples:,} images, {spikes.neurons:,} neurons, {spikes.steps} steps, "
        f"{count / 1e6:,.0f} M spikes"
    )
    verdict = "below" if max(memory) < _LIMIT_MEGABYTES else "NOT below"
    notes = [
        (
            f"`bioae.analysis.statistics` of a file of {size:,.0f} MB that is opened lazily, on one"
            " thread, in a new process for each run; the parts are measured within the whole"
        ),
        (
            f"the peak memory of all runs, {max(memory):,.0f} MiB with Python and its libraries, is"
            f" {verdict} {_LIMIT_MEGABYTES:,}"
        ),
        f"written in pieces in {writing:.0f} s; the file was in the system's cache",
    ]
    return Table(title, rows, notes)


def _check_disk(folder: Path, spikes: RandomSpikes) -> None:
    # Compressed, a spike takes less than 8 bytes, and a count than 1.
    needed = spikes.examples * spikes.neurons * (8 * spikes.steps * spikes.density + 1)
    if shutil.disk_usage(folder).free < needed:
        raise SystemExit(f"{folder}: {needed / 1e9:.1f} GB must be free")


def _analysis(path: Path) -> Callable[[], dict[str, float]]:
    """Return a function that analyses a file and returns the seconds of each part."""
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


def _reading(path: Path) -> Callable[[], dict[str, float]]:
    """Return a function that reads the spikes of a file, as blocks and as plain arrays."""
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


def compared_with_elephant(
    spikes: RandomSpikes, *, runs: int, sample: int = 1_000, lagged: int = 20_000
) -> Table:
    """Time the statistics that elephant also has, interleaved with elephant.

    Parameters
    ----------
    spikes
        A presentation. Fast statistics are also measured on fifty times as many neurons.
    runs
        Rounds that count.
    sample, lagged
        See `benchmarks.shared_statistics.pair_statistics`.
    """
    from benchmarks.shared_statistics import pair_statistics, train_statistics, trial_statistics

    def all_shared() -> Iterator[Shared]:
        size = (spikes.steps, spikes.density)
        yield from train_statistics(spikes, slow=True)
        yield from train_statistics(RandomSpikes(1, 50 * spikes.neurons, *size), slow=False)
        yield from trial_statistics(RandomSpikes(20, spikes.neurons, *size))
        yield from pair_statistics(spikes, sample=sample, lagged=lagged)

    rows: list[dict[str, Any]] = []
    for shared in all_shared():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            difference = shared.difference()
            times = interleaved({"elephant": shared.elephant, "bioae": shared.bioae}, runs=runs)
        rows.append(_row(shared, times, difference))
    title = (
        f"elephant: trains of {spikes.steps} steps, {spikes.density * spikes.steps:g} spikes each"
    )
    return Table(title, rows, _elephant_notes(rows, sample))


def _elephant_notes(rows: list[dict[str, Any]], sample: int) -> list[str]:
    worst = float(np.max([row["difference"] for row in rows]))  # NaN if any is
    agree = "all agree" if worst <= _AGREES else "NOT all agree"
    slow = [f"{row['what']} ({row['median']:.0f})" for row in rows if row["loop"]
            and row["median"] < _FASTER]  # fmt: skip
    each = [row for row in rows if row["loop"] and not row["repeated"]]
    single = [row for row in each if "pairs" not in row["what"]]
    return [
        (
            "one call of bioae compared with a loop of elephant over the same trains, given as"
            " neo.SpikeTrain and, for pairs, also binned; interleaved, on one thread"
        ),
        (
            f"elephant measures {sample:,} pairs, drawn at random; its seconds are scaled to the"
            " number of pairs that bioae measures"
        ),
        "rows with 'elephant's' are one call of elephant for all trains, not a loop",
        f"{agree} within {_AGREES:g} of the largest value; the largest difference is {worst:.1e}",
        (
            "elephant's isi, cv2 and lv are one NumPy expression per train, while bioae reads and"
            " sorts all spikes for each; `statistics` does so once for all interval statistics, as"
            " in the row of five; with few trains, the call itself takes most of the time"
        ),
        (
            f"all loops together take {_together(each):,.0f} times as long as bioae, those without"
            f" pairs {_together(single):,.0f} times; the row of five is not counted"
        ),
        f"loops that take less than {_FASTER} times as long: {', '.join(slow) or 'none'}",
    ]


def _together(rows: list[dict[str, Any]]) -> float:
    """Return how many times as long elephant takes for all rows together."""
    return float(sum(row["elephant_s"] for row in rows) / sum(row["bioae_s"] for row in rows))


def _row(shared: Shared, times: dict[str, list[float]], difference: float) -> dict[str, Any]:
    pairs = zip(times["elephant"], times["bioae"], strict=True)
    ratios = [shared.scale * reference / ours for reference, ours in pairs]
    return {
        **asdict(summary_row(shared.what, ratios, unit="times as fast")),
        "elephant_s": shared.scale * statistics.median(times["elephant"]),
        "bioae_s": statistics.median(times["bioae"]),
        "difference": difference,
        "loop": shared.loop,
        "repeated": shared.repeated,
    }


if __name__ == "__main__":
    main()
