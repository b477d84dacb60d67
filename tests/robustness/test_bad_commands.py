"""Bad inputs through the command line: one line, status 2, nothing written, no time lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from robustness import command_server
from robustness.bad_commands import TRAINING, Case, Material, cases, write

from bioae.cli import main

SEED = 2026


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Train and simulate once."""
    folder = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "run.toml").write_text(tomli_w.dumps(TRAINING))
        write(Case("", [], {"images.npy": Material({}, {}, b"").images}), folder)
        assert main(["train", "run.toml", "--out=run"]) == 0
        options = ["--data=images.npy", "--target=numpy", "--out=r.nc"]
        assert main(["simulate", "run/model", *options]) == 0
    files = {path.name: path.read_bytes() for path in (folder / "run/model").iterdir()}
    run = {path.name: path.read_bytes() for path in (folder / "run").iterdir() if path.is_file()}
    return Material(files, run, (folder / "r.nc").read_bytes())


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    """Start the process that runs cases in its children."""
    command = [sys.executable, "-W", "ignore", command_server.__file__]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONWARNINGS", None)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    yield process
    process.communicate()


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def in_server(server: subprocess.Popen[str], case: Case, folder: Path) -> dict[str, Any]:
    assert server.stdin is not None
    assert server.stdout is not None
    request = {
        "arguments": case.arguments, "environment": case.environment, "folder": str(folder),
    }  # fmt: skip
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    answer: dict[str, Any] = json.loads(server.stdout.readline())
    return answer


def in_process(case: Case, folder: Path) -> dict[str, Any]:
    """Run a case as a shell does."""
    words = [os.fsencode(word) for word in (sys.executable, "-m", "bioae", *case.arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **case.environment}
    begin = time.monotonic()
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, timeout=60, check=False
    )
    out, err = (part.decode(errors="backslashreplace") for part in (done.stdout, done.stderr))
    return {"status": done.returncode, "out": out, "err": err, "seconds": time.monotonic() - begin}


def fault(case: Case, done: dict[str, Any], before: object, after: object) -> str | None:
    """Return the kind of a fault, or None."""
    status, err = done["status"], done["err"]
    if status == "hung":
        return "hang"
    if "Traceback" in err or status not in (0, 1, 2):
        return "traceback"
    if status == 2:
        if done["out"] or err.count("\n") != 1 or not err.startswith("bioae: error: "):
            return "extra line"
        if before != after:
            return "left something"
        return "refused a valid input" if case.valid else None
    if not case.valid:
        return "accepted nonsense"
    return "extra line" if "arn" in err else None


@pytest.mark.parametrize(
    ("count", "real"),
    [(int(__import__("os").environ.get("V_N", 60)), 1), pytest.param(2000, 40, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_bad_inputs(
    count: int, real: int, material: Material, server: Any, tmp_path: Path, figures: Any
) -> None:
    faults: list[tuple[str, Case, dict[str, Any]]] = []
    statuses: Counter[str] = Counter()
    for number, case in enumerate(cases(material, count, SEED + count)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(case, folder)
        before = contents(folder)
        separate = number % (count // real) == 0
        done = in_process(case, folder) if separate else in_server(server, case, folder)
        statuses[str(done["status"])] += 1
        kind = fault(case, done, before, contents(folder))
        if kind is not None:
            faults.append((kind, case, done))
    kinds = Counter(kind for kind, *_ in faults)
    for kind, case, done in faults:
        _report(kind, case, done)
    assert statuses["2"] > count / 2
    assert not faults, kinds
    figures(
        "bad inputs through the command line",
        inputs=count,
        separate_processes=real,
        refused=statuses["2"],
        accepted_as_valid=statuses["0"] + statuses["1"],
        tracebacks=0,
        extra_lines=0,
        hangs_over_10_s=0,
        accepted_nonsense=0,
    )


def _report(kind: str, case: Case, done: dict[str, Any]) -> None:
    print(f"--- {kind}: {case.kind}: {' '.join(case.arguments)[:200]!a} {case.environment}")
    print(f"status {done['status']}, {done['seconds']:.1f} s, valid {case.valid}")
    for name, content in case.files.items():
        if (
            name.endswith((".toml", ".json"))
            and not name.startswith("model/")
            or "descr" in case.kind
        ):
            print(f"{name}: {content[:2500]!r}")
    print(f"out: {done['out'][:300]!a}\nerr: {done['err'][-1500:]!a}")
