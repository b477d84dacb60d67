"""``bioae train``: what it leaves behind, and every way in which it refuses."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bioae
from bioae.cli import train as train_command
from bioae.networks import artefact
from bioae.runs import Report

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


@pytest.mark.medium
def test_a_run(run: Run, here: Path, config: Texts) -> None:
    done = run("train", config(), "--out", "out")
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(r"out/model: epoch [12] of 2, test error [0-9.]+ per image\n", done.out)
    found = sorted(files(here / "out"))
    assert found == [
        ".lock",
        "checkpoint.safetensors",
        "config.toml",
        "metrics.jsonl",
        "model/network.toml",
        "model/weights.safetensors",
        "test.json",
    ]
    loaded = artefact.load(here / "out" / "model")
    assert loaded.training["training"]["epochs"] == 2
    lines = [json.loads(line) for line in (here / "out" / "metrics.jsonl").read_text().splitlines()]
    best = min(lines, key=lambda line: line["validation_sum_squared_error"])
    test = json.loads((here / "out" / "test.json").read_text())
    assert loaded.metrics == best | test
    assert test["epoch"] == best["epoch"]


@pytest.mark.medium
def test_the_metrics_of_the_network_as_json(run: Run, here: Path, config: Texts) -> None:
    done = run("train", config(), "--out", "out", "--json")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out) == artefact.load(here / "out" / "model").metrics


@pytest.mark.medium
def test_resumed_with_more_epochs_it_equals_a_longer_run(
    run: Run, here: Path, config: Texts
) -> None:
    assert run("train", config(), "--out", "out").status == 0
    longer = config("epochs = 2", "epochs = 3")
    assert run("train", longer, "--out", "out", "--resume").status == 0
    assert run("train", longer, "--out", "straight").status == 0
    weights = "model/weights.safetensors"
    assert files(here / "out")[weights] == files(here / "straight")[weights]


@pytest.mark.medium
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


@pytest.mark.medium
def test_an_invalid_configuration_keeps_the_earlier_run(
    run: Run, refused: Refused, config: Texts
) -> None:
    assert run("train", config(), "--out", "out").status == 0
    broken = config("epochs = 2", "epochs = 0", name="broken.toml")
    assert "training.epochs" in refused("train", broken, "--out", "out", "--overwrite")


@pytest.mark.medium
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
        ("epochs = 2", "epochs =", "run.toml: this is not valid TOML: "),
        ('"sample"', '"mnits"', "mnits: unknown data set; "),
        ("train = 50", "train = 0", "data.train does not fit"),
        ("train = 50", "train = 40_000", "there are too few images"),
        ("steps = 5", "steps = 0", "run.toml, network: steps does not fit"),
        ("steps = 5", 'dt = "1*mV"', "run.toml: network, dt: '1*mV' has the wrong unit"),
        ("steps = 5", 'preset = "big"', "unknown network 'big'; expected one of paper, strided"),
        ("steps = 5", 'neuron = "liff"', "run.toml: unknown neuron model 'liff'; "),
        ("28, 28]", "28, 27]", "run.toml, network: the last layer has the shape (1, 28, 27)"),
        ("threads = 1", 'derivative = "box"', "training.derivative.name does not fit"),
        ("threads = 1", 'device = "abacus"', "the device cannot be used"),
        ("threads = 1", "[regularisers]\nbeta3 = 1", "unknown key 'regularisers.beta3'"),
        (
            "threads = 1",
            "[regularisers]\nbeta2 = nan",
            "run.toml: regularisers.beta2 is not finite: expected a finite number, found nan",
        ),
    ],
)
def test_configurations_that_do_not_fit(
    before: str, after: str, said: str, refused: Refused, config: Texts
) -> None:
    assert said in refused("train", config(before, after), "--out", "out")


@pytest.mark.medium
def test_configurations_that_cannot_be_read(refused: Refused, here: Path) -> None:
    (here / "garbage.toml").write_bytes(bytes(range(256)))
    (here / "deep.toml").write_text("x = " + "[" * 100_000)
    for name in ("missing.toml", "garbage.toml", "deep.toml", "."):
        assert refused("train", name, "--out", "out").startswith(f"{name}: ")


@pytest.mark.medium
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


@pytest.mark.medium
def test_nothing_to_resume(run: Run, refused: Refused, config: Texts) -> None:
    line = refused("train", config(), "--out", "out", "--resume")
    assert line == (
        "out/checkpoint.safetensors: there is no checkpoint to resume from. Start the run without "
        "--resume (resume=True)"
    )


@pytest.mark.medium
def test_a_run_is_not_replaced_and_resumed(refused: Refused, config: Texts) -> None:
    line = refused("train", config(), "--out", "out", "--resume", "--overwrite")
    assert line.startswith("--overwrite: no effect, because --resume continues the run")


@pytest.mark.medium
def test_another_configuration_is_not_resumed(run: Run, refused: Refused, config: Texts) -> None:
    assert run("train", config(), "--out", "out").status == 0
    other = config("batch_size = 10", "batch_size = 5", name="other.toml")
    line = refused("train", other, "--out", "out", "--resume")
    assert "the run was started with another training.batch_size; expected 10; found 5" in line


@pytest.mark.medium
def test_a_run_that_diverges_gives_advice(run: Run, config: Texts) -> None:
    done = run("train", config("gain = 4.0", 'gain = 4.0, weight = "1e38"'), "--out", "out")
    assert done.status == 2
    assert "no longer finite" in done.err
    assert "Lower training.learning_rate" in done.err


START = ("--init", "first/model")


@pytest.mark.medium
def test_a_run_starts_from_a_trained_network(run: Run, here: Path, config: Texts) -> None:
    assert run("train", config(), "--out", "first").status == 0
    still = config("epochs = 2", "epochs = 1\nlearning_rate = 1e-30", name="still.toml")
    assert run("train", still, "--out", "second", *START).status == 0
    first, second = (artefact.load(here / name / "model").network for name in ("first", "second"))
    assert first.weights.keys() == second.weights.keys()
    for name, values in first.weights.items():
        assert (second.weights[name] == values).all(), name
    drawn = artefact.load(here / "second" / "start").network
    assert drawn.sha256 == first.sha256


@pytest.mark.medium
def test_the_trained_networks_description_is_taken_where_there_is_none(
    run: Run, here: Path, config: Texts
) -> None:
    assert run("train", config("steps = 5", "steps = 7"), "--out", "first").status == 0
    text = (here / "run.toml").read_text()
    before, _, after = text.partition("[network]")
    described = before + after[after.index("[training]") :]
    (here / "short.toml").write_text(described + 'init = "first/model"\n')
    assert run("train", "short.toml", "--out", "second").status == 0
    network = artefact.load(here / "second" / "model").network
    assert network.config.steps == 7
    assert network.config == artefact.load(here / "first" / "model").network.config


@pytest.mark.medium
@pytest.mark.parametrize("description", ["given", "left out"])
def test_another_neuron_is_trained_and_resumed_to_the_same_bits(
    run: Run, refused: Refused, here: Path, config: Texts, description: str
) -> None:
    assert run("train", config(), "--out", "first").status == 0
    if description == "left out":
        text = (here / "run.toml").read_text()
        start = text.index("[network]")
        (here / "run.toml").write_text(text[:start] + text[text.index("[training]") :])
    swap = (*START, "--neuron", "cuba", "--calibrate", "psp")
    text = (here / "run.toml").read_text() + 'derivative = "arctan"\n'
    for epochs in (1, 2):
        (here / f"{epochs}.toml").write_text(text.replace("epochs = 2", f"epochs = {epochs}"))
    assert run("train", "2.toml", "--out", "straight", *swap).status == 0
    assert run("train", "1.toml", "--out", "resumed", *swap).status == 0
    # A resumed run needs nothing but its folder and its configuration.
    (here / "first").rename(here / "gone")
    other = (*swap[:-1], "none")
    line = refused("train", "2.toml", "--out", "resumed", *other, "--resume")
    assert "the run was started with another training.init.calibrate" in line
    assert run("train", "2.toml", "--out", "resumed", *swap, "--resume").status == 0
    weights = "model/weights.safetensors"
    assert files(here / "resumed")[weights] == files(here / "straight")[weights]
    own = (here / "straight" / "config.toml").read_text().replace("epochs = 2", "epochs = 3")
    (here / "longer.toml").write_text(own)
    assert run("train", "longer.toml", "--out", "straight", "--resume").status == 0
    trained = artefact.load(here / "straight" / "model")
    assert {placed.model.name for placed in trained.network.config.placed} == {"cuba"}
    assert trained.training["training"]["init"] == {
        "model": "first/model",
        "neuron": "cuba",
        "calibrate": "psp",
    }


@pytest.mark.medium
def test_a_run_without_a_start_removes_that_of_the_run_it_replaces(
    run: Run, here: Path, config: Texts
) -> None:
    assert run("train", config(), "--out", "first").status == 0
    assert run("train", config(), "--out", "out", *START).status == 0
    assert (here / "out" / "start").is_dir()
    assert run("train", config(), "--out", "out", "--overwrite").status == 0
    assert not (here / "out" / "start").exists()


@pytest.mark.medium
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"units = 8": "units = 9"}, "the weights 'latent.weight' of the trained network do not"),
        (
            {'latent = "latent"\n': "", 'name = "latent"': 'name = "hidden"'},
            "the trained network has other layers than",
        ),
    ],
)
def test_a_trained_network_of_another_shape_is_refused(
    run: Run, refused: Refused, config: Texts, changes: dict[str, str], said: str
) -> None:
    path = Path(config())
    assert run("train", str(path), "--out", "first").status == 0
    text = path.read_text()
    for before, after in changes.items():
        text = text.replace(before, after)
    path.with_name("other.toml").write_text(text)
    line = refused("train", "other.toml", "--out", "out", *START)
    assert line.startswith("first/model: ")
    assert said in line


@pytest.mark.medium
def test_starts_that_do_not_fit(run: Run, refused: Refused, here: Path, config: Texts) -> None:
    name = config()
    assert "missing" in refused("train", name, "--out", "out", "--init", "missing")
    line = refused("train", name, "--out", "out", "--neuron", "cuba")
    assert "Name one with --init MODEL" in line
    assert run("train", name, "--out", "first").status == 0
    line = refused("train", name, "--out", "out", *START, "--calibrate", "psp")
    assert line.startswith("--calibrate: no effect, because without another neuron model no weigh")
    assert "cubaa" in refused("train", name, "--out", "out", *START, "--neuron", "cubaa")
    line = refused("train", config("threads = 1", 'init = { modell = "x" }'), "--out", "out")
    assert "training.init" in line


@pytest.mark.medium
def test_two_processes_do_not_train_in_one_folder(
    run: Run, start: Callable[..., Any], here: Path, config: Texts
) -> None:
    many = config("epochs = 2", "epochs = 10000")
    first = start("train", many, "--out", "out")
    first.wait_for((here / "out/metrics.jsonl").exists)
    for option in ("--resume", "--overwrite"):
        second = run("train", many, "--out", "out", option)
        assert second.status == 2
        assert second.err == (
            "bioae: error: out: another process trains in this folder. Wait until it has finished, "
            "or end it first\n"
        )
    assert first.running()
    first.interrupt(signal.SIGKILL)
    epochs = len((here / "out/metrics.jsonl").read_text().splitlines())
    few = config("epochs = 2", f"epochs = {epochs + 1}")
    assert run("train", few, "--out", "out", "--resume").status == 0


@pytest.mark.medium
def test_a_lock_alone_is_no_output(run: Run, here: Path, config: Texts) -> None:
    (here / "out").mkdir()
    (here / "out/.lock").touch()  # of a process that was killed before it wrote anything
    assert run("train", config(), "--out", "out").status == 0


@pytest.mark.medium
def test_a_stage_that_cannot_run_leaves_no_folder(
    run: Run, refused: Refused, config: Texts
) -> None:
    stages = "[[training.stages]]\nepochs = 1\n[[training.stages]]\nepochs = 1\n"
    broken = config(
        "epochs = 2\nbatch_size = 10\nthreads = 1",
        f'batch_size = 10\nthreads = 1\n{stages}frozen = ["weight"]',
    )
    line = refused("train", broken, "--out", "out")
    assert line == "training.stages.2nd, frozen: nothing is left to train; found weight"
    assert run("train", config(), "--out", "out").status == 0


@pytest.mark.medium
@pytest.mark.parametrize("single", [True, False])
def test_a_score_of_training_images_is_called_so(
    single: bool, run: Run, here: Path, config: Texts
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    arrays = {"images": pixels} if single else {"images_train": pixels, "images_test": pixels}
    np.savez(here / "mine.npz", **arrays)
    done = run("train", config('"sample"', '"mine.npz"'), "--out", "out")
    assert (done.status, done.err) == (0, "")
    said = " (of training data: the file has one set for both splits)\n"
    assert done.out.endswith(said) == single
    assert json.loads((here / "out/test.json").read_text())["test_seen"] is single
    assert artefact.load(here / "out/model").metrics["test_seen"] is single


@pytest.mark.medium
def test_other_images_are_held_out_than_in_the_training_before(
    run: Run, config: Texts, caplog: pytest.LogCaptureFixture
) -> None:
    assert run("train", config(), "--out", "first").status == 0
    assert run("train", config(), "--out", "same", *START).status == 0
    assert caplog.messages == []
    other = config("threads = 1", "threads = 1\nseed = 3")
    assert run("train", other, "--out", "other", *START).status == 0
    (line,) = caplog.messages
    assert line == (
        "bioae: first/model was trained with training.seed = 0, now it is 3: examples that are "
        "held out for validation may have been trained on"
    )
    assert run("train", other, "--out", "other", *START, "--resume").status == 0
    assert len(caplog.messages) == 1


@pytest.mark.medium
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


@pytest.mark.medium
def test_a_rule_of_ones_own_in_three_commands(run: Run, here: Path) -> None:
    shown = run("synapses", "show", "stdp_postsynaptic", "--window", "window.svg")
    assert shown.status == 0
    (here / "my_rule.toml").write_text(shown.out.replace('x_target = "0.6"', 'x_target = "0.3"'))
    found = run("parity", "my_rule.toml", "--target", "numpy", "--examples", "3", "--neurons", "20")
    assert found.status == 0
    assert found.out.startswith("Parity of my_rule on numpy: passed")
    (here / "learn.toml").write_text(LEARNING)
    done = run("train", "learn.toml", "--rule", "my_rule.toml", "--out", "out")
    assert (done.status, done.err) == (0, "")
    assert "test accuracy by the classes of neurons 0." in done.out
    assert "out/fields.svg, out/weights.svg" in done.out
    assert (here / "out" / "fields.svg").read_text().startswith("<?xml")
    stored = artefact.load(here / "out" / "model").network.config
    assert stored.synapses["my_rule"]["parameters"]["x_target"] == "0.3"
    rule = "--rule", "my_rule.toml"
    again = run("train", "learn.toml", *rule, "--out", "out", "--resume", "--json")
    assert json.loads(again.out)["test_rate_hz_mean"] > 0


@pytest.mark.medium
def test_learning_and_training_do_not_mix(run: Run, here: Path, refused: Refused) -> None:
    (here / "learn.toml").write_text(LEARNING + "[training]\n")
    assert "found both [learning] and [training]" in refused("train", "learn.toml", "--out", "out")
    (here / "learn.toml").write_text(LEARNING)
    line = refused("train", "learn.toml", "--out", "out", "--init", "sae-mnist")
    assert "--init: a network that learns by rules starts from its description" in line
    (here / "run.toml").write_text("[training]\nepochs = 1\n")
    line = refused("train", "run.toml", "--out", "out", "--rule", "oja")
    assert "--rule: this network is trained by gradients" in line
    assert not (here / "out").exists()


@pytest.mark.medium
def test_a_log_has_a_line_for_each_epoch_of_a_long_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = train_command._epochs_in_lines()
    monkeypatch.setattr(train_command, "_QUIET", -1.0)
    for epoch, score in ((3, None), (3, None), (4, 5.25), (5, 4.5)):
        report(Report(epoch, 6, 1, 2, 1.0, score))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [
        "epoch 3 of 6, validation 5.25",
        "epoch 4 of 6, validation 4.5",
    ]
    monkeypatch.setattr(train_command, "_QUIET", 1000.0)
    report(Report(6, 6, 1, 2, 1.0, 4.0))
    assert not capsys.readouterr().err
