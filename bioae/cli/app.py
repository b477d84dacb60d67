"""The commands and their one-line help.

A command is bound by its import path and imported when it runs, so that help needs none of the
libraries behind it.
"""

from __future__ import annotations

import importlib.metadata

from cyclopts import App, Parameter

__all__ = ["make_app"]

_COMMANDS = {
    "demo": "Train on the embedded digits, run in Brian2, compare, and write a report.",
    "train": "Train a spiking auto-encoder as a configuration file says.",
    "simulate": "Run a trained network in Brian2 on images.",
    "analyze": "Measure how the networks of one or more results fire.",
    "parity": "Compare the PyTorch mirror with Brian2, spike for spike.",
}

_GROUPS = {
    "neurons": (
        "Look at the neuron models.",
        {
            "list": "List the shipped neuron models.",
            "show": "Show a neuron model's equations and parameters.",
            "check": "Check a neuron model's file.",
        },
    ),
    "data": (
        "Find and fetch images.",
        {
            "list": "List the data sets that are known by name.",
            "fetch": "Fetch a data set where it is missing, and print its folder.",
            "path": "Print the folder of a data set.",
        },
    ),
    "cache": (
        "Look after the compiled networks that are kept for the next time.",
        {
            "show": "Show the compiled networks that are kept, the last used first.",
            "clear": "Remove all compiled networks; they are compiled again when needed.",
        },
    ),
}


def make_app() -> App:
    """Return the application: every command, not yet imported.

    The function of a command is ``bioae.cli.COMMAND:COMMAND``; that of a command of a group is
    ``bioae.cli.GROUP:COMMAND_GROUP`` (``bioae.cli.data:list_data``). It returns its exit status,
    or None for 0.
    """
    app = _new_app("bioae", "Spiking auto-encoders, written once as Brian2 equations.")
    app.version = lambda: importlib.metadata.version("bioae")
    for place, (name, line) in enumerate(_COMMANDS.items()):
        app.command(f"bioae.cli.{name}:{name}", name=name, help=line, sort_key=place)
    for group, (line, commands) in _GROUPS.items():
        subapp = _new_app(group, line)
        for place, (name, command_line) in enumerate(commands.items()):
            path = f"bioae.cli.{group}:{name}_{group}"
            subapp.command(path, name=name, help=command_line, sort_key=place)
        app.command(subapp)
    return app


def _new_app(name: str, line: str) -> App:
    return App(
        name=name,
        help=line,
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=_shown),
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        sort_key=len(_COMMANDS),
    )


def _shown(default: object) -> str | None:
    """Return a default as help shows it; that a switch is off goes without saying."""
    return None if default is None or default is False or default == () else str(default)
