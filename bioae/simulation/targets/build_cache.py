"""Cache of compiled networks, and of compiled steps in PyTorch, in the user's cache folder.

The key of a build is the hash of everything that the compiler receives: the sources, its name,
version and flags, and the processor. The file ``builds/KEY`` is the program, and is created by
renaming, so that it is always complete. If the cache cannot be written, everything works without
it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from bioae.errors import OutputError
from bioae.files import atomic_output, remove, user_cache
from bioae.progress import activity

_LIMIT = 250_000_000
_LOCKS = ".locks"


@dataclass(frozen=True)
class KeptBuild:
    """A compiled network in the cache: its size, and its last use in seconds since 1970."""

    key: str
    bytes: int
    used: float


@dataclass(frozen=True)
class BuildCache:
    """A cache of compiled networks in a folder; the least recently used are removed first."""

    folder: Path
    #: Its maximum size in bytes.
    limit: int = _LIMIT

    @classmethod
    def of_user(cls) -> BuildCache:
        """Return the cache in ``BIOAE_CACHE``, or otherwise in the user's cache folder."""
        return cls(user_cache() / "builds")

    def obtain(self, key: str, program: Path, build: Callable[[], object]) -> None:
        """Put a program into a file: from the cache, or otherwise a new one, which `build` writes.

        The key is the hash of everything that the program is built from. If several processes need
        the same program, one builds it and the others wait.
        """
        if self._fetch(key, program):
            return
        with self._locked(key):
            if not self._fetch(key, program):
                with activity("compiling"):
                    build()
                with suppress(OSError, OutputError):
                    with atomic_output(self.folder / key, overwrite=True) as kept:
                        shutil.copyfile(program, kept)
                    self._shrink(keep=key)

    def kept(self) -> list[KeptBuild]:
        """Return the builds in the cache, the most recently used first."""
        builds = []
        for file in self._inside():
            with suppress(OSError):  # another process may have just removed it
                status = file.stat()
                if file.is_file():
                    builds.append(KeptBuild(file.name, status.st_size, status.st_mtime))
        return sorted(builds, key=lambda build: build.used, reverse=True)

    def clear(self) -> list[KeptBuild]:
        """Remove all builds, and return them."""
        builds = self.kept()
        for path in self._inside():
            remove(path)
        return builds

    def _inside(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.name != _LOCKS]
        except OSError:
            return []

    def _fetch(self, key: str, program: Path) -> bool:
        try:
            shutil.copyfile(self.folder / key, program)
        except OSError:
            return False
        program.chmod(0o755)
        with suppress(OSError):  # a cache that is read-only can still be used
            os.utime(self.folder / key)
        return True

    def _shrink(self, *, keep: str) -> None:
        builds = self.kept()
        total = sum(build.bytes for build in builds)
        for build in reversed(builds):
            if total <= self.limit:
                return
            if build.key != keep:
                with suppress(OSError):
                    remove(self.folder / build.key)
                total -= build.bytes

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keep other processes from building the same, if the file system supports locks."""
        with ExitStack() as stack:
            with suppress(OSError):  # the cache cannot be written
                # Few files, by the keys' first digits: the file of a lock is never removed.
                (self.folder / _LOCKS).mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self.folder / _LOCKS / key[:2]))
            yield
