"""Figures of the full sweeps of this folder, which `docs/results/robustness.json` keeps.

Each sweep runs in `make test` with few cases, and in `make test-all` with all of them.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import drawn
from filelock import FileLock
from robustness.forked import Command

from bioae.files import atomic_output
from bioae.networks.artefact import save

FIGURES = Path(__file__).parents[2] / "docs/results/robustness.json"


@pytest.fixture
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that stores a sweep's figures by name; of a small sweep, none."""
    full = request.node.get_closest_marker("slow") is not None

    def store(name: str, **numbers: object) -> None:
        if not full:
            return
        with FileLock(tmp_path_factory.getbasetemp().parent / "figures.lock"):
            stored = json.loads(FIGURES.read_text("utf-8")) if FIGURES.is_file() else {}
            stored[name] = numbers
            with atomic_output(FIGURES, overwrite=True) as temporary:
                text = json.dumps(dict(sorted(stored.items())), indent=1)
                temporary.write_text(f"{text}\n", encoding="utf-8")

    return store


@pytest.fixture(scope="session")
def config() -> str:
    """A training configuration."""
    return (Path(__file__).parents[1] / "cli/tiny.toml").read_text("utf-8")


@pytest.fixture(scope="session")
def model(config: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact of its network; not to be written to."""
    fields = tomllib.loads(config)["network"]
    path = tmp_path_factory.mktemp("tiny") / "model"
    save(drawn(*fields.pop("layers"), **fields), path)
    return path


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty working directory."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def start(tmp_path: Path, here: Path) -> Iterator[Callable[..., Command]]:
    """Start a command there; what still runs at the end of the test is ended."""
    started: list[Command] = []

    def start(*arguments: object, **environment: str) -> Command:
        logs = tmp_path / f"logs-{len(started)}"
        logs.mkdir()
        started.append(Command(*arguments, folder=here, logs=logs, environment=environment))
        return started[-1]

    yield start
    for command in started:
        command.kill()
