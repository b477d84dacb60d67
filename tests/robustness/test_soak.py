"""Many presentations: memory does not grow with their number."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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
