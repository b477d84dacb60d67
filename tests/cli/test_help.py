"""The help of every command, and the libraries that it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bioae.cli.app import make_app

Run = Callable[..., Any]

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
def test_every_option_is_explained(command: str, run: Run) -> None:
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
