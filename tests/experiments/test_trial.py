"""A trial that trains and simulates, killed within its training; and the demo's quick form."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioae import Network, NetworkConfig, simulate
from experiments.common.agreement import DIFFERING, Agreement

pytestmark = pytest.mark.medium


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
    error = ((result.network.predict(digits) - digits.as_float()) ** 2).sum() / 20
    assert np.isclose(error, result.summary["test_sum_squared_error"], rtol=1e-5)
    return {"score": float(error), "spikes": 1}

def former(trial):"""


def test_baselines_in_rows(run: Callable[..., Any], write: Callable[..., None], here: Path) -> None:
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
