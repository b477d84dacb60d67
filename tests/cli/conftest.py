"""A small trained network, and the command line in this process or a separate one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from builders import drawn
from filelock import FileLock

from bioae.cli import main
from bioae.networks import Network
from bioae.networks.artefact import save

TINY = Path(__file__).with_name("tiny.toml")


class Done(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """A training configuration."""
    return TINY.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_network(tiny_text: str) -> Network:
    """The network of the configuration, on the grid where all targets agree."""
    description = tomllib.loads(tiny_text)["network"]
    return drawn(*description.pop("layers"), **description)


@pytest.fixture(scope="session")
def tiny_model(tiny_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact of the network; not to be written to."""
    path = tmp_path_factory.mktemp("tiny") / "model"
    save(tiny_network, path)
    return path


@pytest.fixture(scope="session")
def stored_run(tiny_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configuration, and its finished run `out`; not to be written to."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "stored-run"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            (folder / "run.toml").write_text(tiny_text)
            assert main(["train", str(folder / "run.toml"), "--out", str(folder / "out")]) == 0
    return folder


@pytest.fixture
def first(stored_run: Path, here: Path) -> Path:
    """A finished run of the configuration in the working directory."""
    return Path(shutil.copytree(stored_run / "out", here / "first"))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slow runs print no lines on epochs."""
    monkeypatch.setattr("bioae.cli.epochs._QUIET", float("inf"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process."""

    def run(*arguments: object) -> Done:
        return Done(main([str(argument) for argument in arguments]), *capsys.readouterr())

    return run


@pytest.fixture
def refused(run: Run, here: Path) -> Callable[..., str]:
    """Run a command that must be refused in one line and change nothing; return that line."""

    def refused(*arguments: object) -> str:
        before = contents(here)
        done = run(*arguments)
        assert done.status == 2, done
        assert done.out == ""
        assert done.err.startswith("bioae: error: ")
        assert done.err.count("\n") == 1
        assert contents(here) == before
        return done.err.removeprefix("bioae: error: ").rstrip("\n")

    return refused


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file below a folder with its bytes, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class Session:
    """The command line in a separate session, so that any process left behind can be found."""

    def __init__(self, arguments: tuple[object, ...], folder: Path, first: str = "") -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        environment = {**os.environ, "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        code = f"import sys; from bioae.cli import main\n{first}\nsys.exit(main())"
        command = [sys.executable, *(("-c", code) if first else ("-m", "bioae"))]
        self._process = subprocess.Popen(
            [*command, *map(str, arguments)], cwd=folder, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def wait_for(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        """Wait until a condition holds while the command runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < end, "the condition never held"
            time.sleep(0.01)

    def running(self) -> list[str]:
        """Return the command lines of what runs in the session, this process's children too."""
        listed = subprocess.run(
            ["ps", "-eo", "sess=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split(None, 2) for line in listed.splitlines())
        session = str(self._process.pid)
        return [row[-1] for row in rows if row[0] == session and not row[1].startswith("Z")]

    def loading(self, module: str) -> Callable[[], bool]:
        """Return a condition: that the process has mapped an extension of a package."""
        maps = Path(f"/proc/{self._process.pid}/maps")
        return lambda: f"/{module.replace('.', '/')}/" in maps.read_text()

    def pause(self, seconds: float) -> None:
        """Let the command work for a while."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        assert self._process.poll() is None, self._process.communicate()

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> Done:
        """Send a signal to the process group, as a terminal does, and wait for the end."""
        os.killpg(self._process.pid, number)
        return self.wait()

    def wait(self) -> Done:
        """Wait for the end."""
        out, err = self._process.communicate(timeout=300)
        return Done(self._process.returncode, out, err)

    def close(self) -> None:
        """End the remaining processes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


@pytest.fixture
def start(here: Path) -> Iterator[Callable[..., Session]]:
    """Start the command line in a separate session, after the code `first`."""
    sessions: list[Session] = []

    def start(*arguments: object, first: str = "") -> Session:
        sessions.append(Session(arguments, here, first))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()
