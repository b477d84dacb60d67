"""Compile a standalone project faster than Brian2 does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from brian2 import prefs

from bioae.errors import TargetError

__all__ = ["compile_project"]

_HEADERS = (
    '"objects.h"', '"brianlib/common_math.h"', '"brianlib/stdint_compat.h"',
    "<cmath>", "<ctime>", "<iostream>", "<fstream>", "<climits>",
)  # fmt: skip

_MAKEFILE = """\
include makefile
CXXFLAGS += -include prelude.h
$(OBJS): prelude.h.gch
prelude.h.gch: prelude.h
\t$(CXX) -Wno-write-strings $(OPTIMISATIONS) -I. -x c++-header $< -o $@
"""


def compile_project(device: Any, folder: Path) -> None:
    """Write and compile a standalone project.

    Each of its hundred sources includes the same headers, which are compiled once. Brian2's
    makefile first asks the compiler what every source depends on, one after another: a project
    that is compiled once has no use for it.

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
    (folder / "prelude.h").write_text("".join(f"#include {header}\n" for header in _HEADERS))
    (folder / "fast.makefile").write_text(_MAKEFILE)
    (folder / "make.deps").touch()
    jobs = prefs["devices.cpp_standalone.extra_make_args_unix"]
    command = ["make", "-f", "fast.makefile", *jobs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line.lower()), "it printed nothing")
        raise TargetError(
            f"the C++ compiler failed: {first}",
            mend="Check that g++ compiles C++11, or use --target numpy",
        )
