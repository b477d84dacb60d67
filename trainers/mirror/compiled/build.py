"""Compile C++ to libraries, which are cached like compiled networks."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path

import torch

from bioae.simulation.targets.build_cache import BuildCache
from bioae.trainers.mirror.compiled.unsupported import Unsupported

#: The C++ types of the numbers that are compiled for.
REALS = {torch.float32: "float", torch.float64: "double"}

#: IEEE arithmetic throughout; only exception flags and traps, which nothing reads, are given up.
_FLAGS = (
    "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math",
    "-fopenmp-simd", "-fPIC", "-std=c++17", "-w",
)  # fmt: skip


@functools.cache
def compile_cpp(source: str, *, contract: bool = False) -> ctypes.CDLL:
    """Compile C++ source, or load it from the cache; raise `Unsupported` if there is no compiler.

    With `contract` a product may be added without rounding it first.
    """
    command = compiler()
    if command is None:
        raise Unsupported("there is no C++ compiler")
    command = (*command, *_FLAGS, f"-ffp-contract={'fast' if contract else 'off'}")
    try:
        # Use PyTorch's OpenMP, which is loaded already: two would compete for the processor.
        return _load(source, (*command, "-fopenmp"))
    except (OSError, Unsupported):
        library = _load(source, command)
        _warn_of_one_thread()
        return library


@functools.cache
def _warn_of_one_thread() -> None:
    if torch.get_num_threads() > 1:
        logging.getLogger("bioae").warning(
            "bioae: the C++ compiler has no OpenMP: compiled layers run in one thread"
        )


def template(package: str | None, name: str) -> str:
    """Return a text of the folder ``templates`` of a package."""
    return (files(package or "") / "templates" / name).read_text(encoding="utf-8")


def compiler() -> tuple[str, ...] | None:
    """Return the command of the C++ compiler, ``CXX`` or the first available, or None."""
    chosen = shlex.split(os.environ.get("CXX", ""))
    commands = [chosen] if chosen else [["g++"], ["clang++"], ["c++"]]
    return next((tuple(command) for command in commands if shutil.which(command[0])), None)


def _load(source: str, command: tuple[str, ...]) -> ctypes.CDLL:
    text = [source, *command, _version(command[0])]
    key = hashlib.sha256("\0".join(text).encode()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="bioae-") as folder:
        library = Path(folder) / "steps.so"
        BuildCache.of_user().obtain(key, library, lambda: _compile(source, command, library))
        return ctypes.CDLL(str(library))


@functools.cache
def _version(compiler: str) -> str:
    """Return the compiler's version and the processor that it detects."""
    command = [compiler, "-march=native", "-E", "-v", "-x", "c++", os.devnull]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stderr + platform.machine()


def _compile(source: str, command: tuple[str, ...], library: Path) -> None:
    text = library.with_suffix(".cpp")
    text.write_text(source, encoding="utf-8")
    object_file = library.with_suffix(".o")
    for step in (
        [*command, "-c", str(text), "-o", str(object_file)],
        # Not -fopenmp: that would load a second OpenMP.
        [command[0], "-shared", str(object_file), "-o", str(library)],
    ):
        result = subprocess.run(step, capture_output=True, text=True, check=False)
        if result.returncode:
            lines = result.stderr.splitlines()
            first = next((line for line in lines if "error" in line), "it printed nothing")
            raise Unsupported(f"the C++ compiler failed: {first}")
