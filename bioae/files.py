"""Outputs: regular files and folders only, written whole or not at all.

An output is written into a temporary folder next to it, and then renamed. A process holds a lock on
its temporary folders, which tells them from those of a process that was killed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from bioae.errors import OutputError, shortened
from bioae.inputs import as_path, expanded, is_system, kind_of
from bioae.locks import flock

__all__ = [
    "Kind",
    "atomic_output",
    "check_output",
    "remove",
    "remove_stale",
    "temporary_folder",
    "user_cache",
    "write_text",
]

Kind = Literal["file", "folder"]

#: Most file systems have 255 bytes, and temporary folders have more than the name.
_LONGEST_NAME = 240
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)
_MOST_LINKS = 40  # as in Linux
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def check_output(path: Path | str, *, overwrite: bool = False, kind: Kind | None = None) -> Path:
    """Refuse an output that exists, or that cannot be written, before any work is done.

    Parameters
    ----------
    path
        The output. Of a link, the file or folder that it leads to is written.
    overwrite
        Whether an existing output may be replaced, as an empty folder always may by a folder. A
        file never replaces a folder, nor a folder a file, nor either of them a device, a pipe or a
        link that leads nowhere.
    kind
        The kind of output, if it is known in advance.

    Raises
    ------
    OutputError
        If `path` is no path or begins with ``~``, its name is too long, it exists and may not be
        replaced, or its folder cannot be written.
    """
    path = as_path(path, OutputError, "output")
    _refuse_home(path)
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise OutputError(
            "the name of the output is too long",
            expected=f"at most {_LONGEST_NAME} bytes",
            found=f"{len(os.fsencode(path.name))}: {shortened(path.name)}",
        )
    target = _target(path)
    _check_kind(path, target, None)
    if target.exists() and not (overwrite or _is_empty_folder(target)):
        raise _existing(path)
    _check_kind(path, target, kind)
    parent = target.absolute().parent
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
    """Yield a temporary path, and rename it to `path` when the block succeeds.

    The block may create a file or a folder there, whose name is that of `path`. If it fails, the
    temporary path is removed and an existing output at `path` is untouched. If it succeeds, the
    temporary folders that killed processes left for the same output are removed too.

    Raises
    ------
    OutputError
        As for `check_output`; or if writing fails, for instance on a full disk.
    """
    path = check_output(path, overwrite=overwrite)
    target = _target(path).absolute()
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target) as folder:
            temporary = folder / target.name
            yield temporary
            _check_kind(path, target, "folder" if temporary.is_dir() else "file")
            try:
                _replace(temporary, target, aside=folder / "replaced" if overwrite else None)
            except OSError as error:
                if overwrite or error.errno not in _TAKEN:
                    raise
                raise _existing(path) from None  # made meanwhile, by another process
        remove_stale(target)
    except OSError as error:
        space = "Free some space, or choose" if error.errno in _FULL else "Choose"
        raise OutputError(
            f"writing failed: {error.strerror or error}",
            where=str(path),
            hint=f"{space} another place; an existing output is untouched",
        ) from error
    finally:
        for folder in missing:
            with suppress(OSError):  # the folder is not empty if something was written
                folder.rmdir()


def write_text(path: Path | str, text: str, *, overwrite: bool = False) -> None:
    """Write text in UTF-8, as `atomic_output` does.

    Raises
    ------
    OutputError
        As for `atomic_output`.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Make a folder next to `path`, and remove it at the end.

    If the process is killed, the next `atomic_output` of `path` removes it.
    """
    folder, lock = _locked_folder(path)
    try:
        yield folder
    finally:
        try:
            remove(folder)
        finally:
            os.close(lock)


def remove_stale(path: Path) -> None:
    """Remove the temporary folders of `path` that processes which were killed left."""
    form = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
    with suppress(OSError), os.scandir(path.absolute().parent) as entries:
        for entry in entries:
            if form.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_unlocked(Path(entry.path))


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one; of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def user_cache() -> Path:
    """Return the cache folder: ``BIOAE_CACHE``, or the user's cache."""
    if os.environ.get("BIOAE_CACHE"):
        return expanded(os.environ["BIOAE_CACHE"], where="BIOAE_CACHE")
    from platformdirs import user_cache_path

    return user_cache_path("bioae")


def _target(path: Path) -> Path:
    """Return the path of a file or folder that a path leads to through links.

    Raises
    ------
    OutputError
        If a link leads nowhere, or through files of the system as ``/dev/stdout`` does.
    """
    target, found = path, "a circle of links"
    for _ in range(_MOST_LINKS):
        if is_system(Path(os.path.realpath(target.parent))):
            found = f"{target}, a file of the system"
            break
        if not target.is_symlink():
            if target == path or target.exists():
                return target
            found = f"a link to {target}, which does not exist"
            break
        target = target.parent / target.readlink()
    raise OutputError(
        "the output cannot be written",
        where=str(path),
        expected="a folder in which you may write, or a link to a file or a folder",
        found=found,
        hint="Choose another path",
    )


def _is_empty_folder(path: Path) -> bool:
    """Return whether this is a folder that holds nothing, and whose place another may take."""
    with suppress(OSError):  # a folder that cannot be read
        taken = os.path.ismount(path) or path.samefile(".")
        return path.is_dir() and not taken and not any(path.iterdir())
    return False


def _check_kind(path: Path, target: Path, kind: Kind | None) -> None:
    if not target.exists():
        return
    actual = kind_of(target.stat().st_mode)
    if actual not in ((kind,) if kind else ("file", "folder")):
        raise OutputError(
            "the output would replace something of another kind, which was kept",
            where=str(path),
            expected=f"a {kind or 'file or folder'}",
            found=f"a {actual}",
            hint="Choose another path",
        )


def _refuse_home(path: Path) -> None:
    """Refuse ``~``, which is a folder of this name to all but shells, unless there is one."""
    first = path.parts[0] if path.parts else ""
    in_home = first == "~" or (first.startswith("~") and len(path.parts) > 1)
    if in_home and not os.path.lexists(first):
        raise OutputError(
            "the output begins with ~",
            where=str(path),
            expected="the path of the home folder in its place",
            hint=f"Give pathlib.Path({str(path)!r}).expanduser()",
        )


def _existing(path: Path) -> OutputError:
    return OutputError(
        "the output exists already and was kept",
        where=str(path),
        hint="Choose another path, or replace it with --overwrite (overwrite=True)",
    )


def _replace(temporary: Path, target: Path, *, aside: Path | None) -> None:
    """Rename an output to its place, where another is moved aside, or kept without `aside`."""
    if aside is None and not temporary.is_dir():
        _link(temporary, target)
    elif not target.is_dir():
        temporary.replace(target)
    elif aside is None:  # an empty folder
        shutil.copymode(target, temporary)
        temporary.rename(target)
    elif not _exchange(temporary, target):
        # In two steps, between which there is none.
        target.rename(aside)
        try:
            temporary.rename(target)
        except BaseException:
            aside.rename(target)
            raise


def _link(temporary: Path, target: Path) -> None:
    """Give a file its place in one step, unless another has it."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without such links
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        temporary.replace(target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; return whether the system can."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """Make a temporary folder, and lock it."""
    while True:
        folder = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        folder.mkdir()
        # Before it is locked, another process may remove it.
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if flock(lock, shared=True, wait=False) is not False and folder.is_dir():
                return folder, lock
            os.close(lock)


def _remove_unlocked(folder: Path) -> None:
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if flock(lock, shared=False, wait=False):
                shutil.rmtree(folder)
        finally:
            os.close(lock)
