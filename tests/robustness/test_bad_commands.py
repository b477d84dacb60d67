"""Bad inputs through the command line: one line, status 2, nothing written, no time lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from robustness.bad_commands import cases
from robustness.bad_documents import Case, Material, write
from robustness.bad_fields import TRAINING
from robustness.forked import Command, Done

from bioae.cli import main

SEED = 2026


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Train and simulate once."""
    folder = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # The first process waits for the import of the libraries.
        assert forked(Case("", ["--version"], {}), folder, folder).status == 0
        (folder / "run.toml").write_text(tomli_w.dumps(TRAINING))
        write(Case("", [], {"images.npy": Material({}, {}, b"").images}), folder)
        assert main(["train", "run.toml", "--out=run"]) == 0
        options = ["--data=images.npy", "--target=numpy", "--out=r.nc"]
        assert main(["simulate", "run/model", *options]) == 0
    files = {path.name: path.read_bytes() for path in (folder / "run/model").iterdir()}
    run = {path.name: path.read_bytes() for path in (folder / "run").iterdir() if path.is_file()}
    return Material(files, run, (folder / "r.nc").read_bytes())


#: The longest time of a refusal, and of valid work on a busy machine, in seconds.
LIMIT, LIMIT_OF_WORK = 10.0, 60.0


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def forked(case: Case, folder: Path, logs: Path) -> Done:
    """Run a case in a process that has imported the libraries."""
    command = Command(*case.arguments, folder=folder, logs=logs, environment=case.environment)
    return command.wait(LIMIT_OF_WORK)


def separate(case: Case, folder: Path) -> Done:
    """Run a case as a shell does; its time is the processor's, since it imports the libraries."""
    words = [os.fsencode(word) for word in (sys.executable, "-m", "bioae", *case.arguments)]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **case.environment}
    begin = _processor_seconds()
    done = subprocess.run(
        words, cwd=folder, env=variables, capture_output=True, timeout=120, check=False
    )
    out, err = (part.decode(errors="backslashreplace") for part in (done.stdout, done.stderr))
    return Done(done.returncode, out, err, _processor_seconds() - begin)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fault(case: Case, done: Done, *, unchanged: bool) -> str | None:
    """Return the kind of a fault, or None."""
    if done.status == -signal.SIGKILL or (done.status == 2 and done.seconds > LIMIT):
        return "hang"
    if "Traceback" in done.err or done.status not in (0, 1, 2):
        return "traceback"
    if done.status == 2:
        if done.out or done.err.count("\n") != 1 or not done.err.startswith("bioae: error: "):
            return "extra line"
        if not unchanged:
            return "something written"
        return "refused though valid" if case.valid else None
    if not case.valid:
        return "accepted nonsense"
    return "extra line" if done.err else None


@pytest.mark.parametrize(
    ("count", "processes"),
    [(40, 1), pytest.param(2000, 40, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_bad_inputs(
    count: int, processes: int, material: Material, tmp_path: Path, figures: Any
) -> None:
    faults: list[str] = []
    kinds: Counter[str | None] = Counter()
    statuses: Counter[int] = Counter()
    for number, case in enumerate(cases(material, count, SEED + count)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(case, folder)
        before = contents(folder)
        alone = number % (count // processes) == 0
        done = separate(case, folder) if alone else forked(case, folder, tmp_path)
        kind = fault(case, done, unchanged=before == contents(folder))
        kinds[kind] += 1
        statuses[done.status] += 1
        if kind is not None:
            faults.append(described(kind, case, done))
    assert statuses[2] > count / 2
    assert not faults, "\n".join(faults)
    figures(
        "bad inputs through the command line",
        inputs=count,
        separate_processes=processes,
        refused=statuses[2],
        valid_by_a_rule=statuses[0] + statuses[1],
        tracebacks=kinds["traceback"],
        extra_lines=kinds["extra line"],
        hangs_over_10_s=kinds["hang"],
        accepted_nonsense=kinds["accepted nonsense"],
    )


def described(kind: str, case: Case, done: Done) -> str:
    """Return a fault, and what is needed to repeat it."""
    documents = {
        name: text for name, text in case.files.items() if name.endswith((".toml", "json"))
    }
    lines = [f"--- {kind}: {case.kind}: {' '.join(case.arguments)[:200]!a} {case.environment}"]
    lines += [f"status {done.status}, {done.seconds:.1f} s, valid {case.valid}"]
    lines += [f"{name}: {content[:2500]!r}" for name, content in documents.items()]
    return "\n".join([*lines, f"out: {done.out[:300]!a}", f"err: {done.err[-1500:]!a}"])
