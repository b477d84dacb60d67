"""Run time and memory of training, compared with snnTorch, SpikingJelly and Norse.

``python -m benchmarks.training`` trains the network `strided` with all of them, interleaved: the
same weights, neurons, steps, batch, spike derivative and loss. It writes
``benchmarks/results/training.json`` and ``training.md``. The peers compute all steps of a layer
before the next layer, which is faster for each of them than all layers of a step before the next
step.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.interleaved import interleaved, spread, summarised
from benchmarks.least_work import training_work
from benchmarks.peers import PEERS, Outcome
from benchmarks.steps import CONVOLUTIONS, NAMES, OURS, driven, step
from benchmarks.stored import RESULTS, Stored, parser
from bioae.files import write_text
from bioae.networks import Network, NetworkConfig

_COMMAND = "python -m benchmarks.training"
_PACKAGES = ("bioae", "numpy", "torch", *PEERS)
_BATCH = 64

#: Wall time, and processor time, which other load on the machine affects less.
_CLOCKS = {"time": time.perf_counter, "processor time": time.process_time}


def main() -> None:
    """Measure, and write the table after each number of threads."""
    arguments = parser(_COMMAND, __doc__)
    threads = sorted({1, os.cpu_count() or 1})
    arguments.add_argument("--threads", type=int, nargs="+", default=threads, help="of PyTorch")
    arguments.add_argument("--runs", type=int, default=9, help="rounds that count")
    arguments.add_argument("--memory", choices=NAMES, help="print the memory of one of them")
    options = arguments.parse_args()
    network = Network.initialise(NetworkConfig.preset("strided")).quantised()
    if options.memory:
        torch.set_num_threads(options.threads[0])
        print(json.dumps(_grown(options.memory, network)))
        return
    stored = Stored(RESULTS / "training.json", _COMMAND, _PACKAGES)
    keys = [{"threads": number} for number in options.threads]
    for key in stored.pending(keys, resume=options.resume):
        torch.set_num_threads(key["threads"])
        stored.add(*({**key, **row} for row in _rows(network, key["threads"], options.runs)))
        write_text(RESULTS / "training.md", table(stored.rows), overwrite=True)
        print(table(stored.rows), flush=True)


def _rows(network: Network, threads: int, runs: int) -> Iterator[dict[str, Any]]:
    counts = step(OURS, network, _BATCH)().counts
    yield {"measure": "work", **training_work(network, driven(network, _BATCH)[0], counts)}
    for name in NAMES:
        command = [sys.executable, "-m", "benchmarks.training", "--memory", name]
        command += ["--threads", str(threads)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        memory = json.loads(done.stdout.splitlines()[-1])
        yield {"measure": "memory", "what": name, "unit": "MiB", "median": memory}
    steps = {name: step(name, network, _BATCH) for name in NAMES}
    ours = steps[OURS]()
    same = {name: _agreement(ours, steps[name]()) for name in PEERS}
    for measure, clock in _CLOCKS.items():
        times = interleaved(steps, runs=runs, clock=clock)
        for row in summarised(times, unit="ms per image", per=_BATCH / 1000).values():
            yield {"measure": measure, **asdict(row), "same_spikes": same.get(row.what)}
        yield {"measure": f"{measure}, ratio", **_ratio(times)}


def _ratio(times: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the speed of bioae divided by that of the fastest peer, round by round."""
    fastest = min(PEERS, key=lambda name: statistics.median(times[name]))
    ratios = [peer / ours for peer, ours in zip(times[fastest], times[OURS], strict=True)]
    row = summarised({fastest: ratios}, unit="times as fast")[fastest]
    return {**asdict(row), "what": f"{OURS} / {fastest}"}


def _agreement(ours: Outcome, peer: Outcome) -> float:
    """Return the fraction of equal spike counts among the neurons that spiked."""
    pairs = [(count, peer.counts[name]) for name, count in ours.counts.items()]
    active = [(one > 0) | (other > 0) for one, other in pairs]
    equal = [(one == other) & fired for (one, other), fired in zip(pairs, active, strict=True)]
    return sum(int(e.sum()) for e in equal) / sum(int(fired.sum()) for fired in active)


def _grown(name: str, network: Network) -> float:
    """Return the growth of the process in three steps at its peak, in MiB."""
    train = step(name, network, _BATCH)
    # Reset the peak, so that it excludes building the step; only Linux can.
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = _kibibytes("VmRSS")
    for _ in range(3):
        train()
    return (_kibibytes("VmHWM") - before) / 1024


def _kibibytes(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1])


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a section of Markdown for each number of threads."""
    rows = list(rows)
    lines = [
        "# Training compared with other libraries",
        "",
        f"Written by `{_COMMAND}`: the network `strided`, {_BATCH} digits per batch;",
        "forward, backward and Adam's update, interleaved in one process. Medians with the fastest",
        "and the slowest round. The memory is the growth of a process in three steps at its peak.",
        f'"{CONVOLUTIONS}" are those of PyTorch, channels last, without neurons.',
    ]
    for threads in dict.fromkeys(row["threads"] for row in rows):
        mine = [row for row in rows if row["threads"] == threads]
        lines += ["", f"## {threads} thread{'s' * (threads > 1)}", "", *_section(mine)]
    return "\n".join(lines) + "\n"


def _section(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    columns = "ms per image", "processor time", "images per second", "memory, MiB"
    yield f"| | {' | '.join(columns)} | same spike counts |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    by = {(row["measure"], row.get("what")): row for row in rows}
    for name in NAMES:
        wall, processor, memory = (by[m, name] for m in ("time", "processor time", "memory"))
        same = wall["same_spikes"]
        yield (
            f"| {name} | {spread(wall)} | {spread(processor)} | {1000 / wall['median']:.0f} | "
            f"{memory['median']:.0f} | {'' if same is None else f'{same:.4f}'} |"
        )
    yield ""
    for row in rows:
        if "ratio" in row["measure"]:
            clock = row["measure"].removesuffix(", ratio")
            yield f"- {row['what']}, images per second by {clock}: {spread(row)}"
    (work,) = (row for row in rows if row["measure"] == "work")
    every, events, size = work["all"] / 1e6, work["on_events"] / 1e6, work["bytes"] / 2**20
    yield (
        f"- An image takes at least {every:.0f} million multiplications with additions, "
        f"{events:.0f} on events, and {size:.0f} MiB of arrays written and read"
    )


if __name__ == "__main__":
    main()
