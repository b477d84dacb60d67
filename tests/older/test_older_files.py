"""Files of earlier versions are read."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae import simulate
from bioae.analysis import differing_spikes, open_result, scores
from bioae.analysis.results.outputs import task_of
from bioae.cli import main
from bioae.datasets import Data
from bioae.errors import ArtefactError
from bioae.networks import Network, artefact
from bioae.runs import checkpoint
from bioae.runs.folder import CHECKPOINT

FILES = Path(__file__).with_name("files")
LAYERS = ("latent", "output")


@pytest.fixture
def stored(tmp_path: Path) -> xr.DataTree:
    """The result."""
    path = tmp_path / "result.nc"
    path.write_bytes(gzip.decompress((FILES / "result.nc.gz").read_bytes()))
    return open_result(path)


@pytest.fixture
def network() -> Network:
    return artefact.load(FILES / "model").network


def shown(result: xr.DataTree) -> Data:
    """Return the images of a result, with their numbers in the data set."""
    numbers = result["example"].to_numpy()
    return Data.of_images(
        result["input"].to_numpy()[:, None], name="stored", split="test", indices=numbers
    )


def test_an_artefact_is_the_network_that_it_was(network: Network, stored: xr.DataTree) -> None:
    assert stored.attrs["schema_version"] == 1
    assert network.sha256 == stored.attrs["network_sha256"]
    assert network.config.task.kind == "reconstruction"
    assert float(network.weights["latent.tau"]) != pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("side", ["numpy", "mirror"])
def test_an_artefact_gives_the_spikes_that_it_gave(
    side: str, network: Network, stored: xr.DataTree
) -> None:
    seed = int(stored.attrs["seed"])
    if side == "mirror":
        result = simulate(network, shown(stored), "torch", seed=seed)
    else:
        result = simulate(network, shown(stored), "numpy", seed=seed)
    assert [int(stored[f"/layers/{name}/spike_count"].sum()) for name in LAYERS] == [33, 62]
    assert differing_spikes(result, stored)["differing"].values.tolist() == [0, 0]
    for layer in LAYERS:
        for name in ("spike_example", "spike_neuron", "spike_time_ms", "spike_count"):
            values = result[f"/layers/{layer}/{name}"].to_numpy()
            np.testing.assert_array_equal(values, stored[f"/layers/{layer}/{name}"].to_numpy())
    np.testing.assert_array_equal(result["reconstruction"], stored["reconstruction"])


@pytest.mark.medium
def test_a_result_is_analysed(stored: xr.DataTree, tmp_path: Path) -> None:
    assert task_of(stored) == "reconstruction"
    error = ((stored["reconstruction"] - stored["input"]) ** 2).sum(("y", "x")).mean()
    found: Any = scores(stored)["value"].sel(score="sum_squared_error")
    assert float(found) == pytest.approx(float(error))
    assert main(["analyze", str(tmp_path / "result.nc"), "--out", str(tmp_path / "report")]) == 0


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    """A run of version 1 cannot be resumed."""
    path = tmp_path / CHECKPOINT
    shutil.copy(FILES / "checkpoint.safetensors", path)
    with refused(ArtefactError, found="1"):
        checkpoint.load(path)
    assert path.read_bytes() == (FILES / "checkpoint.safetensors").read_bytes()
