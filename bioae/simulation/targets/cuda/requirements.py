"""Requirements of CUDA: packages, compilers and a GPU, and how to install missing ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from bioae.errors import TargetError
from bioae.extras import installing

#: The lowest compute capability with atomic addition of 64-bit numbers.
LEAST_CAPABILITY = 6.0

#: Folders to search after those that the environment names.
_SYSTEM = (Path("/usr/local/cuda"), Path("/opt/cuda"))

_OTHERWISE = "or use --target cpp_standalone"


@dataclass(frozen=True)
class Toolkit:
    """NVIDIA's CUDA toolkit: the compiler ``bin/nvcc`` and its libraries, in a folder."""

    folder: Path

    @classmethod
    def find(cls) -> Toolkit | None:
        """Return the toolkit of ``CUDA_HOME``, ``CUDA_PATH``, ``nvcc``, or the system."""
        nvcc = (folder for folder in _folders() if (folder / "bin" / "nvcc").is_file())
        folder = next(nvcc, None)
        return None if folder is None else cls(folder)

    @classmethod
    def whole(cls) -> Toolkit:
        """Return the toolkit that compiles projects.

        Raises a TargetError if it, a part of it, g++ or make is missing.
        """
        check_programs("cuda_standalone", "g++", "make")
        toolkit = cls.find()
        if toolkit is None:
            raise _missing(
                "nvcc, the compiler of NVIDIA's CUDA toolkit, which cannot be found",
                "Install the toolkit (Debian, Ubuntu: apt install nvidia-cuda-toolkit; conda: "
                "cuda-toolkit; or https://developer.nvidia.com/cuda-downloads), set CUDA_HOME to "
                "where it is",
            )
        if not toolkit.has_random and toolkit.random_folder is None:
            package = f"nvidia-curand{'' if toolkit.version >= 13 else '-cu12'}"
            raise _missing(
                "cuRAND, which the CUDA toolkit lacks",
                f"pip install {package}, or install the whole toolkit", where=str(toolkit.folder),
            )  # fmt: skip
        return toolkit

    @cached_property
    def version_text(self) -> str:
        """The compiler's description of its version."""
        command = [str(self.folder / "bin" / "nvcc"), "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    @property
    def version(self) -> float:
        """The version, such as 12.4; 0 if it is unknown."""
        match = re.search(r"release (\d+\.\d+)", self.version_text)
        return float(match[1]) if match else 0.0

    @property
    def has_random(self) -> bool:
        """True if the toolkit or the system has cuRAND.

        brian2cuda always includes it, even if a network draws no random numbers.
        """
        includes = (self.folder / "include", *self.folder.glob("targets/*/include"))
        system = Path("/usr/include")  # where Debian installs them
        return any((folder / "curand.h").is_file() for folder in (*includes, system))

    @cached_property
    def random_folder(self) -> Path | None:
        """The folder of cuRAND in NVIDIA's packages on PyPI, if the toolkit lacks it."""
        spec = None if self.has_random else find_spec("nvidia")
        for place in () if spec is None else spec.submodule_search_locations or ():
            for header in sorted(Path(place).glob("*/include/curand.h")):
                return header.parent.parent
        return None


def check_programs(target: str, *programs: str) -> None:
    """Raise a `TargetError` unless the compilers of a target are on the path."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise TargetError(
            f"the target {target!r} needs {' and '.join(missing)}, which cannot be found",
            hint="Install a C++ compiler and make (Debian, Ubuntu: apt install g++ make; "
            "conda: cxx-compiler make), or use --target numpy, which needs none",
        )


def check_cuda() -> None:
    """Raise a TargetError if brian2cuda, a compiler, cuRAND or a GPU is missing."""
    if find_spec("brian2cuda") is None:
        if sys.version_info < (3, 12):
            raise _missing(
                "brian2cuda, and that needs Python 3.12 or later",
                f"In an environment of a newer Python, {installing('cuda')} (make test-cuda makes "
                "one)",
                found=f"Python {'.'.join(map(str, sys.version_info[:2]))}",
            )
        raise _missing(
            "brian2cuda, which is not installed", f"Install it with: {installing('cuda')}"
        )
    Toolkit.whole()
    capability = compute_capability()
    if capability is None:
        raise _missing(
            "an NVIDIA GPU, and nvidia-smi finds none",
            "Run it on a machine with a GPU and NVIDIA's driver (Debian, Ubuntu: apt install "
            "nvidia-driver)",
        )
    if capability < LEAST_CAPABILITY:
        raise _missing(
            "a newer GPU", "Use another one",
            expected=f"compute capability {LEAST_CAPABILITY} or more", found=str(capability),
        )  # fmt: skip


def compute_capability() -> float | None:
    """Return the compute capability of the GPU that CUDA would use, or None without a GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=compute_cap", "--format=csv,noheader"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        command.append(f"--id={visible.split(',')[0]}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.match(r"\s*(\d+\.\d+)", done.stdout)
    return float(match[1]) if match and done.returncode == 0 else None


def _missing(needed: str, hint: str, **fields: str) -> TargetError:
    message = f"the target 'cuda_standalone' needs {needed}"
    return TargetError(message, hint=f"{hint}, {_OTHERWISE}", **fields)


def _folders() -> Iterator[Path]:
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if os.environ.get(name):
            yield Path(os.environ[name])
    program = shutil.which("nvcc")
    if program is not None:
        yield _home(program)
    yield from _SYSTEM


def _home(nvcc: str) -> Path:
    """Return the folder of a compiler; the program on the path may be a wrapper."""
    command = [nvcc, "--dryrun", "-E", "-x", "cu", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    match = re.search(r"^#\$ _HERE_=(.+)$", done.stderr, re.MULTILINE)
    return Path(match[1] if match else nvcc).resolve().parents[0 if match else 1]
