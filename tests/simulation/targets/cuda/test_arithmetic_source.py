"""The CUDA source of arithmetic gives the bits of NumPy, compiled as C++."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bioae.arithmetic import brian2_arithmetic, cuda_source
from bioae.equations.arrays.functions import array_functions

PROGRAM = """
#include "{emulator}"
#include <cstdio>
#include "bioae_arithmetic.h"
int main()
{{
    for (int n = -50; n < 50; n++) {{
        const double a = 0.37*n;
        std::printf("%a %a %a %a\\n", bioae_mod(a, -0.3), bioae_floordiv(a, 0.1),
                    bioae_clip(a, 1, 0.5), double(bioae_divide(n, 3.0)));
    }}
}}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_cuda_source_gives_numpys_bits(tmp_path: Path, cuda_emulator: ModuleType) -> None:
    (tmp_path / "main.cpp").write_text(PROGRAM.format(emulator=cuda_emulator.HEADER))
    (tmp_path / "bioae_arithmetic.h").write_text(cuda_source())
    command = ["g++", "-std=c++17", "-Wall", "-Werror", "-Wno-unused", "-ffp-contract=off"]
    subprocess.run([*command, "main.cpp", "-o", "main"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    n = np.arange(-50, 50)
    a, ours = 0.37 * n, array_functions(np)
    expected = [ours["mod"](a, -0.3), ours["floordiv"](a, 0.1), ours["clip"](a, 1, 0.5), n / 3]
    found = [[float.fromhex(number) for number in line.split()] for line in printed.splitlines()]
    np.testing.assert_array_equal(found, np.transpose(expected))


def test_functions_are_compiled_for_host_and_gpu() -> None:
    source = cuda_source()
    assert source.count("static inline __host__ __device__") == source.count("static inline") > 12
    for name, function in brian2_arithmetic().items():
        implementation = function.implementations["cuda"]
        assert implementation.name == name
        assert implementation.compiler_kwds == {"headers": ['"bioae_arithmetic.h"']}
