"""A trial that trains and simulates, killed within its training; and the demo's quick form."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bioae.cli import main

Run = Callable[..., Any]
Write = Callable[..., None]
Start = Callable[..., subprocess.Popen[str]]

TRAINING = """
def run(trial):
    from bioae.analysis import reconstruction_errors
    from bioae.datasets import load
    from bioae.experiments.runner.trial import fewest_spikes

    layers = [
        {"kind": "dense", "name": "latent", "units": 8, "gain": 4.0},
        {"kind": "dense", "name": "output", "shape": [1, 28, 28], "gain": 4.0},
    ]
    network = trial.train({
        "data": {"train": 40, "validation": 10},
        "network": {"steps": 5, "latent": "latent", "layers": layers},
        "training": {"epochs": trial.sizes["epochs"], "batch_size": 10, "threads": 1},
    }).network
    result = trial.simulate(network, load("sample", "test", 5))
    errors = reconstruction_errors(result)["sum_squared_error"]
    return {
        "score": float(errors.sel(predictor="network")), "spikes": fewest_spikes(network, result),
    }

def former(trial):"""


def test_a_run_that_is_killed_within_a_training(
    run: Run, write: Write, start: Start, here: Path
) -> None:
    write(
        ("\ndef run(trial):", TRAINING),
        ('quick={"spread": 0.5}', 'quick={"epochs": 40}'),
        ('sizes={"spread": 1.0}', 'sizes={"epochs": 41}'),
    )
    options = ("toy", "--quick", "--seeds", 2, "--condition", "ours")
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
    assert (here / "out/toy.nc").read_bytes() == (here / "straight/toy.nc").read_bytes()
    first, second = (line.split(b",")[2:] for line in rows.splitlines()[1:])
    assert first != second  # seeds differ
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
    run("toy", "--quick", "--out", "out", "--condition", "ours")
    assert list((here / "out/shared").rglob("checkpoint.safetensors"))  # another row needs it
    run("toy", "--quick", "--out", "out", "--resume")
    rows = [line.split(",") for line in (here / "out/toy.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["ours", "chance"]
    assert rows[0][2:] == rows[1][2:]
    assert lines(here / "out/shared/0/training") == 2
    shared = {path.name for path in (here / "out/shared").rglob("*") if path.is_file()}
    assert "weights.safetensors" in shared
    assert "checkpoint.safetensors" not in shared
    assert [path.name for path in (here / "out/runs").rglob("*") if path.is_file()] == []


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
    assert pca.baseline.latent(digits).shape == (20, 8)
    assert [each["presentations"] for each in result.history] == [50, 100][: len(result.history)]
    error = ((result.baseline.reconstruct(digits) - digits.images) ** 2).sum() / 20
    assert np.isclose(error, result.summary["test_sum_squared_error"], rtol=1e-5)
    return {"score": float(error), "spikes": 1}

def former(trial):"""


def test_baselines_in_rows(run: Run, write: Write, here: Path) -> None:
    write(("\ndef run(trial):", BASELINES))
    run("toy", "--quick", "--seeds", 2, "--out", "out")
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


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the quick form of the demo's experiment, which holds."""
    folder = tmp_path_factory.mktemp("demo")
    assert main(["experiment", "demo", "--quick", "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture
def changed(quick: Path) -> Iterator[Callable[..., None]]:
    """Change numbers in the rows of the demo; they are restored afterwards."""
    files = {path: path.read_bytes() for path in (quick / "rows").rglob("*.json")}
    assert len(files) == 3

    def change(condition: str, **numbers: float) -> None:
        path = quick / "rows" / condition / "0.json"
        row = json.loads(path.read_text())
        assert numbers.keys() <= row["numbers"].keys()
        row["numbers"] |= numbers
        path.write_text(json.dumps(row))

    yield change
    for path, content in files.items():
        path.write_bytes(content)


def numbers_of(quick: Path, condition: str) -> dict[str, float]:
    row = json.loads((quick / "rows" / condition / "0.json").read_text())
    numbers: dict[str, float] = row["numbers"]
    return numbers


def test_the_quick_demo(quick: Path) -> None:
    paper, ours = (numbers_of(quick, name) for name in ("paper", "regularised"))
    assert paper["pathological"] == paper["dead"] + paper["bursting"] > ours["dead"]
    assert min(paper["spikes"], ours["spikes"]) > 100
    assert (quick / "figures/demo-firing.svg").read_text().endswith("-->\n")


def test_a_control_of_the_demo_wins(quick: Path, changed: Callable[..., None], run: Run) -> None:
    status = ("demo", "--quick", "--status", "--out", quick)
    assert run(*status).status == 0
    changed("paper", pathological=0.0, dead=0.0, bursting=0.0)
    done = run(*status)
    assert done.status == 1
    assert "control: dead or bursting by the rule of the paper: 0 (n = 1)" in done.out


def test_the_conditions_of_the_demo_are_swapped(
    quick: Path, changed: Callable[..., None], run: Run
) -> None:
    paper, ours = (numbers_of(quick, name) for name in ("paper", "regularised"))
    changed("paper", **ours)
    changed("regularised", **paper)
    assert run("demo", "--quick", "--status", "--out", quick).status == 1


def test_a_silent_network_of_the_demo(quick: Path, changed: Callable[..., None], run: Run) -> None:
    changed("regularised", spikes=0)
    done = run("demo", "--quick", "--status", "--out", quick)
    assert done.status == 1
    assert "silent: regularised, seed 0" in done.out
