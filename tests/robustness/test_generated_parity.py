"""Generated models in both simulators, and many runs in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import need
from generated_cases import check, draw_cases, states_needed
from generated_models import AXES, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import compare, needs_compiler
from one_build import Simulation, simulate_several

#: Models per target.
COUNT = 60


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_generated_models_on_every_target(quick_compiler: None) -> None:
    need("cpp_standalone")
    cases = draw_cases(COUNT)
    assert 12 <= sum(case.reproducible for case in cases) <= 54
    for axis, options in AXES.items():
        assert {case.choices[axis] for case in cases} == set(options), axis
    simulations = [
        Simulation(case.network, case.images, record=states_needed(case)) for case in cases
    ]
    for target in ("numpy", "cpp_standalone", "cython"):
        for case, result in zip(cases, simulate_several(simulations, target=target), strict=True):
            check(case, result)


#: What is left to the mirror that is not compiled.
LEFT = {
    "noise": ("none",), "delay": ("none", "homogeneous"),
    "variable": ("none", "integer", "boolean", "per_neuron"),
}  # fmt: skip


@st.composite
def compilable(draw: st.DrawFn) -> Any:
    return make(lambda a, o: draw(st.sampled_from([c for c in o if c in LEFT.get(a, o)])))


@needs_compiler
@settings(max_examples=120, suppress_health_check=[*HealthCheck])
@given(compilable(), st.booleans())
def test_compiled(case: Any, attached: bool) -> None:
    config = case.network.config
    drive = torch.from_numpy(config.encoder.encode(case.images, [0, 1], steps=config.steps))
    options = {"detach_refractory": not attached, "potentials": "last", "rtol": 1e-9}
    compare(case.network, drive.double().requires_grad_(), **options)


SIMULATION = """
import json, resource, sys
from pathlib import Path

from builders import pictures, two_layers
import bioae

def resident():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024

presentations, curve = int(sys.argv[1]), []
bioae.simulate_to(
    "r.nc",
    two_layers(),
    pictures(presentations, 4, 4),
    bioae.Backend(chunk=presentations // 20),
    progress=lambda done, whole: curve.append((done, resident())),
)
finished = resident()
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"curve": curve, "finished": finished, "program": children}))
"""


@pytest.mark.timeout(3600)
def test_memory_is_flat(tmp_path: Path) -> None:
    presentations, tests = 100_000, Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(tests)!r})\n{SIMULATION}",
         str(presentations)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    report = json.loads(done.stdout)
    finished, memory = np.array(report["curve"]).T
    assert finished.tolist() == [presentations * (part + 1) // 20 for part in range(20)]
    # The first chunks allocate what later ones use again.
    assert memory[4:].max() < memory[2] + 20
    assert report["finished"] < memory[2] + 40
