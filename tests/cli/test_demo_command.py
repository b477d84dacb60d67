"""``bioae demo``, made small."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bioae
from bioae.cli import demo
from bioae.networks import artefact
from bioae.trainers import TrainingConfig

Refused = Callable[..., str]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tiny_text: str) -> None:
    """Let the demo train the tiny network."""
    tables = tomllib.loads(f"{tiny_text}\nderivative = 'membrane'\n[regularisers]\nbeta2 = 0.01\n")

    def tiny(name: str) -> dict[str, Any]:
        return tables if name == "regularised" else {**tables, "regularisers": {}}

    monkeypatch.setattr("bioae.cli.demo.recipe", tiny)


@pytest.mark.medium
@pytest.mark.usefixtures("small")
def test_the_whole_job(
    run: Callable[..., Any], refused: Refused, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = here / "bioae-demo"
    earlier = [out / "summary.json", out / "regularised" / "checkpoint.safetensors"]
    earlier[1].parent.mkdir(parents=True)
    for path in (*earlier, earlier[1].with_name("config.toml")):
        path.write_text("mine")
    earlier[1].with_name("metrics.jsonl").write_text("{}\n" * 1000)
    reached: list[int] = []
    shown = nullcontext(SimpleNamespace(reach=reached.append))
    monkeypatch.setattr("bioae.cli.demo.bar", lambda *_, **__: shown)
    command = ("demo", "--limit", 3, "--target", "numpy")
    assert refused(*command).startswith("bioae-demo: the output exists already and was kept")

    done = run(*command, "--json", "--overwrite")
    assert done.status == 0, done
    assert max(reached, default=0) < 1000  # epochs of an earlier run are not counted
    numbers = json.loads(done.out)
    assert (numbers["examples"], numbers["target"], numbers["differing_spikes"]) == (3, "numpy", 0)
    assert numbers["spikes"] > 100
    assert json.loads((out / "summary.json").read_text()) == numbers
    assert {path.name for path in out.iterdir()} == {
        "brian2.nc", "mirror.nc", "paper", "paper.nc", "regularised", "report.html",
        "summary.json", "unregularised", "unregularised.nc",
    }  # fmt: skip
    runs = ("regularised", "unregularised", "paper")
    trained = [artefact.load(out / name / "model") for name in runs]
    assert [each.training["regularisers"] != {} for each in trained] == [True, False, False]
    assert tuple(numbers["networks"]) == runs
    # Side by side or alone, training gives the same weights.
    values = {**demo.recipe("regularised"), "training": trained[0].training["training"]}
    alone = bioae.train(TrainingConfig.from_mapping(values), out=here / "alone").network.weights
    assert all((alone[name] == each).all() for name, each in trained[0].network.weights.items())


def test_refused_before_anything_is_trained(
    refused: Refused, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "file").write_text("mine")
    (here / "more").mkdir()
    (here / "more/paper").write_text("mine")
    for options, quoted in (
        (("--limit", 0), "--limit"),
        (("--limit", 501), "500"),
        (("--epochs", 0), "--epochs"),
        (("--out", "file"), "file"),
        (("--out", "file", "--overwrite"), "expected a folder; found a file"),
        (("--out", "file/out"), "file/out"),
        (("--out", "more", "--overwrite"), "more/paper"),
    ):
        assert quoted in refused("demo", *options, "--target", "numpy")
    monkeypatch.setenv("PATH", str(here))
    assert "--target numpy" in refused("demo")
