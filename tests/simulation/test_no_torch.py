"""Whoever simulates or analyses never waits for PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bioae.networks import Network
from bioae.networks.artefact import save

LIBRARY = """
import sys
import bioae
assert not {"torch", "brian2", "numpy"} & sys.modules.keys()
from bioae import analysis, datasets, equations
network = bioae.load(sys.argv[1]).network
result = bioae.simulate(network, datasets.load(sys.argv[2]), "numpy")
bioae.write_result(result, "r.nc")
print(int(analysis.summary(analysis.open_result("r.nc"))["spikes"].sum()))
"""

COMMANDS = """
import sys
from bioae.cli import main
model, images = sys.argv[1:]
command = ["simulate", model, "--data", images, "--target", "numpy", "--workers", "2"]
assert main([*command, "--out", "r.nc"]) == 0
assert main(["analyze", "r.nc", "--out", "report"]) == 0
assert main(["neurons", "show", "lif"]) == 0
assert main(["data", "list"]) == 0
"""

END = """
assert {"brian2", "xarray"} <= sys.modules.keys()
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("code", [LIBRARY, COMMANDS], ids=["library", "commands"])
def test_torch_is_never_imported(
    code: str, small: Network, images: NDArray[np.float64], tmp_path: Path
) -> None:
    save(small, tmp_path / "model")
    np.save(tmp_path / "images.npy", images)
    done = subprocess.run(
        [sys.executable, "-c", code + END, "model", "images.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    if code is LIBRARY:
        assert int(done.stdout) > 0
