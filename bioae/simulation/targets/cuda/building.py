"""CUDA projects: their device, its settings, and compilation by nvcc, each project once."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import brian2
from brian2 import prefs

from bioae import arithmetic
from bioae.errors import TargetError
from bioae.noise import brian as noise
from bioae.simulation.brian2_internals.sources import merge_cuda_sources, prepare_cuda_makefile
from bioae.simulation.targets.build_cache import BuildCache
from bioae.simulation.targets.cuda.requirements import (
    LEAST_CAPABILITY,
    Toolkit,
    check_toolkit,
    compute_capability,
)

__all__ = ["compile_cuda", "cuda_device", "cuda_settings", "write_cuda"]

#: Flags of nvcc: brian2cuda's defaults add -use_fast_math.
_IEEE_FLAGS = ["-w", "-O3", "-fmad=false", "-std=c++17"]

#: The compute capability to compile for on a machine without a GPU.
_ANY_CAPABILITY = 8.0


def cuda_device() -> Any:
    """Return a new device for GPUs, which needs brian2cuda."""
    from bioae.simulation.brian2_internals.cuda import ValueFreeCUDADevice

    class Device(ValueFreeCUDADevice):
        least_capability = LEAST_CAPABILITY
        added_headers: ClassVar = {
            part.CUDA_HEADER: part.cuda_source() for part in (noise, arithmetic)
        }

    return Device()


def cuda_settings() -> dict[str, Any]:
    """Return brian2cuda's preferences for this machine's compiler and GPU.

    Without a compiler, projects can be written but not compiled.
    """
    import brian2cuda  # noqa: F401  (defines the preferences)

    toolkit = Toolkit.find()
    values = {
        "detect_gpus": False,
        "detect_cuda": False,
        "gpu_id": 0,  # the first that CUDA_VISIBLE_DEVICES leaves
        "compute_capability": compute_capability() or _ANY_CAPABILITY,
        "cuda_path": str(toolkit.folder if toolkit else "/usr/local/cuda"),
        "cuda_runtime_version": toolkit.version if toolkit else 12.0,
        "extra_compile_args_nvcc": list(_IEEE_FLAGS),
    }
    return {f"devices.cuda_standalone.cuda_backend.{name}": value for name, value in values.items()}


def write_cuda(device: Any, folder: Path) -> None:
    """Write a project for a GPU, without compiling it.

    Parameters
    ----------
    device
        Brian2's device for CUDA.
    folder
        The project's folder.
    """
    device.build(directory=str(folder), compile=False, run=False)
    merge_cuda_sources(folder)


def compile_cuda(device: Any, folder: Path) -> None:
    """Write and compile a project for a GPU, or take the program from the cache.

    Parameters
    ----------
    device
        Brian2's device for CUDA.
    folder
        The project's folder.

    Raises
    ------
    TargetError
        If the toolkit is missing, or its compiler fails.
    """
    toolkit = check_toolkit()
    write_cuda(device, folder)
    prepare_cuda_makefile(folder, toolkit.random_folder)
    key = _key(folder, toolkit)
    BuildCache.of_user().obtain(key, folder / "main", lambda: _compile(folder))


def _key(folder: Path, toolkit: Toolkit) -> str:
    """Return the hash of everything that the program depends on, which includes no value."""
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
        errors = (line for line in lines if re.search(r"\b(error|fatal)\b", line))
        first = next(errors, lines[-1] if lines else "it printed nothing")
        raise TargetError(
            f"nvcc failed: {first}",
            hint="Check that it compiles C++17 for this GPU, or use --target cpp_standalone",
        )
