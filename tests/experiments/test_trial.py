"""A trial that trains and simulates, killed within its training; and the demo's quick form."""

from __future__ import annotations

import math
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioae import Network, NetworkConfig, simulate
from experiments.common.agreement import DIFFERING, Agreement

pytestmark = pytest.mark.medium

Run = Callable[..., Any]
Write = Callable[..., None]
Start = Callable[..., subprocess.Popen[str]]

TRAINING = """
def run(trial):
    from bioae.analysis import reconstruction_errors
    from bioae.datasets import load
    from experiments.common.agreement import fewest_spikes

    layers = [
        {"kind": "dense", "name": "latent", "units": 8, "gain": 4.0},
        {"kind": "dense", "name": "output", "shape": [1, 28, 28], "gain": 4.0},
    ]
    network = trial.train({
        "data": {"train": 40, "validation": 10},
        "network": {"steps": 5, "latent": "latent", "layers": layers},
        "training": {
            "epochs": trial.sizes["epochs"], "batch_size": 10, "threads": 1, "compile": False,
        },
    }).network
    result = trial.simulate(network, load("sample", "test", 5))
    errors = reconstruction_errors(result)["sum_squared_error"]
    return {
        "score": float(errors.sel(predictor="network")), "spikes": fewest_spikes(network, result),
    }

def former(trial):"""


@pytest.mark.slow
def test_a_run_killed_within_a_training(run: Run, write: Write, start: Start, here: Path) -> None:
    write(
        ("\ndef run(trial):", TRAINING),
        ('quick={"spread": 0.5}', 'quick={"epochs": 40}'),
        ('sizes={"spread": 1.0}', 'sizes={"epochs": 41}'),
    )
    options = ("toy", "--quick", "--condition", "ours")
    process = start(*options, "--out", "out")
    training = here / "out/runs/ours/0/training"
    while not (training / "metrics.jsonl").exists() or lines(training) < 3:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 3 <= lines(training) < 40
    before = (training / "metrics.jsonl").read_text().splitlines()

    assert run(*options, "--out", "out", "--resume").status == 1  # the other condition is missing
    assert lines(training) == 40
    assert run(*options, "--out", "straight").status == 1
    rows = (here / "out/toy.csv").read_bytes()
    assert rows == (here / "straight/toy.csv").read_bytes()
    left = {path.name for path in (here / "out/runs").rglob("*") if path.is_file()}
    assert left >= {"config.toml", "metrics.jsonl", "network.toml", "weights.safetensors"}
    assert not left & {"checkpoint.safetensors", "simulation.nc"}
    # Times are those of the epochs before the kill: they were not trained again.
    assert (training / "metrics.jsonl").read_text().splitlines()[: len(before)] == before


def test_conditions_share_a_network(run: Run, write: Write, here: Path) -> None:
    write(
        ("\ndef run(trial):", TRAINING),
        ("    }).network\n", "    }, share=True).network\n"),
        ('quick={"spread": 0.5}', 'quick={"epochs": 2}'),
        ('sizes={"spread": 1.0}', 'sizes={"epochs": 3}'),
    )
    options = ("toy", "--quick", "--target", "numpy", "--out", "out")
    run(*options, "--condition", "ours")
    assert list((here / "out/shared").rglob("checkpoint.safetensors"))  # another row needs it
    run(*options, "--resume")
    rows = [line.split(",") for line in (here / "out/toy.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["ours", "chance"]
    assert rows[0][2:] == rows[1][2:]
    assert lines(here / "out/shared/0/training") == 2
    shared = {path.name for path in (here / "out/shared").rglob("*") if path.is_file()}
    assert "weights.safetensors" in shared
    assert "checkpoint.safetensors" not in shared
    assert [path.name for path in (here / "out/runs").rglob("*") if path.is_file()] == []


def test_silence_is_no_agreement() -> None:
    layers = [{"kind": "dense", "name": "output", "shape": [1, 28, 28]}]
    config = NetworkConfig.from_mapping({"steps": 3, "layers": layers}, where="one layer")
    network = Network.initialise(config, seed=0).quantised()
    silent = network.with_weights({"output.weight": np.zeros((784, 784))})
    for each, differing in ((network, 0), (silent, math.nan)):
        result = simulate(each, "sample", "numpy", limit=2, progress=False)
        spikes = Agreement(each, result, result).spikes
        assert spikes[DIFFERING] == pytest.approx(differing, nan_ok=True)
        assert (spikes["spikes"] > 0) == (each is network)


BASELINES = """
def run(trial):
    import numpy as np
    from bioae.datasets import load

    digits = load("sample", "test", 20)
    layers = [
        {"kind": "dense", "name": "latent", "units": 8},
        {"kind": "dense", "name": "output", "shape": [1, 28, 28]},
    ]
    tables = {
        "data": {"train": 60, "validation": 10, "test": 20},
        "network": {"latent": "latent", "layers": layers},
        "training": {"epochs": 2, "batch_size": 10, "threads": 1},
    }
    kind = {"ours": "autoencoder", "chance": "zero"}[trial.condition]
    result = trial.baseline({**tables, "baseline": kind})
    pca = trial.baseline({**tables, "baseline": "pca"}, "pca", share=True)
    assert pca.network.latent(digits).shape == (20, 8)
    assert [each["presentations"] for each in result.records] == [50, 100][: len(result.records)]
    error = ((result.network.reconstruct(digits) - digits.as_float()) ** 2).sum() / 20
    assert np.isclose(error, result.summary["test_sum_squared_error"], rtol=1e-5)
    return {"score": float(error), "spikes": 1}

def former(trial):"""


def test_baselines_in_rows(run: Run, write: Write, here: Path) -> None:
    write(("\ndef run(trial):", BASELINES))
    done = run("toy", "--quick", "--seeds", 2, "--out", "out")
    assert (here / "out/toy.csv").exists(), done
    rows = [line.split(",") for line in (here / "out/toy.csv").read_text().splitlines()[1:]]
    scores = {tuple(row[:2]): row[2] for row in rows}
    assert len(scores) == 4
    assert scores["ours", "0"] != scores["ours", "1"]  # trained with the trial's seed
    assert scores["chance", "0"] == scores["chance", "1"]
    left = {path.name for path in (here / "out/runs").rglob("*") if path.is_file()}
    assert left == {
        ".lock", "config.toml", "metrics.jsonl", "test.json", "weights.safetensors",
    }  # fmt: skip
    assert (here / "out/shared/1/pca/model/weights.safetensors").exists()
    run("toy", "--quick", "--seeds", 2, "--out", "again")
    assert (here / "again/toy.csv").read_bytes() == (here / "out/toy.csv").read_bytes()


def lines(training: Path) -> int:
    return len((training / "metrics.jsonl").read_text().splitlines())
