"""The CUDA source of random numbers gives the bits of NumPy, compiled as C++."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bioae.noise import Key, draw
from bioae.noise.brian import FUNCTIONS, brian2_functions, cuda_source, signed
from bioae.noise.streams import Distribution

NEURONS = 2000
SEED, EXAMPLE = 2**64 - 5, 2**63 + 17
PLACE = {"step": 7, "call": 2**40, "population": 3}

PROGRAM = """
#include "{emulator}"
#include <cstdio>
#include "bioae_noise.h"
int main()
{{
    for (int64_t neuron = 0; neuron < {neurons}; neuron++)
        std::printf("%a\\n", {function}(neuron, {place}, {seed}LL, {example}LL));
}}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
@pytest.mark.parametrize("distribution", FUNCTIONS)
def test_cuda_source_gives_numpys_bits(
    distribution: Distribution, tmp_path: Path, cuda_emulator: ModuleType
) -> None:
    program = PROGRAM.format(
        emulator=cuda_emulator.HEADER,
        neurons=NEURONS,
        function=FUNCTIONS[distribution],
        place=", ".join(map(str, PLACE.values())),
        seed=int(signed(SEED)),
        example=int(signed(EXAMPLE)),
    )
    (tmp_path / "main.cpp").write_text(program)
    (tmp_path / "bioae_noise.h").write_text(cuda_source())
    command = ["g++", "-std=c++17", "-Wall", "-Werror", "-Wno-unused", "-ffp-contract=off"]
    subprocess.run([*command, "main.cpp", "-o", "main"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    expected = draw(distribution, Key(SEED, [EXAMPLE]), count=NEURONS, **PLACE)
    np.testing.assert_array_equal([float.fromhex(line) for line in printed.split()], expected[0])


def test_functions_are_compiled_for_host_and_gpu() -> None:
    source = cuda_source()
    assert source.count("static inline __host__ __device__") == source.count("static inline") > 3
    assert "static const" not in source
    assert "thread_local" not in source
    for name, function in brian2_functions().items():
        implementation = function.implementations["cuda"]
        assert implementation.name == name
        assert implementation.compiler_kwds == {"headers": ['"bioae_noise.h"']}
