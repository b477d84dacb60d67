"""``bioae train``: what it leaves behind, and every way in which it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae import artefact

Run = Callable[..., Any]
Refused = Callable[..., str]
Texts = Callable[..., str]


@pytest.fixture
def config(here: Path, tiny_text: str) -> Callable[..., str]:
    """Write the configuration, with some of its text replaced, and return the file's name."""

    def config(before: str = "", after: str = "", name: str = "run.toml") -> str:
        assert before in tiny_text
        (here / name).write_text(tiny_text.replace(before, after, 1))
        return name

    return config


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_run(run: Run, here: Path, config: Texts) -> None:
    done = run("train", config(), "--out", "out")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("out/model: 2 epochs, held-out error ")
    found = sorted(files(here / "out"))
    assert found == [
        "checkpoint.safetensors",
        "config.toml",
        "metrics.jsonl",
        "model/network.toml",
        "model/weights.safetensors",
    ]
    loaded = artefact.load(here / "out" / "model")
    assert loaded.training["training"]["epochs"] == 2
    assert loaded.metrics["epoch"] == 2


def test_the_last_metrics_as_json(run: Run, here: Path, config: Texts) -> None:
    done = run("train", config(), "--out", "out", "--json")
    assert (done.status, done.err) == (0, "")
    lines = (here / "out" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(done.out) == json.loads(lines[-1])


def test_resumed_with_more_epochs_it_equals_a_longer_run(
    run: Run, here: Path, config: Texts
) -> None:
    assert run("train", config(), "--out", "out").status == 0
    longer = config("epochs = 2", "epochs = 3")
    assert run("train", longer, "--out", "out", "--resume").status == 0
    assert run("train", longer, "--out", "straight").status == 0
    weights = "model/weights.safetensors"
    assert files(here / "out")[weights] == files(here / "straight")[weights]


def test_an_existing_run_is_kept_unless_overwritten(
    run: Run, refused: Refused, here: Path, config: Texts
) -> None:
    out = here / "out"
    out.mkdir()  # an empty folder is no output
    assert run("train", config(), "--out", "out").status == 0
    (out / "notes.txt").write_text("mine")
    before = files(out)
    assert "the output exists already and was kept" in refused("train", config(), "--out", "out")
    other = config("threads = 1", "threads = 1\nseed = 1")
    assert run("train", other, "--out", "out", "--overwrite").status == 0
    after = files(out)
    assert after.keys() == before.keys()
    assert after["notes.txt"] == b"mine"
    assert after["model/weights.safetensors"] != before["model/weights.safetensors"]


def test_a_configuration_that_does_not_fit_leaves_the_run_to_be_replaced_alone(
    run: Run, refused: Refused, config: Texts
) -> None:
    assert run("train", config(), "--out", "out").status == 0
    broken = config("epochs = 2", "epochs = 0", name="broken.toml")
    assert "training.epochs" in refused("train", broken, "--out", "out", "--overwrite")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("epochs", "epoch", "unknown key 'training.epoch'; expected one of epochs, batch_size, "),
        ("[training]", "[trainign]", "unknown key 'trainign'; expected one of data, network, "),
        (
            "epochs = 2",
            "epochs = 0",
            "training.epochs does not fit; expected greater than or equal",
        ),
        ("epochs = 2", "epochs =", "run.toml: not a TOML file: "),
        ('"sample"', '"mnits"', "mnits: unknown data set; "),
        ("train = 40", "train = 0", "data.train does not fit"),
        ("train = 40", "train = 40_000", "there are not that many images"),
        ("steps = 5", "steps = 0", "run.toml, network: steps does not fit"),
        ("steps = 5", 'dt = "1*mV"', "run.toml: network, dt: '1*mV' has the wrong unit"),
        ("steps = 5", 'preset = "big"', "unknown network 'big'; expected one of paper, strided"),
        ("steps = 5", 'neuron = "liff"', "run.toml: unknown neuron model 'liff'; "),
        ("28, 28]", "28, 27]", "run.toml, network: the last layer has the shape (1, 28, 27)"),
        ("threads = 1", 'derivative = "box"', "training.derivative.name does not fit"),
        ("threads = 1", 'device = "abacus"', "the device cannot be used"),
        ("threads = 1", "[regularisers]\nbeta3 = 1", "unknown key 'regularisers.beta3'"),
        ("threads = 1", "[regularisers]\nbeta2 = nan", "regularisers.beta2.coefficient does not"),
    ],
)
def test_configurations_that_do_not_fit(
    before: str, after: str, said: str, refused: Refused, config: Texts
) -> None:
    assert said in refused("train", config(before, after), "--out", "out")


def test_configurations_that_cannot_be_read(refused: Refused, here: Path) -> None:
    (here / "garbage.toml").write_bytes(bytes(range(256)))
    (here / "deep.toml").write_text("x = " + "[" * 100_000)
    for name in ("missing.toml", "garbage.toml", "deep.toml", "."):
        assert refused("train", name, "--out", "out").startswith(f"{name}: ")


def test_outputs_that_cannot_be_written(refused: Refused, here: Path, config: Texts) -> None:
    name = config()
    (here / "file").write_text("mine")
    for out, said in (
        ("file", "the output exists already and was kept"),
        ("file/out", "the output cannot be written"),
        ("/proc/out", "the output cannot be written"),
    ):
        assert refused("train", name, "--out", out).startswith(f"{out}: {said}")
    line = refused("train", name, "--out", "file", "--overwrite")
    assert "expected a folder; found a file" in line


def test_nothing_to_resume(run: Run, refused: Refused, config: Texts) -> None:
    line = refused("train", config(), "--out", "out", "--resume")
    assert line == (
        "out/checkpoint.safetensors: there is no checkpoint to resume from. Start the run without "
        "--resume"
    )


def test_another_configuration_is_not_resumed(run: Run, refused: Refused, config: Texts) -> None:
    assert run("train", config(), "--out", "out").status == 0
    other = config("batch_size = 10", "batch_size = 5", name="other.toml")
    line = refused("train", other, "--out", "out", "--resume")
    assert "the run was started with another training.batch_size; expected 10; found 5" in line


def test_a_run_that_diverges_says_what_to_change(run: Run, config: Texts) -> None:
    done = run("train", config("threads = 1", "learning_rate = 1e30"), "--out", "out")
    assert done.status == 2
    assert "no longer finite" in done.err
    assert "Lower training.learning_rate" in done.err
