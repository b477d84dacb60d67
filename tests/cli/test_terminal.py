"""Output in a real terminal of 80 columns: no line is longer, and no cell is cut."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from bioae.datasets import DATA_SETS
from bioae.equations import available, load_neuron

ROWS, COLUMNS = 24, 80


def shown(arguments: tuple[object, ...], folder: Path) -> tuple[int, list[str]]:
    """Run a command in a terminal; return its status and the lines, without colours."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "bioae", *map(str, arguments)]
    with Popen(
        command, stdin=inside, stdout=inside, stderr=inside, env=environment, cwd=folder,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(inside)
        output = b""
        try:
            while part := os.read(terminal, 2**16):
                output += part
        except OSError:  # Linux: the other side is closed
            pass
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode())
    # What returns to the start of a line is written over.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return process.returncode, lines


Expected = Callable[[], list[str]]
LISTS: dict[tuple[str, ...], Expected] = {
    ("neurons", "list"): lambda: [load_neuron(name).description for name in available()],
    ("data", "list"): lambda: [each.description for each in DATA_SETS.values()],
    ("networks", "list"): lambda: ["sae-mnist"],
    ("simulate", "--help"): lambda: ["Replace an existing result"],
}


def words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


@pytest.mark.medium
@pytest.mark.parametrize(
    "command",
    [("neurons", "list"), *(pytest.param(each, marks=pytest.mark.slow) for each in [*LISTS][1:])],
    ids=" ".join,
)
def test_output_fits_the_terminal_and_is_whole(command: tuple[str, ...], tmp_path: Path) -> None:
    status, lines = shown(command, tmp_path)
    assert status in (0, 1), lines
    assert len(lines) > 1
    # A path, which stays whole so that it can be copied, is a single word.
    long = [line for line in lines if len(line) > COLUMNS and " " in line.strip()]
    assert long == []
    text = words(lines)
    assert not re.search(r"…|(?<!STR)(?<!INT)\.\.\.", text)  # several values
    for each in LISTS[command]():
        assert " ".join(each.split()) in text
