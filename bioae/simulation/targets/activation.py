"""Targets of a simulation: their requirements, and their activation in Brian2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from brian2 import get_device, prefs, set_device
from brian2.devices.device import reset_device

from bioae.simulation.backend import BRIAN2_TARGETS, STANDALONE, Dtype, Target, known_target
from bioae.simulation.brian2_internals.groups import fresh_names, ieee_cache
from bioae.simulation.brian2_internals.standalone import ValueFreeDevice
from bioae.simulation.targets.cuda.building import cuda_device, cuda_settings
from bioae.simulation.targets.cuda.requirements import check_cuda, check_programs

#: Flags of the C++ compiler: Brian2's defaults add -ffast-math, which lets it reorder sums. Without
#: floating-point exceptions and `errno`, which nobody reads, it vectorises `trunc`, `sqrt`, and
#: branches, to the same bits.
IEEE_FLAGS = [
    "-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"
]  # fmt: skip

#: Programs that a target needs.
_PROGRAMS = {"numpy": (), "cython": ("g++",), "cpp_standalone": ("g++", "make")}


def check_target(target: str) -> Target:
    """Return the target; raise a TargetError if it is unknown, or its compiler is missing."""
    target = known_target(target, BRIAN2_TARGETS)
    if target == "cuda_standalone":
        check_cuda()
    else:
        check_programs(target, *_PROGRAMS[target])
    return target


@contextmanager
def activated(target: Target, *, dtype: Dtype = "float64") -> Iterator[Any]:
    """Let Brian2 use a target within the block; yield its device, and restore settings afterwards.

    `dtype` is the type of state variables.
    """
    standalone = target in STANDALONE
    settings = {
        "codegen.target": "numpy" if standalone else target,
        "codegen.loop_invariant_optimisations": False,
        # Brian2 tries each flag on the compiler, which a project from the cache does not need.
        "codegen.cpp.extra_compile_args_gcc": [] if standalone else IEEE_FLAGS,
        # Brian2's names of compiled modules do not depend on flags.
        "codegen.runtime.cython.cache_dir": ieee_cache(),
        "core.default_float_dtype": np.dtype(dtype).type,
        # Brian2 would end the run early and continue as if it were complete.
        "core.stop_on_keyboard_interrupt": False,
        # Two compilers at a time: Brian2 2.9 starts as many as there are files.
        "devices.cpp_standalone.extra_make_args_unix": ["-j2"],
    }
    if target == "cuda_standalone":
        settings |= cuda_settings()
    before = {name: prefs[name] for name in settings}
    for name, value in settings.items():
        prefs[name] = value
    # A new device: objects that the user has built on Brian2's own are not affected.
    set_device(_device(target), build_on_run=False)
    try:
        with fresh_names() if standalone else nullcontext():
            yield get_device()
    finally:
        reset_device()
        for name, value in before.items():
            prefs[name] = value


def without_fast_math() -> None:
    """Let Brian2 compile without -ffast-math for the rest of the session.

    Else it removes the rounding of weights that learn; and Brian2 keeps compiled modules by their
    source alone, so that one compiled with it would run in later simulations, too.
    """
    for name in ("codegen.cpp.extra_compile_args_gcc", "codegen.cpp.extra_compile_args"):
        flags = prefs[name]
        if flags is not None and "-ffast-math" in flags:
            prefs[name] = [each for each in flags if each != "-ffast-math"] + ["-ffp-contract=off"]
    prefs["codegen.runtime.cython.cache_dir"] = ieee_cache()


def _device(target: Target) -> Any:
    if target == "cuda_standalone":
        return cuda_device()
    return ValueFreeDevice() if target == "cpp_standalone" else "runtime"
