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
    "demo", "train", "simulate", "analyze", "parity", "import-nir", "export-nir",
)  # fmt: skip
GROUPED = (
    "neurons list", "neurons show", "neurons check", "data list", "data fetch", "data path",
    "networks list", "networks show", "cache show", "cache clear",
)  # fmt: skip
HEAVY = ("brian2", "matplotlib", "scipy", "sklearn", "torch", "xarray")


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
def test_the_help_of_a_command_imports_nothing_heavy() -> None:
    code = (
        "import json, sys; from bioae.cli import main\n"
        f"for command in {COMMANDS!r}: assert main([command, '--help']) == 0\n"
        "print(json.dumps([name for name in sys.argv[1:] if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
