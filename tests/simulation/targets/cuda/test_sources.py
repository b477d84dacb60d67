"""The CUDA sources of random numbers and arithmetic give the bits of NumPy, compiled as C++."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from builders import need
from numpy.typing import NDArray

from bioae import arithmetic
from bioae.equations.arrays.functions import array_functions
from bioae.noise import Key, draw
from bioae.noise import brian as noise
from bioae.noise.brian import FUNCTIONS, signed
from bioae.noise.streams import Distribution

SEED, EXAMPLE = 2**64 - 5, 2**63 + 17
PLACE = {"step": 7, "call": 2**40, "population": 3}

PROGRAM = """
#include "{emulator}"
#include <cstdio>
#include "{header}"
int main()
{{
    for (int64_t n = {first}; n < {end}; n++)
        {{ {code} }}
}}
"""


def printed(
    folder: Path, emulator: ModuleType, part: ModuleType, numbers: range, code: str
) -> NDArray[np.float64]:
    """Compile a program that prints for each number, and return what it prints (number, value)."""
    need("cpp_standalone")
    program = PROGRAM.format(
        emulator=emulator.HEADER, header=part.CUDA_HEADER, first=numbers.start, end=numbers.stop,
        code=code,
    )  # fmt: skip
    (folder / "main.cpp").write_text(program)
    (folder / part.CUDA_HEADER).write_text(part.cuda_source())
    command = ["g++", "-std=c++17", "-Wall", "-Werror", "-Wno-unused", "-ffp-contract=off"]
    subprocess.run([*command, "main.cpp", "-o", "main"], cwd=folder, check=True)
    done = subprocess.run([folder / "main"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return np.array([[float.fromhex(number) for number in row] for row in rows])


@pytest.mark.medium
@pytest.mark.parametrize("distribution", FUNCTIONS)
def test_random_numbers(
    distribution: Distribution, tmp_path: Path, cuda_emulator: ModuleType
) -> None:
    place = ", ".join(map(str, PLACE.values()))
    arguments = f"n, {place}, {signed(SEED)}LL, {signed(EXAMPLE)}LL"
    code = f'std::printf("%a\\n", {FUNCTIONS[distribution]}({arguments}));'
    actual = printed(tmp_path, cuda_emulator, noise, range(2000), code)
    expected = draw(distribution, Key(SEED, [EXAMPLE]), count=2000, **PLACE)
    np.testing.assert_array_equal(actual[:, 0], expected[0])


@pytest.mark.medium
def test_arithmetic(tmp_path: Path, cuda_emulator: ModuleType) -> None:
    code = (
        'const double a = 0.37*n; std::printf("%a %a %a %a\\n", bioae_mod(a, -0.3),'
        " bioae_floordiv(a, 0.1), bioae_clip(a, 1, 0.5), double(bioae_divide(int(n), 3.0)));"
    )
    actual = printed(tmp_path, cuda_emulator, arithmetic, range(-50, 50), code)
    n = np.arange(-50, 50)
    a, ours = 0.37 * n, array_functions(np)
    expected = [ours["mod"](a, -0.3), ours["floordiv"](a, 0.1), ours["clip"](a, 1, 0.5), n / 3]
    np.testing.assert_array_equal(actual, np.transpose(expected))


def test_functions_are_compiled_for_host_and_gpu() -> None:
    for part, functions in (
        (noise, noise.brian2_functions()), (arithmetic, arithmetic.brian2_arithmetic())
    ):  # fmt: skip
        source = part.cuda_source()
        assert source.count("static inline __host__ __device__") == source.count("static inline")
        assert not {"static const", "thread_local"} & {*source.split("\n")}
        assert len(functions) > 1
        for name, function in functions.items():
            implementation = function.implementations["cuda"]
            assert implementation.name == name
            assert implementation.compiler_kwds == {"headers": [f'"{part.CUDA_HEADER}"']}
