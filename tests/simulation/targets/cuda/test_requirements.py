"""Missing requirements of CUDA are reported in one line, with the remedy, on any machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from refusals import refused

from bioae.errors import TargetError
from bioae.simulation.targets.activation import check_target
from bioae.simulation.targets.cuda import requirements
from bioae.simulation.targets.cuda.requirements import Toolkit, compute_capability

pytestmark = pytest.mark.medium  # starts programs that stand for NVIDIA's

NVCC = "#!/bin/sh\necho 'Cuda compilation tools, release 12.4, V12.4.131'\n"
GPU = "#!/bin/sh\necho {}\n"


class Machine:
    """A machine that has everything; its programs and the toolkit are in folders."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.patch, self.programs, self.toolkit = patch, folder / "programs", folder / "cuda"
        for name in ("g++", "make"):
            self.program(self.programs / name, "#!/bin/sh\n")
        self.program(self.programs / "nvidia-smi", GPU.format("9.0"))
        self.program(self.toolkit / "bin" / "nvcc", NVCC)
        self.program(self.toolkit / "include" / "curand.h", "")
        patch.setenv("PATH", str(self.programs))
        patch.setenv("CUDA_HOME", str(self.toolkit))
        for name in ("CUDA_PATH", "CUDA_VISIBLE_DEVICES"):
            patch.delenv(name, raising=False)
        patch.setattr(requirements, "_SYSTEM", (folder / "nowhere",))
        patch.setattr(requirements, "find_spec", lambda name: name if name != "nvidia" else None)

    @staticmethod
    def program(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def without_brian2cuda(self, *python: int) -> None:
        self.patch.setattr(requirements, "find_spec", lambda name: None)
        self.patch.setattr(sys, "version_info", (*python, 1, "final", 0))

    def gpu(self, text: str) -> None:
        self.program(self.programs / "nvidia-smi", text)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


MISSING: dict[str, tuple[Callable[[Machine], object], tuple[str, ...], dict[str, Any]]] = {
    "old Python": (
        lambda m: m.without_brian2cuda(3, 11), ("brian2cuda", "3.12"), {"found": "Python 3.11"}
    ),
    "no brian2cuda": (
        lambda m: m.without_brian2cuda(3, 12), ("pip install '.[cuda]'",), {"found": None}
    ),
    "no compiler": (lambda m: (m.programs / "g++").unlink(), ("g++",), {}),
    "no nvcc": (
        lambda m: m.patch.delenv("CUDA_HOME"), ("nvcc",), {"hint": re.compile("CUDA_HOME")}
    ),
    "no cuRAND": (
        lambda m: (m.toolkit / "include" / "curand.h").unlink(), ("cuRAND",),
        {"where": re.compile("cuda$"), "hint": re.compile("pip install nvidia-curand-cu12")},
    ),
    "no driver": (lambda m: (m.programs / "nvidia-smi").unlink(), ("GPU", "driver"), {}),
    "no GPU": (lambda m: m.gpu("#!/bin/sh\necho 'No devices'\nexit 6\n"), ("GPU",), {}),
    "old GPU": (
        lambda m: m.gpu(GPU.format("5.2")), (),
        {"expected": "compute capability 6.0 or more", "found": "5.2"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named(case: str, machine: Machine) -> None:
    remove, names, fields = MISSING[case]
    remove(machine)
    with refused(TargetError, *names, **fields) as caught:
        check_target("cuda_standalone")
    assert "\n" not in str(caught.value)


def test_complete_machine(machine: Machine) -> None:
    machine.gpu('#!/bin/sh\ncase "$*" in *--id=3) echo 8.6;; *) echo 9.0; esac')
    assert check_target("cuda_standalone") == "cuda_standalone"
    assert (Toolkit.find(), Toolkit(machine.toolkit).version) == (Toolkit(machine.toolkit), 12.4)
    assert compute_capability() == 9.0
    machine.patch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert compute_capability() == 8.6


def test_a_compiler_on_the_path_that_calls_another(machine: Machine) -> None:
    """As distributions install it; the headers are where the other is."""
    here = f"#!/bin/sh\necho '#$ _HERE_={machine.toolkit}/bin' >&2\n"
    machine.program(machine.programs / "nvcc", here)
    machine.patch.delenv("CUDA_HOME")
    assert Toolkit.find() == Toolkit(machine.toolkit)
