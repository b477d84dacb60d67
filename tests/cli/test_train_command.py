"""``bioae train``: what it leaves behind, and every way in which it refuses."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bioae
from bioae.cli.epochs import shown_progress
from bioae.networks import artefact
from bioae.runs import Report

Run = Callable[..., Any]
Refused = Callable[..., str]
Texts = Callable[..., str]

pytestmark = pytest.mark.medium
WEIGHTS = "model/weights.safetensors"
START = ("--init", "first/model")


@pytest.fixture
def config(here: Path, tiny_text: str) -> Callable[..., str]:
    """Write the configuration, with some of its text replaced, and return the file's name."""

    def config(*changes: str, name: str = "run.toml") -> str:
        text = tiny_text
        for before, after in zip(changes[::2], changes[1::2], strict=True):
            assert before in text
            text = text.replace(before, after, 1)
        (here / name).write_text(text)
        return name

    return config


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_run(run: Run, here: Path, config: Texts) -> None:
    (here / "out").mkdir()
    (here / "out/.lock").touch()  # of a process that was killed before it wrote anything
    done = run("train", config(), "--out", "out")
    assert (done.status, done.err) == (0, "")
    line = r"selected epoch [12] of 2, test error [0-9.]+ per image \(mean training image .+\)\n"
    assert re.fullmatch(f"out/model: {line}", done.out)
    assert sorted(files(here / "out")) == [
        ".lock", "checkpoint.safetensors", "config.toml", "metrics.jsonl", "model/network.toml",
        WEIGHTS, "test.json",
    ]  # fmt: skip
    loaded = artefact.load(here / "out" / "model")
    assert loaded.training["training"]["epochs"] == 2
    lines = [json.loads(line) for line in (here / "out" / "metrics.jsonl").read_text().splitlines()]
    best = min(lines, key=lambda line: line["validation_sum_squared_error"])
    test = json.loads((here / "out" / "test.json").read_text())
    assert loaded.metrics == best | test
    assert (test["epoch"], test["test_seen"]) == (best["epoch"], False)
    again = run("train", config(), "--out", "out", "--resume", "--json")
    assert json.loads(again.out) == loaded.metrics


def test_an_existing_run_is_kept_unless_overwritten(
    run: Run, refused: Refused, first: Path, config: Texts
) -> None:
    (first / "notes.txt").write_text("mine")
    before = files(first)
    assert "the output exists already and was kept" in refused("train", config(), "--out", "first")
    other = config("threads = 1", "threads = 1\nseed = 1")
    assert run("train", other, "--out", "first", "--overwrite").status == 0
    after = files(first)
    assert (after.keys(), after["notes.txt"]) == (before.keys(), b"mine")
    assert after[WEIGHTS] != before[WEIGHTS]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("epochs", "epoch", "unknown key 'training.epoch'; expected one of epochs, batch_size, "),
        ("[training]", "[trainign]", "unknown key 'trainign'; expected one of data, network, "),
        ("epochs = 2", "epochs =", "run.toml: this is not valid TOML: "),
        ('"sample"', '"mnits"', "mnits: unknown data set; "),
        ("train = 50", "train = 40_000", "there are too few images"),
        ("steps = 5", "steps = 0", "run.toml, network: steps does not fit"),
        ("steps = 5", 'neuron = "liff"', "run.toml: unknown neuron model 'liff'; "),
        ("28, 28]", "28, 27]", "run.toml, network: the last layer "),
        ("threads = 1", 'device = "abacus"', "the device cannot be used"),
        ("threads = 1", "[regularisers]\nbeta2 = nan", "regularisers.beta2"),
    ],
)
def test_configurations_that_do_not_fit(
    before: str, after: str, said: str, refused: Refused, config: Texts
) -> None:
    assert said in refused("train", config(before, after), "--out", "out")


@pytest.mark.usefixtures("first")
def test_files_and_options_that_do_not_fit(refused: Refused, here: Path, config: Texts) -> None:
    name, broken = config(), config("epochs = 2", "epochs = 0", name="broken.toml")
    other = config("batch_size = 10", "batch_size = 5", name="other.toml")
    wider = config("units = 8", "units = 9", name="wider.toml")
    renamed = config('latent = "latent"\n', "", '"latent"', '"hidden"', name="renamed.toml")
    (here / "garbage.toml").write_bytes(bytes(range(256)))
    (here / "file").write_text("mine")
    cases: list[tuple[str, tuple[str, ...], str]] = [
        *((each, ("--out", "out"), f"{each}: ")
          for each in ("missing.toml", "garbage.toml", ".")),
        (name, ("--out", "file"), "file: the output exists already and was kept"),
        (name, ("--out", "file", "--overwrite"), "expected a folder; found a file"),
        (name, ("--out", "file/out"), "file/out: the output cannot be written"),
        (name, ("--out", "/proc/out"), "/proc/out: the output cannot be written"),
        (broken, ("--out", "first", "--overwrite"), "training.epochs"),
        (name, ("--out", "first", "--resume", "--overwrite"), "--overwrite: no effect, because "),
        (other, ("--out", "first", "--resume"), "another training.batch_size; expected 10; found"),
        (name, ("--out", "out", "--init", "missing"), "missing"),
        (name, ("--out", "out", "--neuron", "cuba"), "Name one with --init MODEL"),
        (name, ("--out", "out", *START, "--calibrate", "psp"), "--calibrate: no effect, because "),
        (name, ("--out", "out", *START, "--neuron", "cubaa"), "cubaa"),
        (wider, ("--out", "out", *START), "first/model: the weights 'latent.weight' of "),
        (renamed, ("--out", "out", *START), "first/model: the trained network has other layers "),
    ]  # fmt: skip
    for each, options, said in cases:
        assert said in refused("train", each, *options)


def test_a_run_starts_from_a_trained_network(
    run: Run, first: Path, here: Path, config: Texts
) -> None:
    still = config("epochs = 2", "epochs = 1\nlearning_rate = 1e-30")
    assert run("train", still, "--out", "second", *START).status == 0
    start = artefact.load(first / "model").network
    assert artefact.load(here / "second" / "model").network.sha256 == start.sha256
    assert artefact.load(here / "second" / "start").network.sha256 == start.sha256
    assert run("train", still, "--out", "second", "--overwrite").status == 0
    assert not (here / "second" / "start").exists()


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("described", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_another_neuron_is_trained_and_resumed_to_the_same_bits(
    described: bool, run: Run, refused: Refused, here: Path, config: Texts
) -> None:
    swap = (*START, "--neuron", "cuba", "--calibrate", "psp")
    text = Path(config()).read_text() + 'derivative = "arctan"\n'
    if not described:
        text = text[: text.index("[network]")] + text[text.index("[training]") :]
    for epochs in (1, 2):
        (here / f"{epochs}.toml").write_text(text.replace("epochs = 2", f"epochs = {epochs}"))
    assert run("train", "2.toml", "--out", "straight", *swap).status == 0
    assert run("train", "1.toml", "--out", "resumed", *swap).status == 0
    # A resumed run needs nothing but its folder and its configuration.
    (here / "first").rename(here / "gone")
    line = refused("train", "2.toml", "--out", "resumed", *swap[:-1], "none", "--resume")
    assert "the run was started with another training.init.calibrate" in line
    assert run("train", "2.toml", "--out", "resumed", *swap, "--resume").status == 0
    assert files(here / "resumed")[WEIGHTS] == files(here / "straight")[WEIGHTS]
    own = (here / "straight" / "config.toml").read_text().replace("epochs = 2", "epochs = 3")
    (here / "longer.toml").write_text(own)
    assert run("train", "longer.toml", "--out", "straight", "--resume").status == 0
    trained = artefact.load(here / "straight" / "model")
    assert {placed.model.name for placed in trained.network.config.placed} == {"cuba"}
    assert trained.network.config.steps == 5  # as in the network from which it starts
    init = {
        "model": "first/model", "neuron": "cuba", "calibrate": "psp", "copy_parameters": True
    }  # fmt: skip
    assert trained.training["training"]["init"] == init


def test_two_processes_do_not_train_in_one_folder(
    run: Run, start: Callable[..., Any], here: Path, config: Texts
) -> None:
    many = config("epochs = 2", "epochs = 10000")
    first = start("train", many, "--out", "out")
    first.wait_for((here / "out/metrics.jsonl").exists)
    for option in ("--resume", "--overwrite"):
        second = run("train", many, "--out", "out", option)
        assert second.status == 2
        assert second.err.startswith("bioae: error: out: another process trains in this folder. ")
    assert first.running()
    first.interrupt(signal.SIGKILL)
    epochs = len((here / "out/metrics.jsonl").read_text().splitlines())
    few = config("epochs = 2", f"epochs = {epochs + 1}")
    assert run("train", few, "--out", "out", "--resume").status == 0


def test_a_score_of_training_images_is_called_so(run: Run, here: Path, config: Texts) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    np.savez(here / "mine.npz", images=pixels)
    done = run("train", config('"sample"', '"mine.npz"'), "--out", "out")
    assert (done.status, done.err) == (0, "")
    assert " (of training data: the file has one set for both splits)" in done.out
    assert json.loads((here / "out/test.json").read_text())["test_seen"] is True
    assert artefact.load(here / "out/model").metrics["test_seen"] is True


@pytest.mark.usefixtures("first")
def test_other_images_are_held_out_than_in_the_training_before(
    run: Run, config: Texts, caplog: pytest.LogCaptureFixture
) -> None:
    assert run("train", config(), "--out", "same", *START).status == 0
    assert not any("was trained with" in line for line in caplog.messages)
    other = config("threads = 1", "threads = 1\nseed = 3")
    for options in ((), ("--resume",)):
        assert run("train", other, "--out", "other", *START, *options).status == 0
        (line,) = (each for each in caplog.messages if "was trained with" in each)
        assert "was trained with training.seed = 0, now it is 3: " in line


def test_progress_has_the_score_of_the_last_epoch(here: Path, config: Texts) -> None:
    seen: list[Report] = []
    bioae.train(Path(config()), out=here / "out", progress=seen.append)
    lines = [json.loads(line) for line in (here / "out/metrics.jsonl").read_text().splitlines()]
    scores = {report.epoch: report.score for report in seen}
    assert seen[0].score is None
    first, second = (line["validation_sum_squared_error"] for line in lines)
    assert scores == {1: first, 2: second}  # after the last update of each


LEARNING = """
[data]
train = 40
test = 20

[network]
steps = 10
decoder = { kind = "count" }
task = { kind = "representation", outputs = 4 }

[[network.layers]]
kind = "dense"
name = "hidden"
units = 4
weight = "0.05"
initial = [0.0, 0.3]

[learning]
target = "numpy"
checkpoint = 20
"""


def test_a_rule_of_ones_own_in_three_commands(run: Run, here: Path) -> None:
    shown = run("synapses", "show", "stdp_postsynaptic", "--window", "window.svg")
    assert shown.status == 0
    (here / "my_rule.toml").write_text(shown.out.replace('x_target = "0.6"', 'x_target = "0.3"'))
    found = run("parity", "my_rule.toml", "--target", "numpy", "--examples", "3", "--neurons", "20")
    assert found.status == 0
    assert found.out.startswith("Parity of my_rule on numpy: passed")
    (here / "learn.toml").write_text(LEARNING)
    command = ("train", "learn.toml", "--rule", "my_rule.toml", "--out", "out")
    done = run(*command)
    assert (done.status, done.err) == (0, "")
    assert "test accuracy by the classes of neurons 0." in done.out
    assert "out/fields.svg, out/weights.svg" in done.out
    assert (here / "out" / "fields.svg").read_text().startswith("<?xml")
    stored = artefact.load(here / "out" / "model").network.config
    assert stored.synapses["my_rule"]["parameters"]["x_target"] == "0.3"
    assert json.loads(run(*command, "--resume", "--json").out)["test_rate_hz_mean"] > 0


def test_learning_and_training_do_not_mix(here: Path, refused: Refused) -> None:
    for text, options, said in (
        (LEARNING + "[training]\n", (), "found both [learning] and [training]"),
        (LEARNING, ("--init", "sae-mnist"), "--init: a network that learns by rules starts from "),
        ("[training]\nepochs = 1\n", ("--rule", "oja"), "--rule: this network is trained by grad"),
    ):
        (here / "run.toml").write_text(text)
        assert said in refused("train", "run.toml", "--out", "out", *options)


@pytest.mark.parametrize("speed", [1, 100])
def test_a_log_of_a_long_run_foretells_its_end_and_has_its_last_epoch(
    speed: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([each / speed for each in (0.0, 5.0, 16.0, 17.0, 20.0, 28.0)])
    monkeypatch.setattr("bioae.cli.epochs.time", SimpleNamespace(monotonic=lambda: next(now)))
    monkeypatch.setattr("bioae.cli.epochs._QUIET", 10.0)
    report = shown_progress()
    for epoch, done, score in ((1, 1, None), (1, 2, None), (1, 3, None), (1, 5, 5.0), (2, 10, 4.5)):
        report(Report(epoch, 2, done, 10, 1.0, score))
    lines = ["8 presentations left, about 88 s", "epoch 2 of 2, validation 4.5, 28 s"]
    assert capsys.readouterr().err.splitlines() == (lines if speed == 1 else [])
