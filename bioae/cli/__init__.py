"""The command line: one file a command, and `app`, which knows them all.

A command's file reads its options, calls the library and prints. What it computes belongs
elsewhere, so that everything can be done from Python too.
"""

from __future__ import annotations

from bioae.cli.main import main

__all__ = ["main"]
