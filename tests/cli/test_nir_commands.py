"""``bioae import-nir`` and ``bioae export-nir``."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from builders import dense, drawn

from bioae.networks.artefact import load, save

Run = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def graph(here: Path) -> Path:
    rng = np.random.default_rng(0)
    nodes = []
    for before, size in pairwise((16, 6, 4)):
        one = np.ones(size)
        neurons = nir.LIF(tau=0.01 * one, r=one, v_leak=0 * one, v_threshold=0.2 * one)
        nodes += [nir.Affine(rng.normal(size=(size, before)), one / 10), neurons]
    nir.write("net.nir", nir.NIRGraph.from_list(*nodes))
    return here / "net.nir"


@pytest.mark.medium
def test_a_graph_becomes_a_trained_network_that_runs(graph: Path, run: Run) -> None:
    done = run("import-nir", graph, "--dt", "1*ms", "--out", "model", "--steps", 12)
    assert (done.status, done.out, done.err) == (0, "model\n", "")
    network = load("model").network
    assert (network.config.steps, network.config.input_shape) == (12, (1, 4, 4))
    np.savez("images.npz", images=np.random.default_rng(0).random((3, 4, 4)))
    simulated = run(
        "simulate", "model", "--data", "images.npz", "--out", "r.nc", "--target", "numpy"
    )
    assert simulated.status == 0, simulated
    exported = run("export-nir", "model", "--out", "again.nir")
    assert (exported.status, exported.err) == (0, "")
    assert run("import-nir", "again.nir", "--dt", "1*ms", "--out", "b", "--steps", 12).status == 0
    assert load("b").network.sha256 == network.sha256


@pytest.mark.medium
@pytest.mark.parametrize("out", ["model", "model.zip"])
def test_an_earlier_network_is_replaced_if_that_is_asked_for(
    graph: Path, run: Run, refused: Refused, out: str
) -> None:
    command = ("import-nir", graph, "--dt", "1*ms", "--out", out)
    assert run(*command, "--steps", 12).status == 0
    assert "exists already and was kept" in refused(*command, "--steps", 13)
    assert run(*command, "--steps", 13, "--overwrite").status == 0
    assert load(out).network.config.steps == 13


def test_a_dry_run_lists_every_node_and_writes_nothing(graph: Path, run: Run, here: Path) -> None:
    before = sorted(here.iterdir())
    done = run("import-nir", graph, "--dt", "1*ms", "--dry-run")
    assert done.status == 0
    assert sorted(here.iterdir()) == before
    lines = done.out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    nodes = nir.read(str(graph)).nodes
    assert len(nodes) == 6
    for name, node in nodes.items():
        assert any(line.split()[:2] == [name, type(node).__name__] for line in lines)
    listed = json.loads(run("import-nir", graph, "--dt", "1*ms", "--dry-run", "--json").out)
    assert {each["node"] for each in listed["nodes"]} == set(nodes)
    assert listed["out"] is None


def test_bad_input_is_one_line(graph: Path, refused: Refused) -> None:
    assert refused("import-nir", graph, "--dry-run").startswith("--dt: ")
    assert "--out" in refused("import-nir", graph, "--dt", "1*ms")
    assert "missing.nir" in refused("import-nir", "missing.nir", "--dt", "1*ms", "--out", "model")
    text = refused("import-nir", graph, "--dt", "1*ms", "--out", "model", "--input-shape", "1,a,4")
    assert "--input-shape" in text
    text = refused("import-nir", graph, "--dt", "1*ms", "--out", graph)
    assert "exists already" in text
    text = refused("import-nir", graph, "--dt", "1*ms", "--dry-run", "--out", "m", "--overwrite")
    assert text.startswith("--out, --overwrite: no effect")


def test_a_network_without_nodes_is_one_line(here: Path, refused: Refused) -> None:
    save(
        drawn(dense("a", 9), schedule="paper", neuron="lif_subtract", input_shape=[1, 3, 3]),
        here / "model",
    )
    assert "'a'" in refused("export-nir", "model", "--out", "x.nir")
