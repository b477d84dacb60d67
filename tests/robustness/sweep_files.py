"""Sweep of mutated files, as a program: ``python sweep_files.py CASES SEED FOLDER``.

Each file is loaded in full, by the process of its batch. The output is a JSON object of counts:
outcomes, files elsewhere that were opened, and the memory that a batch took.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from builders import two_layers
from robustness import mutations
from robustness.mutations import Mutation

from bioae.analysis import example_result, open_result
from bioae.datasets import load as load_images
from bioae.datasets.idx import write_idx
from bioae.errors import BioaeError
from bioae.networks import artefact
from bioae.runs import checkpoint
from bioae.simulation.results.netcdf import write_result

BATCH = 50
SECONDS = 30
MARKER = "the text of the secret file"
IDENTITY = {"network": "a", "images": "b", "seed": "0"}

Loader = Callable[[Path], object]


def load_result(path: Path) -> object:
    tree = open_result(path, lazy=path.stat().st_size % 2 == 0)
    try:
        return tree.load()
    finally:
        tree.close()


#: The file of each kind, its loader, its mutations, and its share of the cases.
KINDS: dict[str, tuple[str, Loader, tuple[Mutation, ...], float]] = {
    "result": (
        "r.nc",
        load_result,
        (
            mutations.damaged,
            mutations.damaged,
            mutations.changed_hdf5,
            mutations.changed_attributes,
        ),
        0.3,
    ),
    "artefact": (
        "model",
        artefact.load,
        (
            mutations.damaged,
            mutations.changed_text,
            mutations.changed_header,
            mutations.changed_folder,
        ),
        0.15,
    ),
    "artefact.zip": (
        "model.zip",
        artefact.load,
        (mutations.damaged, mutations.changed_archive),
        0.1,
    ),
    "checkpoint": (
        "checkpoint.safetensors",
        checkpoint.load,
        (mutations.damaged, mutations.changed_header),
        0.15,
    ),
    "images.npz": (
        "images.npz",
        load_images,
        (mutations.damaged, mutations.changed_npz, mutations.changed_archive),
        0.1,
    ),
    "images.idx": ("idx", load_images, (mutations.damaged, mutations.changed_folder), 0.1),
}


def make_sources(folder: Path) -> None:
    """Write a valid file of each kind."""
    folder.mkdir()
    network = two_layers()
    write_result(example_result(), folder / "r.nc")
    artefact.save(network, folder / "model", training={"epochs": 3}, metrics={"loss": 0.5})
    artefact.save(network, folder / "model.zip")
    arrays = {"weight/a": np.ones((3, 4)), "optimiser/step/a": np.ones(())}
    made = checkpoint.Checkpoint(
        kind="gradients", config={"training": {"seed": 0}}, data={}, threads=2,
        position={"epoch": 1, "batch": 1}, records=[{"epoch": 1, "loss": 0.5}],
    )  # fmt: skip
    checkpoint.save(folder / "checkpoint.safetensors", made, arrays)
    pixels = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    np.savez_compressed(folder / "images.npz", images=pixels, labels=np.arange(3), other=pixels)
    (folder / "idx").mkdir()
    for name, values in (("images-idx3", pixels), ("labels-idx1", np.arange(3, dtype=np.uint8))):
        write_idx(folder / "idx" / f"train-{name}-ubyte.gz", values)
        write_idx(folder / "idx" / f"t10k-{name}-ubyte", values)


def make_secrets(folder: Path) -> None:
    """Write the files elsewhere that no loader may open."""
    folder.mkdir()
    with h5py.File(folder / "secret", "w") as file:
        file["input"] = np.frombuffer((MARKER * 1000).encode()[:13824], "f8").reshape(12, 12, 12)
    (folder / "secret.toml").write_text(f'description = "{MARKER}"')


class Watch:
    """Counts how often the files in a folder are opened, by the system's own count."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK)
        if self._libc.inotify_add_watch(self._handle, os.fsencode(folder), 0x20 | 0x1) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def count(self) -> int:
        count = 0
        while True:
            try:
                events = os.read(self._handle, 2**16)
            except BlockingIOError:
                return count
            at = 0
            while at < len(events):
                length = int.from_bytes(events[at + 12 : at + 16], sys.byteorder)
                count += length > 0
                at += 16 + length


def attempt(kind: str, seed: int, number: int, folder: Path, watch: Watch) -> str:
    """Mutate a file and load it; return the outcome."""
    random = np.random.default_rng([seed, list(KINDS).index(kind), number])
    name, load, changes, _ = KINDS[kind]
    source, path = folder / "sources" / name, folder / "inside" / name
    path.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, path)
    else:
        shutil.copy(source, path)
    try:
        changes[random.integers(len(changes))](path, random)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError):
        shutil.rmtree(path.parent)
        return "not made"
    watch.count()  # what the mutation opened does not count
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = load(path)
        outcome = "warned" if caught else "read"
        if MARKER in str(loaded):
            outcome = "leaked"
    except BioaeError as error:
        line = str(error)
        outcome = "refused" if "\n" not in line and MARKER not in line else f"bad line {line!r}"
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome = f"foreign {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    if watch.count():
        outcome = f"outside, then {outcome}"
    shutil.rmtree(path.parent)
    return outcome


def peak() -> int:
    """Return the largest memory of this process so far, in kB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def run_batch(
    kind: str, seed: int, numbers: range, folder: Path, watch: Watch
) -> tuple[list[str], int]:
    """Run cases in a fork, and another one after each that ends it; return outcomes and kB."""
    outcomes: list[str] = []
    taken = 0
    while len(outcomes) < len(numbers):
        log = folder / "log"
        log.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            with log.open("w", encoding="utf-8", buffering=1) as file:
                before = peak()
                for number in numbers[len(outcomes) :]:
                    signal.alarm(SECONDS)
                    line = attempt(kind, seed, number, folder, watch)
                    file.write(json.dumps([line, peak() - before]) + "\n")
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        outcomes += [line for line, _ in lines]
        taken = max([taken, *(kilobytes for _, kilobytes in lines)])
        if status:
            kinds = {-signal.SIGALRM: "hung"}
            outcomes.append(kinds.get(status, f"crashed {status}"))
            shutil.rmtree(folder / "inside", ignore_errors=True)
    return outcomes, taken


def main() -> int:
    """Run the sweep, and print its counts."""
    cases, seed, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    make_sources(folder / "sources")
    make_secrets(folder / "outside")
    watch = Watch(folder / "outside")
    (folder / "outside" / "secret.toml").read_bytes()
    assert watch.count() > 0  # it sees what is opened
    for name, load, _, _ in KINDS.values():
        load(folder / "sources" / name)  # valid, and its libraries are imported
    counts: Counter[str] = Counter()
    bad: list[str] = []
    memory, started = 0, time.monotonic()
    for kind, (_, _, _, share) in KINDS.items():
        total = round(cases * share)
        for start in range(0, total, BATCH):
            numbers = range(start, min(start + BATCH, total))
            outcomes, taken = run_batch(kind, seed, numbers, folder, watch)
            memory = max(memory, taken)
            for number, outcome in zip(numbers, outcomes, strict=True):
                counts[outcome.split()[0].strip(",") if outcome != "not made" else outcome] += 1
                if outcome not in ("read", "refused", "not made"):
                    bad.append(f"{kind} {number}: {outcome}")
    report: dict[str, Any] = {
        "cases": sum(counts.values()) - counts["not made"],
        **counts,
        "memory_mb": round(memory / 1000),
        "seconds": round(time.monotonic() - started),
        "bad": bad,
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
