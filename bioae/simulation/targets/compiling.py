"""Compilation of standalone projects: few sources, each project once."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import brian2
from brian2 import prefs

from bioae.errors import TargetError
from bioae.simulation.brian2_internals.sources import merge_cpp_sources, prepare_cpp_makefile
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.targets import activation as targets
from bioae.simulation.targets.build_cache import BuildCache
from bioae.simulation.targets.cuda.building import compile_cuda

__all__ = ["compile_project"]


def compile_project(device: Any, folder: Path) -> None:
    """Write and compile a standalone project, or take the program from the cache.

    Parameters
    ----------
    device
        Brian2's standalone device.
    folder
        The project's folder.

    Raises
    ------
    TargetError
        If the compiler fails.
    """
    if active_target() == "cuda_standalone":
        compile_cuda(device, folder)
        return
    device.build(directory=str(folder), compile=False, run=False)
    sources = merge_cpp_sources(folder)
    key = _key(folder, sources)
    BuildCache.of_user().obtain(key, folder / "main", lambda: _compile(folder, sources))


def _key(folder: Path, sources: Sequence[str]) -> str:
    """Return the hash of everything that the program depends on, which includes no value."""
    texts = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".cpp", ".c", ".h") or path.name == "makefile"
    }
    # Prints the compiler's version and, for -march=native, the processor.
    command = [*_compiler(), *targets.IEEE_FLAGS, "-E", "-v", "-x", "c++", os.devnull]
    printed = subprocess.run(command, capture_output=True, check=False)
    parts = [brian2.__version__, *sources, *command]
    hashed = hashlib.sha256()
    for part in [*(part.encode() for part in parts), printed.stderr]:
        hashed.update(hashlib.sha256(part).digest())
    for name, text in texts.items():
        hashed.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(text).digest())
    return hashed.hexdigest()


def _compiler() -> list[str]:
    """Return the compiler that make would use."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def _compile(folder: Path, sources: Sequence[str]) -> None:
    prepare_cpp_makefile(folder, _known_flags())
    jobs = prefs["devices.cpp_standalone.extra_make_args_unix"]
    command = ["make", *jobs, f"SRCS={' '.join(sources)}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line.lower()), "it printed nothing")
        raise TargetError(
            f"the C++ compiler failed: {first}",
            hint="Check that g++ compiles C++11, or use --target numpy",
        )


def _known_flags() -> list[str]:
    """Return the flags that the compiler knows."""
    compiler = [*_compiler(), "-E", "-x", "c++", os.devnull]

    def knows(*flags: str) -> bool:
        done = subprocess.run([*compiler, *flags], capture_output=True, check=False)
        return done.returncode == 0

    flags = targets.IEEE_FLAGS
    return flags if knows(*flags) else [flag for flag in flags if knows(flag)]
