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
import xarray as xr

from bioae.analysis import example_result
from bioae.analysis.results.layers import layer_names
from bioae.datasets import DATA_SETS
from bioae.equations import available, load_neuron
from bioae.simulation.results.netcdf import write_result

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


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Results of the layers of a deep network, with long names."""
    folder = tmp_path_factory.mktemp("results")
    trees = [example_result(seed) for seed in (0, 1)]
    paths = [folder / "recurrent_excitatory.nc", folder / "recurrent_inhibitory.nc"]
    for tree, path in zip(trees, paths, strict=True):
        layers = {
            f"/layers/{copy}_convolution_{name}": tree["layers"].children[name].to_dataset()
            for copy in ("encoder", "decoder")
            for name in layer_names(tree)
        }
        whole = xr.DataTree.from_dict({"/": tree.to_dataset(), **layers})
        whole.attrs = tree.attrs
        write_result(whole, path)
    return paths


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


@pytest.mark.slow
def test_tables_of_an_analysis_fit_the_terminal(results: list[Path], tmp_path: Path) -> None:
    status, lines = shown(("analyze", *results, "--out", tmp_path / "out"), tmp_path)
    assert status == 0, lines
    assert [line for line in lines if len(line) > COLUMNS and not line.startswith("Report")] == []
    text = words(lines)
    assert "…" not in text.replace("Analysing", "")
    for name in ("encoder_convolution_latent", "decoder_convolution_conv", "response latency"):
        assert name in text
    assert any(line.startswith("Report: ") for line in lines)
