"""A small experiment in a folder of the test, and the command line in this process or another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import experiments
from experiments.__main__ import main

#: Rows of plain arithmetic: a higher score is claimed, and chance is the control.
TOY = '''
"""A toy."""
from experiments.runner.criteria import Criterion, difference, mean
from experiments.runner.experiment import Column, Condition, Experiment

__all__ = ["EXPERIMENT"]

def run(trial):
    with (trial.folder / "calls").open("a") as calls:
        calls.write("x")
    score = trial.settings["score"] + trial.seed / 8 * trial.sizes["spread"]
    return {"score": score, "spikes": trial.settings.get("spikes", 10)}

EXPERIMENT = Experiment(
    title="A toy",
    source="nobody",
    claim="Ours is better.",
    conditions={
        "ours": Condition("ours", {"score": 0.75}),
        "chance": Condition("chance", {"score": 0.25}),
    },
    columns={"score": Column("score"), "spikes": Column("spikes")},
    run=run,
    sizes={"spread": 1.0},
    quick={"spread": 0.5},
    seeds=3,
    criteria=(
        Criterion("claim", "our score", mean("score", "ours"), ">=", 0.75),
        Criterion("control", "score of chance", mean("score", "chance"), "<=", 0.5),
        Criterion("claim", "difference", difference("score", "ours", "chance"), ">", 0.25),
    ),
)
'''

COMMAND = """
import sys
import experiments
experiments.__path__ = [*experiments.__path__, sys.argv.pop(1)]
from experiments.__main__ import main
sys.exit(main())
"""


ROOT = Path(__file__).parents[2]


class Done(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Done]
Write = Callable[..., None]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A further folder in which experiments are found."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(folder)])
    return folder


@pytest.fixture
def write(modules: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the toy, with replacements in its text."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(*replacements: tuple[str, str]) -> None:
        text = TOY
        for before, after in replacements:
            assert before in text
            text = text.replace(before, after)
        (modules / "toy.py").write_text(text)
        monkeypatch.delitem(sys.modules, "experiments.toy", raising=False)

    write()
    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process."""

    def run(*arguments: object) -> Done:
        return Done(main([*map(str, arguments)]), *capsys.readouterr())

    return run


@pytest.fixture
def start(modules: Path, here: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a separate process."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", COMMAND, str(modules), *map(str, arguments)]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            words, cwd=here, env=variables, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    return start
