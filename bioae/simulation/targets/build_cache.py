"""Compiled networks that are kept for the next time, in the user's cache folder.

A build is found by a key, the hash of all that the compiler is given: the sources, its name,
version and flags, and the processor. The folder ``builds/KEY`` holds the program, and the hash of
the program. It comes into being whole, by a renaming; a program that is not what its hash says is
built again. Where the folder cannot be written, nothing is kept and everything works.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bioae.errors import OutputError
from bioae.files import atomic_output, user_cache

__all__ = ["BuildCache", "KeptBuild"]

_LIMIT = 250_000_000
_PROGRAM, _HASH, _LOCKS = "main", "sha256", ".locks"


@dataclass(frozen=True)
class KeptBuild:
    """A compiled network that is kept.

    Attributes
    ----------
    key
        What it was built from, as a hash.
    bytes
        Its size.
    used
        When it was last used, in seconds since 1970.
    """

    key: str
    bytes: int
    used: float


@dataclass(frozen=True)
class BuildCache:
    """The compiled networks in a folder.

    Attributes
    ----------
    folder
        Where.
    limit
        How many bytes they may take; those that were not used for the longest time go first.
    """

    folder: Path
    limit: int = _LIMIT

    @classmethod
    def of_user(cls) -> BuildCache:
        """Return the cache in ``BIOAE_CACHE``, or else in the user's own cache folder."""
        return cls(user_cache() / "builds")

    def obtain(self, key: str, program: Path, build: Callable[[], object]) -> None:
        """Put a program where it is wanted: the one that is kept, or else a new one.

        Of several processes that want the same, one builds and the others wait.

        Parameters
        ----------
        key
            The hash of what it is built from.
        program
            Where to; `build` makes it there.
        build
            Called where none is kept.
        """
        if self._fetch(key, program):
            return
        with self._locked(key):
            if not self._fetch(key, program):
                build()
                with suppress(OSError, OutputError):
                    self._keep(key, program)
                    self._shrink(besides=key)

    def kept(self) -> list[KeptBuild]:
        """Return what is kept, the last used first."""
        found = []
        for folder in self._folders():
            with suppress(OSError):  # another process may just have removed it
                size = sum(file.stat().st_size for file in folder.iterdir())
                found.append(KeptBuild(folder.name, size, (folder / _HASH).stat().st_mtime))
        return sorted(found, key=lambda build: build.used, reverse=True)

    def clear(self) -> list[KeptBuild]:
        """Remove all that is kept, and return what it was.

        Raises
        ------
        OSError
            If something cannot be removed.
        """
        kept = self.kept()
        for folder in self._folders(whole=False):
            shutil.rmtree(folder)
        return kept

    def _folders(self, *, whole: bool = True) -> list[Path]:
        """Return the folders of builds; without `whole` what an interrupted process left, too."""
        try:
            inside = [folder for folder in self.folder.iterdir() if folder.is_dir()]
        except OSError:
            return []
        return [
            folder
            for folder in inside
            if folder.name != _LOCKS and not (whole and folder.name.startswith("."))
        ]

    def _fetch(self, key: str, program: Path) -> bool:
        folder = self.folder / key
        try:
            content = (folder / _PROGRAM).read_bytes()
            if (folder / _HASH).read_text(encoding="ascii") != _sha256(content):
                return False
        except (OSError, UnicodeDecodeError):
            return False
        program.write_bytes(content)
        program.chmod(0o755)
        with suppress(OSError):  # what cannot be written can be read all the same
            os.utime(folder / _HASH)
        return True

    def _keep(self, key: str, program: Path) -> None:
        content = program.read_bytes()
        with atomic_output(self.folder / key, overwrite=True) as folder:
            folder.mkdir()
            (folder / _PROGRAM).write_bytes(content)
            (folder / _HASH).write_text(_sha256(content), encoding="ascii")

    def _shrink(self, *, besides: str) -> None:
        kept = self.kept()
        total = sum(build.bytes for build in kept)
        for build in reversed(kept):
            if total <= self.limit:
                return
            if build.key != besides:
                shutil.rmtree(self.folder / build.key, ignore_errors=True)
                total -= build.bytes

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keep other processes from building the same; where no lock can be had, they may."""
        import filelock

        locks = self.folder / _LOCKS
        with ExitStack() as stack:
            # NotImplementedError: a file system that knows no locks.
            with suppress(OSError, NotImplementedError):
                locks.mkdir(parents=True, exist_ok=True)
                # As many files as there are first digits: a lock's file cannot safely be removed.
                stack.enter_context(filelock.FileLock(locks / key[:2]))
            yield


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
