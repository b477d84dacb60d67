"""Compile what brian2cuda writes, and no more than once."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brian2
from brian2 import prefs

from bioae.errors import TargetError
from bioae.simulation.targets.build_cache import BuildCache
from bioae.simulation.targets.cuda.merge_sources import join_sources
from bioae.simulation.targets.cuda.requirements import Toolkit, check_toolkit

__all__ = ["compile_cuda", "write_cuda"]


def write_cuda(device: Any, folder: Path) -> None:
    """Write a project for a GPU, without compiling it.

    Parameters
    ----------
    device
        Brian2's device for CUDA.
    folder
        Where to.
    """
    device.build(directory=str(folder), compile=False, run=False)
    join_sources(folder)


def compile_cuda(device: Any, folder: Path) -> None:
    """Write and compile a project for a GPU, or take the program from an equal one.

    Parameters
    ----------
    device
        Brian2's device for CUDA.
    folder
        Where to.

    Raises
    ------
    TargetError
        If the toolkit is missing, or its compiler fails.
    """
    toolkit = check_toolkit()
    write_cuda(device, folder)
    _mend_makefile(folder / "makefile", toolkit)
    key = _key(folder, toolkit)
    BuildCache.of_user().obtain(key, folder / "main", lambda: _compile(folder))


def _mend_makefile(makefile: Path, toolkit: Toolkit) -> None:
    """Take what brian2cuda's makefile does not know into account: new compilers, and PyPI."""
    text = makefile.read_text(encoding="utf-8")
    # Libraries come after what needs them; the flags that follow ask for a newer C++.
    text = text.replace("$(LFLAGS) $(OBJS)", "$(OBJS) $(LFLAGS)").replace("-std=c++11 ", "")
    folder = toolkit.random_folder
    if folder is not None:
        library = next(iter(sorted((folder / "lib").glob("libcurand.so*"))), None)
        if library is not None:
            found = f"-Xlinker {library} -Xlinker -rpath -Xlinker {library.parent}"
            text = text.replace("-lcurand", found)
        text = text.replace("NVCCFLAGS = -I. ", f"NVCCFLAGS = -I. -I{folder / 'include'} ")
    makefile.write_text(text, encoding="utf-8")


def _key(folder: Path, toolkit: Toolkit) -> str:
    """Return the hash of all that the program depends on; nothing of it is a value."""
    hashed = hashlib.sha256()
    for part in _parts(folder, toolkit):
        hashed.update(hashlib.sha256(part).digest())
    return hashed.hexdigest()


def _parts(folder: Path, toolkit: Toolkit) -> Iterator[bytes]:
    yield brian2.__version__.encode()
    yield toolkit.version_text.encode()
    yield subprocess.run(["g++", "--version"], capture_output=True, check=False).stdout
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".cu", ".cpp", ".h") or path.name == "makefile":
            yield str(path.relative_to(folder)).encode()
            yield path.read_bytes()


def _compile(folder: Path) -> None:
    jobs = prefs["devices.cpp_standalone.extra_make_args_unix"]
    done = subprocess.run(["make", *jobs], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        said = (line for line in lines if re.search(r"\b(error|fatal)\b", line))
        first = next(said, lines[-1] if lines else "it printed nothing")
        raise TargetError(
            f"nvcc failed: {first}",
            mend="Check that it compiles C++17 for this GPU, or use --target cpp_standalone",
        )
