"""Compile a standalone project faster than Brian2 does, and no more than once."""

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
from bioae.simulation.targets import activation as targets
from bioae.simulation.targets.build_cache import BuildCache
from bioae.simulation.targets.merge_sources import join

__all__ = ["compile_project"]

#: Of how many sources of code objects one is made, and into how many at most: with `setup.cpp` as
#: many as two cores have done at the same time.
_JOINED, _MOST_UNITS = 8, 3

#: What allocates, reads and writes arrays is long, runs once, and takes minutes to optimise.
_SET_UP = ("objects.cpp", "run.cpp", "main.cpp")
_RUNTIME = ("network.cpp", "synapses_classes.cpp")
_UNHURRIED = "setup.o: OPTIMISATIONS += -O0"


def compile_project(device: Any, folder: Path) -> None:
    """Write and compile a standalone project, or take the program from an equal one.

    Brian2 writes a source for each code object, hundreds of them, and each takes the compiler far
    longer to open than to compile: they are joined into a few. Brian2's makefile also asks the
    compiler first what every source depends on: a project that is compiled once has no use for it.

    Parameters
    ----------
    device
        Brian2's standalone device.
    folder
        Where to.

    Raises
    ------
    TargetError
        If the compiler fails.
    """
    if targets.active_target() == "cuda_standalone":
        from bioae.simulation.targets.cuda.building import compile_cuda

        compile_cuda(device, folder)
        return
    device.build(directory=str(folder), compile=False, run=False)
    sources = _joined(folder)
    key = _key(folder, sources)
    BuildCache.of_user().obtain(key, folder / "main", lambda: _compile(folder, sources))


def _key(folder: Path, sources: Sequence[str]) -> str:
    """Return the hash of all that the program depends on; nothing of it is a value."""
    texts = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".cpp", ".c", ".h") or path.name == "makefile"
    }
    # Says the compiler's version and, for -march=native, the processor.
    asked = [*_compiler(), *targets.IEEE_FLAGS, "-E", "-v", "-x", "c++", os.devnull]
    said = subprocess.run(asked, capture_output=True, check=False)
    parts = [brian2.__version__, *sources, *asked]
    hashed = hashlib.sha256()
    for part in [*(part.encode() for part in parts), said.stderr]:
        hashed.update(hashlib.sha256(part).digest())
    for name, text in texts.items():
        hashed.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(text).digest())
    return hashed.hexdigest()


def _compiler() -> list[str]:
    """Return the compiler that make takes."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def _compile(folder: Path, sources: Sequence[str]) -> None:
    with (folder / "makefile").open("a", encoding="utf-8") as makefile:
        makefile.write(f"\nOPTIMISATIONS += {' '.join(_known_flags())}\n{_UNHURRIED}\n")
    (folder / "make.deps").touch()
    jobs = prefs["devices.cpp_standalone.extra_make_args_unix"]
    command = ["make", *jobs, f"SRCS={' '.join(sources)}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line.lower()), "it printed nothing")
        raise TargetError(
            f"the C++ compiler failed: {first}",
            mend="Check that g++ compiles C++11, or use --target numpy",
        )


def _known_flags() -> list[str]:
    """Return the flags that the compiler knows."""
    compiler = [*_compiler(), "-E", "-x", "c++", os.devnull]

    def knows(*flags: str) -> bool:
        done = subprocess.run([*compiler, *flags], capture_output=True, check=False)
        return done.returncode == 0

    flags = targets.IEEE_FLAGS
    return flags if knows(*flags) else [flag for flag in flags if knows(flag)]


def _joined(folder: Path) -> list[str]:
    """Join the project's sources into a few, and return their names."""
    makefile = (folder / "makefile").read_text(encoding="utf-8")
    lines = makefile.splitlines()
    written = next(line.split()[2:] for line in lines if line.startswith("SRCS = "))
    joinable = [name for name in written if name.startswith("code_objects/")]
    set_up = "".join(f'#include "{name}"\n' for name in _SET_UP)
    (folder / "setup.cpp").write_text(set_up, encoding="utf-8")
    joined = join(folder, joinable, each=_JOINED, most=_MOST_UNITS, suffix=".cpp")
    with (folder / joined[-1]).open("a", encoding="utf-8") as unit:
        unit.write("".join(f'\n#include "{name}"\n' for name in _RUNTIME))
    others = set(written) - set(joinable) - {*_SET_UP, *_RUNTIME}
    return ["setup.cpp", *joined, *sorted(others)]
