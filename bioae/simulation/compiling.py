"""Compile a standalone project faster than Brian2 does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brian2 import prefs

from bioae.errors import TargetError

__all__ = ["compile_project"]

#: Of how many sources of code objects one is made, and into how many at most.
_JOINED, _MOST_UNITS = 8, 4

#: What allocates, reads and writes arrays is long, runs once, and takes minutes to optimise.
_UNHURRIED = "\nmain.o objects.o run.o: OPTIMISATIONS += -O0\n"

_HELPERS = re.compile(r"^namespace \{", re.MULTILINE)
_MACROS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_BODY = "using namespace brian;"


def compile_project(device: Any, folder: Path) -> None:
    """Write and compile a standalone project.

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
    device.build(directory=str(folder), compile=False, run=False)
    written = _written(folder)
    joinable = [name for name in written if name.startswith("code_objects/")]
    sources = [*(set(written) - set(joinable)), *_join(folder, joinable)]
    with (folder / "makefile").open("a", encoding="utf-8") as makefile:
        makefile.write(_UNHURRIED)
    (folder / "make.deps").touch()
    jobs = prefs["devices.cpp_standalone.extra_make_args_unix"]
    command = ["make", *jobs, f"SRCS={' '.join(sorted(sources))}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line.lower()), "it printed nothing")
        raise TargetError(
            f"the C++ compiler failed: {first}",
            mend="Check that g++ compiles C++11, or use --target numpy",
        )


def _written(folder: Path) -> list[str]:
    makefile = (folder / "makefile").read_text(encoding="utf-8")
    return next(line.split()[2:] for line in makefile.splitlines() if line.startswith("SRCS = "))


def _join(folder: Path, names: Sequence[str]) -> list[str]:
    """Write the joined sources, and return their names."""
    count = min(_MOST_UNITS, -(-len(names) // _JOINED))
    units = []
    for unit in range(count):
        parts = [
            _apart((folder / name).read_text(encoding="utf-8"), f"bioae_part{number}")
            for number, name in enumerate(names[unit::count])
        ]
        (folder / f"unit{unit}.cpp").write_text("\n".join(parts), encoding="utf-8")
        units.append(f"unit{unit}.cpp")
    return units


def _apart(source: str, namespace: str) -> str:
    """Keep a source's helpers and macros to itself: each source has the same ones."""
    source = _HELPERS.sub(f"namespace {namespace} {{", source)
    source = source.replace(_BODY, f"{_BODY} using namespace {namespace};")
    forgotten = (f"#undef {macro}" for macro in sorted(set(_MACROS.findall(source))))
    return "\n".join([source, *forgotten])
