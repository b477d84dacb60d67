"""Simulation and analysis never import PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bioae.networks import Network
from bioae.networks.artefact import save

CODE = """
import sys
import bioae
assert not {"torch", "brian2", "numpy"} & sys.modules.keys()
from bioae import analysis, datasets, equations
model, images = sys.argv[1:]
network = bioae.load(model).network
result = bioae.simulate(network, datasets.load(images), "numpy")
bioae.write_result(result, "library.nc")
print(int(analysis.summary(analysis.open_result("library.nc"))["spikes"].sum()))
assert "torch" not in sys.modules

from bioae.cli import main
command = ["simulate", model, "--data", images, "--target", "numpy", "--workers", "2"]
assert main([*command, "--out", "r.nc"]) == 0
assert main(["analyze", "r.nc", "--out", "report"]) == 0
assert main(["neurons", "show", "lif"]) == 0
assert main(["data", "list"]) == 0
assert main(["networks", "list"]) == 0
assert main(["networks", "show", "sae-mnist"]) == 0
assert {"brian2", "xarray"} <= sys.modules.keys()
assert "torch" not in sys.modules
"""


@pytest.mark.medium
def test_neither_the_library_nor_the_commands_import_torch(
    small: Network, images: NDArray[np.float64], tmp_path: Path
) -> None:
    save(small, tmp_path / "model")
    np.save(tmp_path / "images.npy", images[:2])
    done = subprocess.run(
        [sys.executable, "-c", CODE, "model", "images.npy"], cwd=tmp_path, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    assert int(done.stdout.splitlines()[0]) > 0
