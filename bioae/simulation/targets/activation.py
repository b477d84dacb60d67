"""What Brian2 can run on: its targets, what each of them needs, and how it is told."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, get_args

import numpy as np
from brian2 import prefs
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import get_device, reset_device, set_device

from bioae.errors import TargetError
from bioae.simulation.targets.cuda.requirements import check_cuda
from bioae.simulation.targets.naming import names_anew
from bioae.simulation.targets.standalone import ValueFreeDevice

__all__ = [
    "IEEE_FLAGS",
    "STANDALONE",
    "TARGETS",
    "Dtype",
    "Target",
    "activated",
    "active_target",
    "check_target",
    "float32_allowed",
]

Target = Literal["numpy", "cython", "cpp_standalone", "cuda_standalone"]
Dtype = Literal["float64", "float32"]

#: Where Brian2 can run a network.
TARGETS: tuple[Target, ...] = get_args(Target)

#: Those that are compiled into one program, which runs by itself.
STANDALONE: tuple[Target, ...] = ("cpp_standalone", "cuda_standalone")

#: How C++ is compiled: Brian2's defaults add -ffast-math, which lets the compiler reorder sums.
IEEE_FLAGS = ["-w", "-O3", "-march=native", "-ffp-contract=off"]


def check_target(target: str) -> Target:
    """Return the target, if it is known and the machine has what it needs.

    Raises
    ------
    TargetError
        If there is no such target, or its compiler is missing.
    """
    if target not in TARGETS:
        raise TargetError(f"unknown target {target!r}", expected=f"one of {', '.join(TARGETS)}")
    if target == "cuda_standalone":
        check_cuda()
        return target
    needed = {"numpy": (), "cython": ("g++",), "cpp_standalone": ("g++", "make")}[target]
    missing = [program for program in needed if shutil.which(program) is None]
    if missing:
        raise TargetError(
            f"the target {target!r} needs {' and '.join(missing)}, which cannot be found",
            mend="Install a C++ compiler and make (Debian, Ubuntu: apt install g++ make; "
            "conda: cxx-compiler make), or use --target numpy, which needs none",
        )
    return target


def active_target() -> str:
    """Return the name of the target that Brian2 would run on now."""
    device = get_device()
    if not isinstance(device, CPPStandaloneDevice):  # of which brian2cuda's is one
        return str(prefs["codegen.target"])
    return f"{device.code_object_class().generator_class.class_name}_standalone"


@contextmanager
def float32_allowed() -> Iterator[None]:
    """Keep quiet that Brian2 compares states with 1e50 after a run, which no float32 is."""
    with warnings.catch_warnings():
        module = r"brian2\.groups\.group"
        warnings.filterwarnings("ignore", "overflow encountered in cast", module=module)
        yield


@contextmanager
def activated(target: Target, *, dtype: Dtype = "float64", jobs: int = 2) -> Iterator[Any]:
    """Make a target Brian2's own within the block, and put everything back after it.

    Parameters
    ----------
    target
        The target.
    dtype
        The type of state variables.
    jobs
        How many compilers run at once.

    Yields
    ------
    Device
        Brian2's device.
    """
    standalone = target in STANDALONE
    settings = {
        "codegen.target": "numpy" if standalone else target,
        "codegen.loop_invariant_optimisations": False,
        # Brian2 tries each flag on the compiler: a project that is found compiled needs none.
        "codegen.cpp.extra_compile_args_gcc": [] if standalone else IEEE_FLAGS,
        "core.default_float_dtype": np.dtype(dtype).type,
        # Brian2 would end the run early and go on as if it were whole.
        "core.stop_on_keyboard_interrupt": False,
        # Brian2 2.9 starts as many compilers as there are files.
        "devices.cpp_standalone.extra_make_args_unix": [f"-j{jobs}"],
    }
    if target == "cuda_standalone":
        from bioae.simulation.targets.cuda.device import settings as cuda_settings

        settings |= cuda_settings()
    before = {name: prefs[name] for name in settings}
    for name, value in settings.items():
        prefs[name] = value
    # A device of our own: what the user may have built on Brian2's stays as it is.
    set_device(_device(target), build_on_run=False)
    try:
        with names_anew() if standalone else nullcontext():
            yield get_device()
    finally:
        reset_device()
        for name, value in before.items():
            prefs[name] = value


def _device(target: Target) -> Any:
    if target == "cuda_standalone":
        from bioae.simulation.targets.cuda.device import ValueFreeCUDADevice

        return ValueFreeCUDADevice()
    return ValueFreeDevice() if target == "cpp_standalone" else "runtime"
