"""Compile the source of a layer's steps, and keep what was compiled."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from bioae.files import user_cache
from bioae.trainers.mirror.fused.graph import Unsupported

__all__ = ["compiled"]

#: IEEE arithmetic throughout; what is let go are flags and traps, which nothing reads.
_FLAGS = (
    "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math",
    "-fopenmp-simd", "-fPIC", "-std=c++17", "-w",
)  # fmt: skip


@functools.cache
def compiled(source: str, *, contract: bool = False) -> ctypes.CDLL:
    """Return the compiled source.

    Parameters
    ----------
    source
        C++.
    contract
        Whether a product may be added without being rounded first.

    Raises
    ------
    Unsupported
        If there is no compiler, or it fails.
    """
    command = compiler()
    if command is None:
        raise Unsupported("there is no C++ compiler")
    command = (*command, *_FLAGS, f"-ffp-contract={'fast' if contract else 'off'}")
    try:
        # The threads of PyTorch's own OpenMP, which is loaded: two would fight for the processor.
        return _load(source, (*command, "-fopenmp"))
    except (OSError, Unsupported):
        return _load(source, command)


def compiler() -> tuple[str, ...] | None:
    """Return the command of the C++ compiler, ``CXX`` or one that is found; None: there is none."""
    given = shlex.split(os.environ.get("CXX", ""))
    found = [given] if given else [["g++"], ["clang++"], ["c++"]]
    return next((tuple(command) for command in found if shutil.which(command[0])), None)


def _load(source: str, command: tuple[str, ...]) -> ctypes.CDLL:
    text = [source, *command, _version(command[0])]
    key = hashlib.sha256("\0".join(text).encode()).hexdigest()
    kept = user_cache() / "compiled" / f"{key[:32]}.so"
    with contextlib.suppress(OSError):  # not there, or damaged
        return ctypes.CDLL(str(kept))
    with tempfile.TemporaryDirectory(prefix="bioae-") as folder:
        library = Path(folder) / kept.name
        _compile(source, command, library)
        _keep(library, kept)
        return ctypes.CDLL(str(library))


def _keep(library: Path, kept: Path) -> None:
    """Copy what was compiled to the cache, where it can be written."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{kept.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            shutil.copyfile(library, temporary)
            temporary.replace(kept)
        finally:
            temporary.unlink(missing_ok=True)


@functools.cache
def _version(compiler: str) -> str:
    """Return the compiler's version and what it takes the processor for."""
    asked = [compiler, "-march=native", "-E", "-v", "-x", "c++", os.devnull]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.stderr + platform.machine()


def _compile(source: str, command: tuple[str, ...], library: Path) -> None:
    text = library.with_suffix(".cpp")
    text.write_text(source, encoding="utf-8")
    compiled = library.with_suffix(".o")
    for run in (
        [*command, "-c", str(text), "-o", str(compiled)],
        # Not -fopenmp: that would load a second one.
        [command[0], "-shared", str(compiled), "-o", str(library)],
    ):
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.splitlines()
            first = next((line for line in lines if "error" in line), "it printed nothing")
            raise Unsupported(f"the C++ compiler failed: {first}")
