"""The command line: one file per command, listed in `app`.

A new command goes here. Its file reads options, calls the library and prints; computations belong
in the library, so that everything can be done from Python too. The command line may import every
part of bioae, and no part imports it.
"""

from __future__ import annotations

from bioae.cli.main import main

__all__ = ["main"]
