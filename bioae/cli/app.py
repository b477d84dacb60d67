"""The commands and their one-line help.

A command is registered by its import path and imported when it runs, so that help loads none of
the libraries behind it.
"""

from __future__ import annotations

import importlib.metadata

from cyclopts import App, Parameter

_COMMANDS = {
    "demo": "Train on the embedded digits, run in Brian2, compare, and write a report.",
    "train": "Train a spiking network from a configuration file, by gradients or by rules.",
    "simulate": "Simulate a trained network in Brian2 or PyTorch.",
    "analyze": "Measure firing and reconstruction in one or more results, and write a report.",
    "parity": "Compare the PyTorch mirror with Brian2, spike for spike.",
    "fit": "Fit a neuron model's parameters to a recording, by gradient.",
    "import-nir": "Convert a NIR graph from snnTorch, norse or others to a trained network.",
    "export-nir": "Write a trained network as a NIR graph, for snnTorch, norse and others.",
    "export-script": "Write a trained network as a plain Brian2 script, with its weights.",
}

_GROUPS = {
    "neurons": (
        "Show and check neuron models.",
        {
            "list": "List the shipped neuron models.",
            "show": "Show a neuron model's equations and parameters.",
            "check": "Check the file of a neuron model.",
        },
    ),
    "synapses": (
        "Show synapse models: learning rules.",
        {
            "list": "List the shipped synapse models: learning rules.",
            "show": "Show a synapse model's equations, and draw its learning window.",
        },
    ),
    "networks": (
        "Show the trained networks that come with bioae.",
        {
            "list": "List the trained networks that come with bioae.",
            "show": "Show a trained network's card, its layers, and its folder.",
        },
    ),
    "data": (
        "Find and fetch data sets.",
        {
            "list": "List the named data sets.",
            "fetch": "Fetch a data set if it is missing, and print its folder.",
            "path": "Print the folder of a data set.",
        },
    ),
    "cache": (
        "Show and clear the cache of compiled networks.",
        {
            "show": "Show the cached networks, the most recently used first.",
            "clear": "Remove all cached networks; they are compiled again when needed.",
        },
    ),
}


def make_app() -> App:
    """Return the application with all commands, none of them imported.

    The help of a command repeats the first line of its docstring.

    The function of a command is ``bioae.cli.COMMAND:COMMAND``, with ``_`` for a hyphen; that of a
    command of a group is ``bioae.cli.GROUP:COMMAND_GROUP`` (``bioae.cli.data:list_data``). It
    returns its exit status, or None for 0.
    """
    app = new_app("bioae", "Spiking networks, written once as Brian2 equations.")
    app.version = lambda: importlib.metadata.version("bioae")
    for place, (name, line) in enumerate(_COMMANDS.items()):
        module = name.replace("-", "_")
        app.command(f"bioae.cli.{module}:{module}", name=name, help=line, sort_key=place)
    for group, (line, commands) in _GROUPS.items():
        subapp = new_app(group, line)
        for place, (name, command_line) in enumerate(commands.items()):
            path = f"bioae.cli.{group}:{name}_{group}"
            subapp.command(path, name=name, help=command_line, sort_key=place)
        app.command(subapp)
    return app


def new_app(name: str, line: str) -> App:
    """Return an application without commands, with the settings that all of them share."""
    return App(
        name=name,
        help=line,
        help_format="markdown",
        default_parameter=Parameter(negative=(), show_default=_shown),
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        sort_key=len(_COMMANDS),
    )


def _shown(default: object) -> str | None:
    """Format a default value for help; switches that are off show none."""
    return None if default is None or default is False or default == () else str(default)
