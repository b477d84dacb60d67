"""Emulator of CUDA kernels: their templates in a C++ project, their threads one after another.

The templates are the real ones; `common_group.cu` replaces brian2cuda's, and `emulator.h` CUDA.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.templates import Templater
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from jinja2 import ChoiceLoader, FileSystemLoader

HERE = Path(__file__).parent
HEADER = HERE / "emulator.h"

_LAUNCH = re.compile(r"(\w+)<<<(.+?),\s*(.+?)>>>\(")
_PLACES = {
    "%KERNEL_PARAMETERS%": "int", "%HOST_PARAMETERS%": "0", "%KERNEL_CONSTANTS%": "%CONSTANTS%",
    "%HOST_CONSTANTS%": "%CONSTANTS%",
}  # fmt: skip


def emulated(source: str) -> str:
    """Return CUDA as C++ that includes `emulator.h`: launches of kernels become calls."""
    return _LAUNCH.sub(r"emulated_launch(\1, \2, \3)(", source)


def compile_project(folder: Path) -> None:
    """Compile a complete project of brian2cuda for this machine's processor."""
    sources = []
    for path in folder.glob("*.cu"):
        target = path.with_suffix(".cpp")
        target.write_text(emulated(path.read_text(encoding="utf-8")), encoding="utf-8")
        sources.append(target.name)
    flags = ["-std=c++17", "-O1", "-w", "-ffp-contract=off", "-I.", f"-I{HERE / 'include'}"]
    command = ["g++", *flags, "-include", "cuda.h", *sorted(sources), "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)


class _Generator(CPPCodeGenerator):  # type: ignore[misc]
    def determine_keywords(self) -> dict[str, Any]:
        keywords: dict[str, Any] = super().determine_keywords()
        return {**keywords, "kernel_lines": keywords["pointers_lines"]}


class _Templater(Templater):  # type: ignore[misc]
    def derive(self, package_name: str, *args: Any, **options: Any) -> Templater:
        derived = Templater(package_name, ".cu", self.env_globals)
        derived.env.loader = ChoiceLoader([derived.env.loader, FileSystemLoader(HERE)])
        return derived


class EmulatedCodeObject(CPPStandaloneCodeObject):  # type: ignore[misc]
    """A code object of a C++ project, from a template of CUDA."""

    templater = _Templater(
        "brian2.devices.cpp_standalone",
        ".cu",
        {**CPPStandaloneCodeObject.templater.env_globals, "emulator": str(HEADER)},
    )
    generator_class = _Generator

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        source = emulated(self.code.cpp_file)
        for place, stand_in in _PLACES.items():
            source = source.replace(place, stand_in)
        self.code.cpp_file = source
