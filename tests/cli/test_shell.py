"""The entry point of the command line: help without heavy libraries, one line per failure."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from bioae.cli import data, main
from bioae.errors import DataError

LIST = (
    "demo, train, simulate, analyze, parity, fit, import-nir, export-nir, export-script, "
    "neurons, synapses, networks, data, cache"
)
COMMANDS = tuple(LIST.split(", "))

Failing = Callable[[BaseException], None]


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Let ``bioae data path`` raise an error."""

    def install(error: BaseException) -> None:
        def fail(name: str, /) -> NoReturn:
            raise error

        monkeypatch.setattr(data, "path_data", fail)

    return install


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert [name for name in COMMANDS if f"│ {name} " in output] == list(COMMANDS)


@pytest.mark.medium
def test_version() -> None:
    done = run_python("-m", "bioae", "--version")
    assert (done.returncode, done.stdout) == (0, importlib.metadata.version("bioae") + "\n")


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["dat"], "Did you mean data? See bioae --help"),
        (["zzz"], f"Choose from: {', '.join(COMMANDS)}. See bioae --help"), (["--zzz"], "--zzz"),
        (["data", "lst"], "Did you mean list? See bioae data --help"),
        (["data", "list", "--jsn"], "Did you mean --json? See bioae data list --help"),
        (["data", "path"], "See bioae data path --help"), (["data", "path", "a", "b"], "'b'"),
        (["data", "list", "--json=maybe"], "maybe"),
        (["data", "path", "mnits"], "Did you mean mnist?"), (["data", "path", ""], "found ''"),
        (["data", "path", "--out="], "--out"), (["data", "path", "a\0b"], r"found 'a\x00b'"),
        (["data", "path", "a\udcff"], r"found 'a\udcff'"),
        (["simulate", "model", "--out", ""], "--out"),
    ],
    ids=ascii,
)  # fmt: skip
def test_bad_usage_is_one_line_with_advice(
    arguments: list[str], quoted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("bioae: error: ")
    assert captured.err.count("\n") == 1
    assert quoted in captured.err


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (DataError("it is\nempty", where="x.npy"), 2, "bioae: error: x.npy: it is empty\n"),
        (PermissionError(13, "Permission denied", "out.nc"), 2, "out.nc: Permission denied\n"),
        (MemoryError("no room"), 2, "no room. Ask for fewer examples\n"),
        (KeyboardInterrupt(), 130, "bioae: interrupted\n"),
        (BrokenPipeError(), 141, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_failures(
    error: BaseException, status: int, text: str, failing: Failing,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    failing(error)
    assert main(["data", "path", "sample"]) == status
    written = capsys.readouterr().err
    assert written.endswith(text)
    assert written.count("\n") == (1 if text else 0)


def test_a_defect_shows_its_traceback(failing: Failing, capsys: pytest.CaptureFixture[str]) -> None:
    failing(ZeroDivisionError("by zero"))
    assert main(["data", "path", "sample"]) == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ZeroDivisionError: by zero"
    assert "please report" in lines[-1]


@pytest.mark.medium
def test_a_full_disk_and_a_closed_pipe_behind_standard_output() -> None:
    read, closed = os.pipe()
    os.close(read)
    full = os.open("/dev/full", os.O_WRONLY)
    for output, status, text in (
        (full, 2, "bioae: error: output: No space left on device\n"),
        (closed, 141, ""),
    ):
        command = [sys.executable, "-m", "bioae", "data", "list"]
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
        os.close(output)
        assert (done.returncode, done.stderr) == (status, text)


@pytest.mark.medium
def test_warnings_and_logs_of_libraries_are_silent_unless_python_is_asked() -> None:
    code = (
        "import sys, warnings, logging; from bioae.cli import data, main; "
        "warn = lambda *, json=False: (warnings.warn('careful'), logging.error('careful')); "
        "data.list_data = warn; sys.argv = ['bioae', 'data', 'list']; main()"
    )
    assert run_python("-c", code).stderr == ""
    assert run_python("-W", "default", "-c", code).stderr.count("careful") >= 2
