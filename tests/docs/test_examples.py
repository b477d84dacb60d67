"""Every example runs as described in its first lines, and the demo as on its page."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bioae
from bioae.cli import main
from bioae.networks import artefact
from bioae.simulation.targets.activation import check_target
from bioae.trainers import TrainingConfig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MODEL = "bioae-demo/regularised/model"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", [None, MODEL])
def test_brian2(path: str | None, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built = example("brian2_objects").main(path)
    printed = capsys.readouterr().out
    spikes = built.spikes["latent"]
    assert spikes.num_spikes > 50
    assert set(np.asarray(spikes.bioae_presentation)) == {0, 1, 2}
    assert f"image 0: {int((np.asarray(spikes.bioae_presentation) == 0).sum())} " in printed


def test_brian2_objects_standalone(workplace: Path) -> None:
    check_target("cpp_standalone")
    script = str(EXAMPLES / "brian2_objects.py")
    outputs = [
        subprocess.run(
            [sys.executable, script, MODEL, *options], capture_output=True, text=True, timeout=500,
            check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout
        for options in ([], ["--standalone"])
    ]  # fmt: skip
    assert "latent spikes" in outputs[0]
    assert outputs[0] == outputs[1]


def test_own_neuron(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("own_neuron").main(MODEL)
    printed = capsys.readouterr().out
    assert " spikes, 0 differ" in printed
    assert "from Brian2: 0 spikes" not in printed
    assert printed.count("rate_hz_mean") == 2


def test_firing(workplace: Path, model: bioae.Network, capsys: pytest.CaptureFixture[str]) -> None:
    digits = bioae.datasets.load("sample", "test", limit=3)
    other = bioae.simulate(model.with_neuron("alif"), digits, "numpy")
    bioae.write_result(other, workplace / "alif.nc")
    table = example("firing_statistics").main("result.nc", "alif.nc")
    assert table.sizes["layer"] == 6
    assert float(table["ks_distance"].max()) > 0
    same = example("firing_statistics").main("result.nc", "result.nc")
    assert (float(same["ks_distance"].max()), float(same["wasserstein_hz"].max())) == (0, 0)
    assert "latent" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["learn_digits", "rewire_digits"])
def test_learning_from_digits(name: str, workplace: Path) -> None:
    tables = tomllib.loads(Path(f"examples/{name}.toml").read_text(encoding="utf-8"))
    tables["learning"]["target"] = "numpy"
    learned = bioae.train(tables, out=workplace / name)
    assert (workplace / name / "fields.svg").exists()
    assert learned.summary["test_rate_hz_mean"] > 0
    exchanged = learned.records[-1].get("new_connections", {}).get("hidden.weight", 0)
    assert (exchanged > 0) == (name == "rewire_digits")


def test_classifier(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = example("classifier").main(str(workplace / "classifier"))
    assert result.sizes["example"] == 500
    found = bioae.analysis.accuracy(result)
    # Over six seeds 0.932 with a standard deviation of 0.013.
    assert float(found["accuracy"]) > 0.88
    line = f"{float(found['accuracy']):.3f}, 95 % interval {float(found['low']):.3f}"
    assert f"accuracy in Brian2: {line}" in capsys.readouterr().out
    config = TrainingConfig.read(EXAMPLES / "train_classifier.toml")
    metrics = (workplace / "classifier/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(metrics) == config.training.epochs


def test_the_reader_in_artefact_md_reads_the_weights(workplace: Path, model: bioae.Network) -> None:
    """Compare the arrays that the ten lines of the page read."""
    page = (EXAMPLES.parent / "docs/artefact.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    assert "bioae." not in code
    names: dict[str, dict[str, np.ndarray]] = {}
    exec(code, names)
    read = artefact.load(MODEL).network.weights
    assert names["weights"].keys() == read.keys() == model.weights.keys()
    for name, values in names["weights"].items():
        np.testing.assert_array_equal(values, model.weights[name])


def shape(value: Any) -> Any:
    """Return the keys of nested tables, and the types of their values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value)


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    """It writes the files of its page, in the form of the stored result."""
    check_target("cpp_standalone")
    folder = tmp_path / "bioae-demo"
    assert main(["demo", "--out", str(folder), "--epochs", "1", "--limit", "100"]) == 0
    stored = json.loads((ROOT / "docs/results/demo.json").read_text(encoding="utf-8"))["summary"]
    numbers = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert shape(numbers) == shape(stored)
    assert numbers["spikes"] > 1000
    assert numbers["differing_spikes"] == 0
    for name in ("report.html", "brian2.nc", "mirror.nc", "paper.nc", "regularised/model"):
        assert (folder / name).exists(), name
