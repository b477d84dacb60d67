"""Optional libraries: imported on use, or missing with a line that says how to install them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bioae.errors import LibraryError


def installing(extra: str) -> str:
    """Return the command that installs an extra of bioae, which no package index has yet."""
    return f"pip install '.[{extra}]' in the folder of bioae's sources"


def needs(library: str, extra: str) -> Any:
    """Import an optional library of an extra of bioae, or raise LibraryError."""
    try:
        return import_module(library)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name in (library, None)
        raise LibraryError(
            f"{library} is not installed" if absent else f"{library} cannot be imported",
            found=None if absent else str(error), hint=f"Install it with: {installing(extra)}",
        ) from error  # fmt: skip


def has_torch() -> bool:
    """Return whether PyTorch is installed, without importing it."""
    try:
        return find_spec("torch") is not None
    except (ImportError, ValueError):
        return False


def need_torch(what: str) -> None:
    """Raise LibraryError if PyTorch, which a command or name needs, is not installed."""
    if not has_torch():
        raise LibraryError(
            f"{what} needs PyTorch, which is not installed",
            hint=f"Install it with: {installing('train')} (without a GPU, first: pip install "
            "torch --index-url https://download.pytorch.org/whl/cpu)",
        )
