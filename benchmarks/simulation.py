"""Trained networks in Brian2, beside plain synapses, the mirror and other libraries.

``python -m benchmarks.simulation`` writes ``results/simulation.json`` and ``simulation.md``. The
rows of a table ran in turns, each in a process of its own, on the same weights and digits. Peers
need ``pip install 'bioae[benchmarks]'``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contenders import brian2, digits, mirror, peer, spikes_of, to_file
from benchmarks.interleaved import summarised, turns
from benchmarks.networks import CASES, trained
from benchmarks.peers import PEERS
from benchmarks.roofline import Least, least
from benchmarks.subprocesses import Apart
from benchmarks.tables import Table, write
from bioae.analysis import differing_spikes
from bioae.networks import artefact
from bioae.simulation import simulate
from bioae.simulation.backend import Backend

__all__ = ["main"]

_STEPS = 100
_THREADS = 2
_PROGRAM = "main"  # what Brian2 calls the program that it compiles


@dataclass(frozen=True)
class Contender:
    """What is measured.

    Attributes
    ----------
    what
        Its name in the table.
    start
        Sets it up, in a process of its own.
    program
        The program whose memory counts, if not the process's own.
    """

    what: str
    start: Callable[[], Callable[[], object]]
    program: str | None = None


def main() -> None:
    """Measure, print each table as it comes, and write them."""
    parser = argparse.ArgumentParser(description="Benchmark trained networks in Brian2.")
    parser.add_argument("--only", help="tables whose title contains this text")
    parser.add_argument("--runs", type=int, default=5, help="rounds that count")
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # those who wait leave the cores alone
    with tempfile.TemporaryDirectory() as folder:
        for title, measure in _tables(Path(folder)):
            if chosen.only is None or chosen.only in title:
                write("simulation", "python -m benchmarks.simulation", measure(title, chosen.runs))


def _tables(folder: Path) -> Iterator[tuple[str, Callable[[str, int], Table]]]:
    for case in CASES:
        model = folder / case.config.stem
        if not model.exists():
            artefact.save(trained(case), model)
        count = 16 if case is CASES[0] else 128
        yield f"{case.name}: libraries", partial(_libraries, model, count)
    yield f"{CASES[0].name}: plain synapses", partial(_plain, folder / CASES[0].config.stem)
    yield f"{CASES[1].name}: memory", partial(_memory, folder / CASES[1].config.stem)
    for case in CASES:
        model = folder / case.config.stem
        yield f"{case.name}: growth", partial(_growth, model, 16 if case is CASES[0] else 128)


def _libraries(model: Path, count: int, title: str, runs: int) -> Table:
    many = 8 * count  # ours starts a program, which is no part of the time of an image
    ours = partial(brian2, model, many, steps=_STEPS)
    contenders = [
        Contender("Brian2 C++, 2 workers", partial(ours, workers=2), _PROGRAM),
        Contender("Brian2 C++, 1 worker", ours, _PROGRAM),
        Contender(
            "Brian2 C++, 2 workers, fast math",
            partial(ours, workers=2, fast_math=True),
            _PROGRAM,
        ),
        Contender("bioae's mirror", partial(mirror, model, count, steps=_STEPS, threads=_THREADS)),
    ]
    contenders += [
        Contender(name, partial(peer, name, model, count, steps=_STEPS, threads=_THREADS))
        for name in PEERS
    ]
    counts = {each.what: many if each.program else count for each in contenders}
    rows = _measured(contenders, counts, runs)
    note = f"T = {_STEPS}, float32; {many} digits a run in Brian2, {count} elsewhere"
    table = Table(title, rows, notes=[note])
    ours_ms = table.median("Brian2 C++, 2 workers")
    fastest = min(PEERS, key=table.median)
    share = ours_ms / table.median(fastest)
    table.notes += [
        f"fastest peer: {fastest}; Brian2 C++ on 2 workers takes {share:.3f} of its time",
        f"2 workers are {table.median('Brian2 C++, 1 worker') / ours_ms:.2f} times as fast as one",
        *_roofline(least(model, count, steps=_STEPS), table.median("Brian2 C++, 1 worker")),
    ]
    return table


def _plain(model: Path, title: str, runs: int) -> Table:
    count, steps = 16, 25
    start = partial(brian2, model, count, steps=steps)
    contenders = [
        Contender("shared weights", start, _PROGRAM),
        Contender("plain Synapses", partial(start, connectivity="unrolled"), _PROGRAM),
    ]
    table = Table(
        title,
        _measured(contenders, count, min(runs, 3)),
        notes=[f"T = {steps}, float32, C++, one process, {count} digits a run"],
    )
    faster = table.median("plain Synapses") / table.median("shared weights")
    memory = table.row("shared weights")["megabytes"] / table.row("plain Synapses")["megabytes"]
    table.notes += [
        f"shared weights: {faster:.1f} times the images per second, {memory:.3f} of the memory",
        _identity(model, count, steps),
    ]
    return table


def _identity(model: Path, count: int, steps: int) -> str:
    """Say whether both ways fire the same spikes in float64."""
    network = artefact.load(model).network.with_time(steps=steps)
    shared, plain = (
        simulate(network, digits(count), Backend(dtype="float64", connectivity=each))
        for each in ("shared", "unrolled")
    )
    spikes = differing_spikes(shared, plain).sum("layer")
    return f"float64: {int(spikes['differing'])} of {int(spikes['common']):,} spikes differ"


def _memory(model: Path, title: str, runs: int) -> Table:
    rows = []
    for images in (100, 1_000, 10_000):
        start = partial(to_file, model, images, steps=_STEPS)
        contenders = [
            Contender(f"{images:,} images, Python", start),
            Contender(f"{images:,} images, compiled network", start, _PROGRAM),
        ]
        rows += _measured(contenders, images, min(runs, 1))
    return Table(title, rows, notes=[f"bioae.simulate_to, float32, T = {_STEPS}, one worker"])


def _growth(model: Path, count: int, title: str, runs: int) -> Table:
    start = partial(brian2, model, steps=_STEPS)
    contenders = [
        *(
            Contender(f"{images} images", partial(start, images, chunk=count), _PROGRAM)
            for images in (count // 2, count, 4 * count)
        ),
        *(
            Contender(f"T = {steps}", partial(brian2, model, count, steps=steps), _PROGRAM)
            for steps in (25, 50, 200)
        ),
        *(
            Contender(f"input rate {rate}", partial(start, count, rate=rate), _PROGRAM)
            for rate in (0.05, 0.1, 0.4)
        ),
        *(
            Contender(f"{workers} workers", partial(start, count, workers=workers), _PROGRAM)
            for workers in (1, 2)
        ),
    ]
    per = {each.what: count for each in contenders}
    per |= {f"{images} images": images for images in (count // 2, count, 4 * count)}
    note = f"Brian2 C++, T = {_STEPS}, float32, {count} digits a run and one worker where not said"
    return Table(title, _measured(contenders, per, min(runs, 3)), notes=[note])


def _measured(
    contenders: list[Contender], count: int | dict[str, int], runs: int
) -> list[dict[str, Any]]:
    counts = count if isinstance(count, dict) else {each.what: count for each in contenders}
    spikes: dict[str, int] = {}
    with ExitStack() as stack:
        apart = {
            each.what: stack.enter_context(Apart(each.start, program=each.program))
            for each in contenders
        }

        def run(what: str) -> None:
            spikes[what] = spikes_of(apart[what]())

        times = turns({what: partial(run, what) for what in apart}, runs=runs)
        memory = {what: each.megabytes for what, each in apart.items()}
    rows = []
    for what, seconds in times.items():
        per = counts[what] * 1e-3
        row = summarised({what: seconds}, unit="ms an image", per=per)[what]
        rows.append(
            {
                "what": what,
                "unit": row.unit,
                "median": row.median,
                "lowest": row.lowest,
                "highest": row.highest,
                "runs": row.runs,
                "spikes_per_image": spikes[what] / counts[what],
                "megabytes": memory[what],
            }
        )
    return rows


def _roofline(bound: Least, milliseconds: float) -> list[str]:
    rate = bound.additions_per_second / 1e9
    needed = (
        f"an image needs at least {bound.events / 1e6:.2f} M synaptic events, "
        f"{bound.updates / 1e6:.2f} M neuron updates and {bound.bytes / 1e6:.1f} MB moved: "
        f"{bound.milliseconds:.2f} ms on one core at the {rate:.2f} G additions a second that "
        f"NumPy reaches in cache; one worker takes {milliseconds / bound.milliseconds:.1f} times it"
    )
    return [f"density: {bound.density:.4f} spikes a neuron and step", needed]


if __name__ == "__main__":
    main()
