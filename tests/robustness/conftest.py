"""A tiny network, and commands that can be killed.

Each sweep of this folder runs with few cases, and in `make test-all` with all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import drawn
from robustness.forked import Command

from bioae.networks.artefact import save


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
