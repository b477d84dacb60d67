"""Trained networks in Brian2, compared with plain synapses, the mirror and other libraries.

``python -m benchmarks.simulation`` writes ``results/simulation.json`` and ``simulation.md``. The
rows of a table are interleaved runs in separate processes, on the same weights and digits. Peers
need ``pip install '.[benchmarks]'``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contenders import CASES, brian2, digits, mirror, peer, spikes_of, to_file, trained
from benchmarks.interleaved import interleaved, summary_row
from benchmarks.least_work import SimulationWork, simulation_work, two_processes
from benchmarks.peers import PEERS
from benchmarks.stored import Table, parser, pending_tables, write_table
from benchmarks.subprocesses import Subprocess
from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.networks import artefact
from bioae.simulation.backend import Backend

_COMMAND = "python -m benchmarks.simulation"
_STEPS = 100
_THREADS = 2
_PROGRAM = "main"  # the name of the program that Brian2 compiles


@dataclass(frozen=True)
class Contender:
    """A row of a table.

    Attributes
    ----------
    what
        Its name in the table.
    start
        Sets it up, in a separate process.
    program
        The program whose memory counts, if not that of the process.
    """

    what: str
    start: Callable[[], Callable[[], object]]
    program: str | None = None


def main() -> None:
    """Measure, print and write one table after another."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--only", default="", help="tables whose title contains this text")
    arguments.add_argument("--runs", type=int, default=5, help="rounds that count")
    options = arguments.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads leave the cores free
    with tempfile.TemporaryDirectory() as folder:
        measures = {t: m for t, m in _tables(Path(folder)) if options.only in t}
        for title in pending_tables("simulation", measures, resume=options.resume):
            write_table("simulation", _COMMAND, measures[title](title, options.runs))


def _tables(folder: Path) -> Iterator[tuple[str, Callable[[str, int], Table]]]:
    counts = dict(zip(CASES, (16, 128), strict=True))
    models = {case: folder / case.config.stem for case in CASES}
    for case, model in models.items():
        artefact.save(trained(case), model)
    for case, model in models.items():
        yield f"{case.name}: libraries", partial(_libraries, model, counts[case])
    paper, strided = CASES
    yield f"{paper.name}: plain synapses", partial(_plain, models[paper])
    yield f"{strided.name}: memory", partial(_memory, models[strided])
    for case, model in models.items():
        yield f"{case.name}: growth", partial(_growth, model, counts[case])


def _libraries(model: Path, count: int, title: str, runs: int) -> Table:
    many = 8 * count  # so that the start of our program counts little
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
    note = f"T = {_STEPS}, float32; {many} digits per run in Brian2, {count} elsewhere"
    table = Table(title, rows, notes=[note])
    ours_ms = table.median("Brian2 C++, 2 workers")
    fastest = min(PEERS, key=table.median)
    share = ours_ms / table.median(fastest)
    table.notes += [
        f"fastest peer: {fastest}; Brian2 C++ on 2 workers takes {share:.3f} of its time",
        f"2 workers are {table.median('Brian2 C++, 1 worker') / ours_ms:.2f} times as fast as one",
        f"two processes of additions in cache do {two_processes():.2f} times as many as one",
        *_bounds(simulation_work(model, count, steps=_STEPS), table.median("Brian2 C++, 1 worker")),
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
        notes=[f"T = {steps}, float32, C++, one process, {count} digits per run"],
    )
    faster = table.median("plain Synapses") / table.median("shared weights")
    memory = table.row("shared weights")["megabytes"] / table.row("plain Synapses")["megabytes"]
    table.notes += [
        f"shared weights: {faster:.1f} times the images per second, {memory:.3f} of the memory",
        _identity(model, count, steps),
    ]
    return table


def _identity(model: Path, count: int, steps: int) -> str:
    """Return a note on whether the spikes of both are identical in float64."""
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
    note = f"Brian2 C++, T = {_STEPS}, float32, {count} digits per run and one worker unless noted"
    return Table(title, _measured(contenders, per, min(runs, 3)), notes=[note])


def _measured(
    contenders: list[Contender], count: int | dict[str, int], runs: int
) -> list[dict[str, Any]]:
    counts = count if isinstance(count, dict) else {each.what: count for each in contenders}
    spikes: dict[str, int] = {}
    with ExitStack() as stack:
        processes = {
            each.what: stack.enter_context(Subprocess(each.start, program=each.program))
            for each in contenders
        }

        def run(what: str) -> None:
            spikes[what] = spikes_of(processes[what]())

        times = interleaved({what: partial(run, what) for what in processes}, runs=runs)
        memory = {what: process.megabytes for what, process in processes.items()}
    rows = []
    for what, seconds in times.items():
        values = [1e3 * each / counts[what] for each in seconds]
        columns = {"spikes_per_image": spikes[what] / counts[what], "megabytes": memory[what]}
        rows.append({**asdict(summary_row(what, values, unit="ms per image")), **columns})
    return rows


def _bounds(bound: SimulationWork, milliseconds: float) -> list[str]:
    rate, ratio = bound.additions_per_second / 1e9, milliseconds / bound.milliseconds
    needed = (
        f"an image needs at least {bound.events / 1e6:.2f} M synaptic events, "
        f"{bound.updates / 1e6:.2f} M neuron updates and {bound.bytes / 1e6:.1f} MB moved: "
        f"{bound.milliseconds:.2f} ms on one core at the {rate:.2f} G additions per second that "
        f"NumPy reaches in cache; one worker takes {ratio:.1f} times as long"
    )
    return [f"density: {bound.density:.4f} spikes per neuron and step", needed]


if __name__ == "__main__":
    main()
