"""A small version of the folder that a reader works in."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nir
import numpy as np
import pytest
import tomli_w

import bioae
from bioae.networks import artefact

ROOT = Path(__file__).parents[2]
_CONFIG = """
[data]
train = 42
validation = 10
test = 10

[network]
preset = "strided"
steps = 5

[training]
epochs = 1
"""


@pytest.fixture(scope="session")
def model() -> bioae.Network:
    """Return the network of the demo with its initial weights."""
    return bioae.Network.initialise(bioae.NetworkConfig.preset("strided"), seed=0).quantised()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, model: bioae.Network) -> Path:
    """Return a small folder with the files that the pages assume."""
    folder = tmp_path_factory.mktemp("workplace")
    artefact.save(model, folder / "bioae-demo/regularised/model")
    digits = bioae.datasets.load("sample", "test", limit=3)
    bioae.write_result(bioae.simulate(model, digits, "numpy"), folder / "result.nc")
    nir.write(str(folder / "net.nir"), _graph())
    (folder / "config.toml").write_text(_CONFIG, encoding="utf-8")
    (folder / "spikes.csv").write_text("neuron,time\n0,0.1\n1,9.5\n")
    shutil.copytree(ROOT / "examples", folder / "examples")
    # The same commands, on fewer images.
    (folder / "examples/train_small.toml").write_text(_CONFIG, encoding="utf-8")
    for name in ("learn_digits", "rewire_digits"):
        path = folder / f"examples/{name}.toml"
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        tables["data"] |= {"train": 130, "test": 20}
        tables["learning"] |= {"epochs": 1}
        path.write_text(tomli_w.dumps(tables), encoding="utf-8")
    return folder


def _graph() -> nir.NIRGraph:
    """Return a NIR graph that classifies digits."""
    one = np.ones(10)
    neurons = nir.LIF(tau=0.001 * one, r=10 * one, v_leak=0 * one, v_threshold=one)
    return nir.NIRGraph.from_list(nir.Linear(np.full((10, 784), 0.01)), neurons)


@pytest.fixture
def workplace(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a copy of that folder, and restore Brian2's settings afterwards."""
    from brian2 import prefs

    folder = tmp_path / "workplace"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    names = ("codegen.target", "codegen.loop_invariant_optimisations")
    before = {name: prefs[name] for name in names}
    yield folder
    for name, value in before.items():
        prefs[name] = value
