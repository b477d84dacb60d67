"""The help of every command, the libraries that it loads, and tables in the terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from bioae.analysis.measures.definitions import Table
from bioae.cli.app import make_app
from bioae.cli.tables import print_table
from bioae.datasets import DATA_SETS
from bioae.equations import available, load_neuron

COMMANDS = (
    "demo", "train", "simulate", "analyze", "parity", "fit", "import-nir", "export-nir",
)  # fmt: skip
GROUPED = (
    "neurons list", "neurons show", "neurons check", "synapses list", "synapses show",
    "data list", "data fetch", "data path",
    "networks list", "networks show", "cache show", "cache clear",
)  # fmt: skip
HEAVY = ("brian2", "matplotlib", "scipy", "sklearn", "torch", "xarray", "numpy", "pydantic")


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPED])
def test_every_option_is_explained(command: str, run: Callable[..., Any]) -> None:
    words = command.split()
    done = run(*words, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Usage: bioae {command}" in done.out
    app = make_app()
    for word in words:
        app = app[word]
    arguments = [
        each for each in app.assemble_argument_collection(parse_docstring=True) if each.show
    ]
    # A command that only lists has no argument but its format.
    assert arguments
    assert all(argument.parameter.help for argument in arguments), command
    # An asterisk outside code could be read as emphasis and be left out.
    documented = "".join(argument.parameter.help or "" for argument in arguments)
    assert done.out.count("*ms") == documented.count("*ms")


@pytest.mark.medium
def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys; from bioae.cli import main\n"
        "loaded = lambda: print(json.dumps([n for n in sys.argv[1:] if n in sys.modules]))\n"
        "main(['--help']); main(['neurons', '--help']); loaded()\n"
        f"for command in {COMMANDS!r}: assert main([command, '--help']) == 0\n"
        "loaded()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True
    )
    first, last = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    assert first == []
    assert set(last) <= {"numpy", "pydantic"}


LAYERS = [f"encoder{place}" for place in range(9)]
TABLE = Table(
    "Firing per layer",
    ("", *LAYERS, "source"),
    tuple(
        (
            f"statistic {row} of neurons, step by step, over presentations",
            *(f"{row}.{column}17: above" for column in range(len(LAYERS))),
            f"Author{row} & Other 2001, macaque, visual and motor areas, awake, in a task",
        )
        for row in range(4)
    ),
    texts=("source",),
)


def printed(table: Table, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        print_table(table, console)
    return capture.get()


@pytest.mark.parametrize("width", [60, 80, 132, 400])
def test_a_table_fits_and_is_complete(width: int) -> None:
    text = printed(TABLE, width)
    assert max(map(len, text.splitlines())) <= width
    words = re.findall(r"\S+", text)
    expected = Counter(word for row in TABLE.rows for cell in row[1:] for word in cell.split())
    assert {word: words.count(word) for word in expected} == expected
    assert [words.count(layer) for layer in LAYERS] == [1] * len(LAYERS)
    # Each part repeats the headings of the rows, and the caption.
    parts = text.count(TABLE.caption)
    assert words.count("statistic") == parts * len(TABLE.rows)
    assert (parts == 1) == (width == 400)
    assert text.count("(continued)") == parts - 1


WHOLE: dict[tuple[str, ...], list[str]] = {
    ("neurons", "list"): [load_neuron(name).description for name in available()],
    ("data", "list"): [each.description for each in DATA_SETS.values()],
    ("networks", "list"): ["sae-mnist"],
    ("simulate", "--help"): ["Replace an existing result"],
}


@pytest.mark.parametrize("command", WHOLE, ids=" ".join)
def test_output_fits_the_terminal_and_is_whole(
    command: tuple[str, ...], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = run(*command)
    assert (done.status, done.err) == (0, "")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.out)
    # A path, which stays whole so that it can be copied, is a single word.
    lines = shown.splitlines()
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []
    text = " ".join(shown.split())
    assert not re.search(r"…|(?<!STR)(?<!INT)\.\.\.", text)  # several values
    for each in WHOLE[command]:
        assert " ".join(each.split()) in text
