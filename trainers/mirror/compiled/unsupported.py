"""Layers that cannot be compiled: the reason, and the line that says so."""

from __future__ import annotations

import logging


class Unsupported(Exception):  # noqa: N818 - no error where the plain mirror takes over
    """An operation or layer that cannot be compiled; the message names the reason."""


_warned: set[str] = set()


def warn_uncompiled(layer: str, reason: str) -> None:
    """Say in one line why a layer runs uncompiled: of several with one reason, for the first."""
    if reason not in _warned:
        _warned.add(reason)
        line = "bioae: layer %s runs uncompiled, which is slower: %s"
        # The command line silences all other loggers.
        logging.getLogger("bioae").warning(line, layer, reason)
