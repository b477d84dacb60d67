"""Libraries that only exports need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bioae.errors import InputError

__all__ = ["needs"]


def needs(library: str, install: str) -> Any:
    """Import a library.

    Raises
    ------
    InputError
        If it is not installed, saying what to install.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise InputError(
            f"{library} is not installed", found=str(error), mend=f"pip install {install}"
        ) from error
