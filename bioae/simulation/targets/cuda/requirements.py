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

__all__ = [
    "LEAST_CAPABILITY",
    "Toolkit",
    "check_cuda",
    "check_packages",
    "check_toolkit",
    "compute_capability",
]

#: The lowest compute capability with atomic addition of 64-bit numbers.
LEAST_CAPABILITY = 6.0

#: Folders to search after those that the environment names.
_SYSTEM = (Path("/usr/local/cuda"), Path("/opt/cuda"))

_OTHERWISE = "or use --target cpp_standalone"


@dataclass(frozen=True)
class Toolkit:
    """NVIDIA's CUDA toolkit: the compiler and its libraries.

    Attributes
    ----------
    folder
        Its folder; the compiler is ``bin/nvcc`` in it.
    """

    folder: Path

    @classmethod
    def find(cls) -> Toolkit | None:
        """Return the toolkit of ``CUDA_HOME``, ``CUDA_PATH``, ``nvcc``, or the system."""
        for folder in _folders():
            if (folder / "bin" / "nvcc").is_file():
                return cls(folder)
        return None

    @property
    def nvcc(self) -> Path:
        """The compiler."""
        return self.folder / "bin" / "nvcc"

    @cached_property
    def version_text(self) -> str:
        """The compiler's description of its version."""
        done = subprocess.run([self.nvcc, "--version"], capture_output=True, text=True, check=False)
        return done.stdout

    @property
    def version(self) -> float:
        """The version, such as 12.4; 0 if it is unknown."""
        match = re.search(r"release (\d+\.\d+)", self.version_text)
        return float(match[1]) if match else 0.0

    @cached_property
    def random_folder(self) -> Path | None:
        """The folder with the headers and the library of cuRAND, if they are not in the toolkit.

        brian2cuda always includes them, even if a network draws no random numbers.
        """
        if self._has_random:
            return None
        spec = find_spec("nvidia")  # NVIDIA's packages on PyPI
        for place in () if spec is None else spec.submodule_search_locations or ():
            for header in sorted(Path(place).glob("*/include/curand.h")):
                return header.parent.parent
        return None

    @property
    def _has_random(self) -> bool:
        includes = (self.folder / "include", *self.folder.glob("targets/*/include"))
        system = Path("/usr/include")  # where Debian installs them
        return any((folder / "curand.h").is_file() for folder in (*includes, system))

    @property
    def is_whole(self) -> bool:
        """True if cuRAND is installed."""
        return self._has_random or self.random_folder is not None


def check_packages() -> None:
    """Raise an error if brian2cuda is not installed.

    Raises
    ------
    TargetError
        If it is missing.
    """
    if find_spec("brian2cuda") is not None:
        return
    if sys.version_info < (3, 12):
        raise TargetError(
            "the target 'cuda_standalone' needs brian2cuda, and that needs Python 3.12 or later",
            found=f"Python {'.'.join(map(str, sys.version_info[:2]))}",
            hint="Install 'bioae[cuda]' in an environment of a newer Python (from bioae's sources: "
            f"make test-cuda makes one), {_OTHERWISE}",
        )
    raise TargetError(
        "the target 'cuda_standalone' needs brian2cuda, which is not installed",
        hint=f"pip install 'bioae[cuda]', {_OTHERWISE}",
    )


def check_cuda() -> Toolkit:
    """Return the CUDA toolkit, if everything is installed that a simulation on a GPU needs.

    Raises
    ------
    TargetError
        If brian2cuda, a compiler, cuRAND or a GPU is missing.
    """
    check_packages()
    toolkit = check_toolkit()
    capability = compute_capability()
    if capability is None:
        raise TargetError(
            "the target 'cuda_standalone' needs an NVIDIA GPU, and nvidia-smi finds none",
            hint="Run it on a machine with a GPU and NVIDIA's driver "
            f"(Debian, Ubuntu: apt install nvidia-driver), {_OTHERWISE}",
        )
    if capability < LEAST_CAPABILITY:
        raise TargetError(
            "the GPU is too old for the target 'cuda_standalone'",
            expected=f"compute capability {LEAST_CAPABILITY} or more",
            found=str(capability),
            hint=f"Use a newer one, {_OTHERWISE}",
        )
    return toolkit


def check_toolkit() -> Toolkit:
    """Return the CUDA toolkit.

    Raises
    ------
    TargetError
        If the toolkit, a part of it, g++ or make is missing.
    """
    missing = [program for program in ("g++", "make") if shutil.which(program) is None]
    if missing:
        raise TargetError(
            f"the target 'cuda_standalone' needs {' and '.join(missing)}, which cannot be found",
            hint="Install a C++ compiler and make (Debian, Ubuntu: apt install g++ make), "
            "or use --target numpy, which needs none",
        )
    toolkit = Toolkit.find()
    if toolkit is None:
        raise TargetError(
            "the target 'cuda_standalone' needs nvcc, the compiler of NVIDIA's CUDA toolkit, which "
            "cannot be found",
            hint="Install the toolkit (Debian, Ubuntu: apt install nvidia-cuda-toolkit; conda: "
            "cuda-toolkit; or https://developer.nvidia.com/cuda-downloads), set CUDA_HOME to where "
            f"it is, {_OTHERWISE}",
        )
    if not toolkit.is_whole:
        package = f"nvidia-curand{'' if toolkit.version >= 13 else '-cu12'}"
        raise TargetError(
            "the target 'cuda_standalone' needs cuRAND, which the CUDA toolkit lacks",
            where=str(toolkit.folder),
            hint=f"pip install {package}, or install the whole toolkit, {_OTHERWISE}",
        )
    return toolkit


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
