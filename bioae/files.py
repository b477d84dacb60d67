"""Atomic writing: to a temporary file in the same folder, which is then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from bioae.errors import InputError, OutputError

__all__ = ["Kind", "atomic_output", "check_output", "expanded", "user_cache"]

Kind = Literal["file", "folder"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_output(path: Path | str, *, overwrite: bool = False, kind: Kind | None = None) -> Path:
    """Refuse an output that exists, or that cannot be written, before any work is done.

    Parameters
    ----------
    path
        The output.
    overwrite
        Whether an existing output may be replaced. A file never replaces a folder, nor a folder a
        file, nor either of them a device.
    kind
        The kind of output, if it is known in advance.

    Raises
    ------
    OutputError
        If `path` exists and may not be replaced, or its folder cannot be written.
    """
    path = Path(path)
    if path.exists() or os.path.lexists(path):  # the first refuses names that are too long
        if not overwrite:
            raise OutputError(
                "the output exists already and was kept",
                where=str(path),
                mend="Choose another path, or replace it with --overwrite (overwrite=True)",
            )
        _check_kind(path, kind)
    parent = path.absolute().parent
    existing = next(folder for folder in (parent, *parent.parents) if os.path.lexists(folder))
    try:
        # Permission bits are not enough: on some file systems not even root may write.
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        reason = "not a folder" if not existing.is_dir() else error.strerror
        raise OutputError(
            "the output cannot be written",
            where=str(path),
            expected="a folder in which you may write",
            found=f"{existing}: {reason}",
        ) from error
    return path


@contextmanager
def atomic_output(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path next to `path`, and rename it to `path` when the block succeeds.

    The block may create a file or a folder there. If it fails, the temporary path is removed and
    an existing output at `path` is untouched.

    Raises
    ------
    OutputError
        As for `check_output`; or if writing fails, for instance on a full disk.
    """
    path = check_output(path, overwrite=overwrite)
    temporary = path.absolute().with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    missing = [folder for folder in temporary.parents if not folder.exists()]
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _check_kind(path, "folder" if temporary.is_dir() else "file")
        _replace(temporary, path)
    except OSError as error:
        space = "Free some space, or choose" if error.errno in _FULL else "Choose"
        raise OutputError(
            f"writing failed: {error.strerror or error}",
            where=str(path),
            mend=f"{space} another place; an existing output is untouched",
        ) from error
    finally:
        _remove(temporary)
        for folder in missing:
            with suppress(OSError):  # the folder is not empty if something was written
                folder.rmdir()


def expanded(path: Path | str, *, where: str | None = None) -> Path:
    """Return a path with the home folder in place of ``~``.

    Raises
    ------
    InputError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError("there is no such home folder", where=where, found=str(path)) from None


def user_cache() -> Path:
    """Return the cache folder: ``BIOAE_CACHE``, or the user's cache."""
    if os.environ.get("BIOAE_CACHE"):
        return expanded(os.environ["BIOAE_CACHE"], where="BIOAE_CACHE")
    from platformdirs import user_cache_path

    return user_cache_path("bioae")


def _check_kind(path: Path, kind: Kind | None) -> None:
    if not path.exists():  # a broken link has no kind
        return
    actual = "folder" if path.is_dir() else "file" if path.is_file() else "special file"
    if actual not in ((kind,) if kind else ("file", "folder")):
        raise OutputError(
            "the output would replace something of another kind, which was kept",
            where=str(path),
            expected=f"a {kind or 'file or folder'}",
            found=f"a {actual}",
            mend="Choose another path",
        )


def _replace(temporary: Path, path: Path) -> None:
    if not path.is_dir():
        temporary.replace(path)
        return
    # A folder that is not empty cannot be replaced in one step: rename the old one first.
    aside = temporary.with_suffix(".old")
    path.rename(aside)
    try:
        temporary.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
