"""CUDA projects: their device, its settings, and their sources."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, ClassVar

from bioae import arithmetic
from bioae.noise import brian as noise
from bioae.simulation.brian2_internals.sources import merge_cuda_sources, prepare_cuda_makefile
from bioae.simulation.targets.cuda.requirements import LEAST_CAPABILITY, Toolkit, compute_capability

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
    """Write a project into a folder, without compiling it."""
    device.build(directory=str(folder), compile=False, run=False)
    merge_cuda_sources(folder)


def prepare_cuda(device: Any, folder: Path) -> list[bytes]:
    """Write a project into a folder, and return the versions of its compilers.

    Raises a `TargetError` if the toolkit is missing.
    """
    toolkit = Toolkit.whole()
    write_cuda(device, folder)
    prepare_cuda_makefile(folder, toolkit.random_folder)
    printed = subprocess.run(["g++", "--version"], capture_output=True, check=False).stdout
    return [toolkit.version_text.encode(), printed]
