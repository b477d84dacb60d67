"""Writing so that nothing is lost: to a temporary name beside the target, then renamed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bioae.errors import OutputError

__all__ = ["atomic_output", "check_output"]


def check_output(path: Path | str, *, overwrite: bool = False) -> Path:
    """Refuse an output that exists, or that cannot be written, before any work is done.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, or its folder cannot be written.
    """
    path = Path(path)
    if os.path.lexists(path) and not overwrite:
        raise OutputError(
            "the output exists already and was kept",
            where=str(path),
            mend="Choose another path, or replace it with --overwrite (overwrite=True)",
        )
    parent = path.absolute().parent
    existing = next(folder for folder in (parent, *parent.parents) if os.path.lexists(folder))
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(
            "the output cannot be written",
            where=str(path),
            expected="a folder in which you may write",
            found=f"{existing}, which is {'read-only' if existing.is_dir() else 'not a folder'}",
        )
    return path


@contextmanager
def atomic_output(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    The block may create a file or a folder there. When it fails, nothing of it remains and what
    stood at `path` is untouched.

    Raises
    ------
    OutputError
        As `check_output`; or if writing fails, for instance on a full disk.
    """
    path = check_output(path, overwrite=overwrite)
    temporary = path.absolute().with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"writing failed: {error.strerror or error}",
            where=str(path),
            mend="What stood there before is untouched; free some space or choose another place",
        ) from error
    finally:
        _remove(temporary)


def _replace(temporary: Path, path: Path) -> None:
    if not path.is_dir():
        temporary.replace(path)
        return
    # A folder that is not empty cannot be replaced in one step: the old one steps aside first.
    aside = temporary.with_suffix(".old")
    path.rename(aside)
    try:
        temporary.rename(path)
    except OSError:
        aside.rename(path)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
