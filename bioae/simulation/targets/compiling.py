"""Compilation of standalone projects: few sources, each project once."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
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
from bioae.simulation.targets.cuda.building import prepare_cuda


def compile_project(device: Any, folder: Path) -> None:
    """Write and compile a project of a standalone device, or take the program from the cache.

    Raises a TargetError if the compiler is missing or fails.
    """
    if active_target() == "cuda_standalone":
        sources, compiler = None, prepare_cuda(device, folder)
    else:
        device.build(directory=str(folder), compile=False, run=False)
        sources = merge_cpp_sources(folder)
        # Prints the compiler's version and, for -march=native, the processor.
        command = [*_compiler(), *targets.IEEE_FLAGS, "-E", "-v", "-x", "c++", os.devnull]
        printed = subprocess.run(command, capture_output=True, check=False).stderr
        compiler = [*(part.encode() for part in (*sources, *command)), printed]
    key = _key(folder, compiler)
    BuildCache.of_user().obtain(key, folder / "main", lambda: _compile(folder, sources))


def _key(folder: Path, compiler: Sequence[bytes]) -> str:
    """Return the hash of everything that the program depends on, which includes no value."""
    hashed = hashlib.sha256()
    parts = [brian2.__version__.encode(), *compiler]
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".cu", ".cpp", ".c", ".h") or path.name == "makefile":
            parts += [str(path.relative_to(folder)).encode(), path.read_bytes()]
    for part in parts:
        hashed.update(hashlib.sha256(part).digest())
    return hashed.hexdigest()


def _compiler() -> list[str]:
    """Return the compiler that make would use."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def _compile(folder: Path, sources: Sequence[str] | None) -> None:
    """Run make, on a project of C++ for some sources only."""
    command = ["make", *prefs["devices.cpp_standalone.extra_make_args_unix"]]
    compiler, hint = "nvcc", "C++17 for this GPU, or use --target cpp_standalone"
    if sources is not None:
        prepare_cpp_makefile(folder, _known_flags())
        command.append(f"SRCS={' '.join(sources)}")
        compiler, hint = "the C++ compiler", "C++11, or use --target numpy"
    # A group, so that no compiler goes on when this process is interrupted.
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        process_group=0,
    ) as made:  # fmt: skip
        try:
            printed, complained = made.communicate()
        except BaseException:
            os.killpg(made.pid, signal.SIGKILL)
            raise
    if made.returncode:
        lines = (complained + printed).splitlines()
        errors = (line for line in lines if re.search(r"\b(error|fatal)\b", line))
        first = next(errors, lines[-1] if lines else "it printed nothing")
        raise TargetError(f"{compiler} failed: {first}", hint=f"Check that it compiles {hint}")


def _known_flags() -> list[str]:
    """Return the flags that the compiler knows."""
    compiler = [*_compiler(), "-E", "-x", "c++", os.devnull]

    def knows(*flags: str) -> bool:
        done = subprocess.run([*compiler, *flags], capture_output=True, check=False)
        return done.returncode == 0

    flags = targets.IEEE_FLAGS
    return flags if knows(*flags) else [flag for flag in flags if knows(flag)]
