"""Contenders of the simulation benchmark, on a small number of steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.contenders import brian2, mirror, spikes_of, to_file
from benchmarks.least_work import simulation_work
from bioae.networks import Network, NetworkConfig, artefact


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    artefact.save(Network.initialise(NetworkConfig.preset("strided")).quantised(), path)
    return path


@pytest.mark.slow
def test_all_contenders_run_the_same_network(model: Path) -> None:
    ours = brian2(model, 8, steps=8, target="numpy", chunk=5)()
    theirs = mirror(model, 8, steps=8, threads=1)()
    assert ours.keys() == theirs.keys()
    assert spikes_of(ours) > 0
    assert spikes_of(theirs) == pytest.approx(spikes_of(ours), rel=0.01)  # in float32


@pytest.mark.slow
def test_compiled_contenders(model: Path) -> None:
    counts = to_file(model, 2, steps=5)()
    work = simulation_work(model, 2, steps=5)
    assert spikes_of(counts) > 0
    assert 0 < work.density < 1
    assert work.milliseconds > 0
