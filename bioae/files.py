"""Outputs: written whole or not at all, into a temporary folder next to their place."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from bioae.errors import OutputError
from bioae.inputs import as_path

Kind = Literal["file", "folder"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_output(path: Path | str, *, overwrite: bool = False, kind: Kind | None = None) -> Path:
    """Reject an output that exists, or that cannot be written, before any work is done.

    `path`: the output. Of a link, the file or folder that it leads to is written.
    `overwrite`: whether an existing output may be replaced, as an empty folder always may by a
        folder. A file never replaces a folder, nor a folder a file, nor either of them a device or
        a pipe.
    `kind`: the kind of output, if it is known in advance.

    Raises `OutputError` if `path` is not a path, its name is too long, it exists and may not be
    replaced, or its folder cannot be written.
    """
    path = as_path(path, OutputError, "output")
    parent = _target(path).parent
    existing = next(folder for folder in (parent, *parent.parents) if os.path.lexists(folder))
    try:
        _check_kind(path, None)
        if path.exists() and not (overwrite or _is_empty_folder(path)):
            raise _existing(path)
        _check_kind(path, kind)
        # Permission bits are not enough: on some file systems not even root may write.
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        raise OutputError(
            "the output cannot be written", where=str(path),
            expected="a folder in which you may write",
            found=f"{existing}: {error.strerror}",
        ) from error  # fmt: skip
    return path


@contextmanager
def atomic_output(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path, and rename it to `path` when the block succeeds.

    The block may create a file or a folder there, whose name is that of `path`. If it fails, the
    temporary path is removed and an existing output at `path` is untouched. A process that is
    killed leaves a hidden folder next to `path`.

    Raises `OutputError` as for `check_output`; or if writing fails, for instance on a full disk.
    """
    path = check_output(path, overwrite=overwrite)
    target = _target(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{target.name[:20]}."
        with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as folder:
            temporary = Path(folder) / target.name
            yield temporary
            _check_kind(path, "folder" if temporary.is_dir() else "file")
            if target.exists() and not (overwrite or _is_empty_folder(target)):
                raise _existing(path)  # made meanwhile, by another process
            aside = Path(folder) / ("old" if target.name != "old" else "previous")
            _replace(temporary, target, aside)
    except OSError as error:
        space = "Free some space, or choose" if error.errno in _FULL else "Choose"
        raise OutputError(
            f"writing failed: {error.strerror or error}", where=str(path),
            hint=f"{space} another place; an existing output is untouched",
        ) from error  # fmt: skip


def check_only(folder: Path, *names: str) -> None:
    """Raise an `OutputError` for a folder that holds other files than those of these names."""
    found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    others = {name for name in found - {*names} if not name.startswith(".")}  # those of a desktop
    if others:
        raise OutputError(
            "the folder holds other files and was kept", where=str(folder),
            expected=f"nothing but {' and '.join(names)}", found=min(others),
            hint="Choose another path",
        )  # fmt: skip


def write_text(path: Path | str, text: str, *, overwrite: bool = False) -> None:
    """Write text in UTF-8, as `atomic_output` does.

    Raises `OutputError` as for `atomic_output`.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one; of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def user_cache() -> Path:
    """Return the cache folder: ``BIOAE_CACHE``, or the user's cache."""
    if os.environ.get("BIOAE_CACHE"):
        return Path(os.environ["BIOAE_CACHE"]).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("bioae")


def _target(path: Path) -> Path:
    """Return the absolute path of the file or folder that a path leads to through links."""
    return Path(os.path.realpath(path))


def _is_empty_folder(path: Path) -> bool:
    """Return whether this is an empty folder, other than the working folder."""
    return path.is_dir() and not path.samefile(".") and not any(path.iterdir())


def _check_kind(path: Path, kind: Kind | None) -> None:
    found = "folder" if path.is_dir() else "file" if path.is_file() else "device or pipe"
    if path.exists() and found not in ((kind,) if kind else ("file", "folder")):
        raise OutputError(
            "the output would replace something of another kind, which was kept", where=str(path),
            expected=f"a {kind or 'file or folder'}", found=f"a {found}",
            hint="Choose another path",
        )  # fmt: skip


def _existing(path: Path) -> OutputError:
    return OutputError(
        "the output exists already and was kept", where=str(path),
        hint="Choose another path, or replace it with --overwrite (overwrite=True)",
    )  # fmt: skip


def _replace(temporary: Path, target: Path, aside: Path) -> None:
    """Rename an output to its place; a folder that is there is moved aside first."""
    if not target.is_dir():
        temporary.replace(target)
        return
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
