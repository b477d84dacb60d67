"""``bioae networks`` and ``bioae synapses``, and names of trained networks in other commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.equations import available_synapses, load_synapse
from bioae.networks import artefact, trained
from bioae.networks.trained.cards import FOLDER

Run = Callable[..., Any]
Refused = Callable[..., str]

NAME = "sae-mnist"


def test_list(run: Run) -> None:
    done = run("networks", "list")
    assert (done.status, done.err) == (0, "")
    head, *lines = done.out.splitlines()
    assert head.split() == ["name", "data", "task", "latent", "test", "rate/step", "size"]
    assert [line.split()[0] for line in lines] == list(trained.available())
    assert all(len(line) <= 80 for line in (head, *lines))
    card = trained.card(NAME)
    (line,) = (line for line in lines if line.startswith(f"{NAME} "))
    assert f"error {card.test.value:.3g} " in line
    assert f" {card.rate_per_step_mean:.3f} " in line
    assert line.endswith(" kB")


def test_show(run: Run) -> None:
    done = run("networks", "show", NAME)
    assert (done.status, done.err) == (0, "")
    *lines, place = done.out.splitlines()
    assert Path(place) == FOLDER / NAME
    assert all(len(line) <= 80 for line in lines)
    card, network = trained.card(NAME), artefact.load(NAME).network
    text = " ".join(done.out.split())
    for part in (card.title, *card.limits, card.licence, card.data.licence, card.training.command):
        assert part in text
    assert f"{card.training.presentations:,} presentations" in text
    for placed in network.config.placed:
        (line,) = (line for line in lines if line.startswith(f"{placed.name} "))
        assert placed.model.name in line


@pytest.mark.parametrize(
    "command",
    [
        ("networks", "show", "sae-mnits"),
        ("simulate", "sae-mnits", "--out", "r.nc", "--target", "numpy"),
        ("parity", "sae-mnits", "--target", "numpy"),
        ("train", "config.toml", "--init", "sae-mnits", "--out", "run"),
    ],
    ids=" ".join,
)
def test_an_unknown_name_is_refused(
    command: tuple[str, ...], refused: Refused, here: Path, tiny_text: str
) -> None:
    (here / "config.toml").write_text(tiny_text, encoding="utf-8")
    line = refused(*command)
    assert line.startswith("sae-mnits: there is no trained network of this name; expected ")
    assert "Did you mean sae-mnist" in line


@pytest.mark.medium
@pytest.mark.parametrize("option", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_train_from_a_name(option: bool, run: Run, here: Path) -> None:
    text = "[data]\ntrain = 12\nvalidation = 4\ntest = 2\n[training]\nepochs = 1\nthreads = 1\n"
    text += "" if option else f'init = "{NAME}"\n'
    (here / "config.toml").write_text(text, encoding="utf-8")
    arguments = ("--init", NAME) if option else ()
    done = run("train", "config.toml", "--out", "run", *arguments)
    assert (done.status, done.err) == (0, "")
    assert artefact.load(here / "run/start").network.sha256 == artefact.load(NAME).network.sha256


MINE = """
description = "A rule of my own."
[pre]
equations = "dx/dt = -x/tau : 1"
on_spike  = "x += 1"
[synapse]
on_post = "w = clip(w + 0.01*x_pre, 0, 1)"
[parameters]
tau = "15*ms"
"""


@pytest.fixture
def mine(here: Path) -> str:
    (here / "mine.toml").write_text(MINE)
    return "mine.toml"


def test_the_list_names_every_model(run: Run) -> None:
    shown = run("synapses", "list")
    assert all(f"{name} " in shown.out for name in available_synapses())
    listed = json.loads(run("synapses", "list", "--json").out)
    assert {each["name"] for each in listed} == set(available_synapses())


def test_a_model_is_shown_as_a_file_with_its_window(run: Run, mine: str, here: Path) -> None:
    shown = run("synapses", "show", mine, "--window", "window.svg")
    assert shown.status == 0, shown
    assert re.search(r"# on_post +bioae_on_post_1 = clip\(", shown.out)
    assert re.search(r"# parity +exact", shown.out)
    assert "change of the weight" in (here / "window.svg").read_text()
    (here / "again.toml").write_text(shown.out)
    assert load_synapse(here / "again.toml").to_mapping() == load_synapse(here / mine).to_mapping()
    assert json.loads(run("synapses", "show", mine, "--json").out)["derived"]["on_pre"] == []


@pytest.mark.medium
def test_parity_of_a_rule(run: Run, mine: str) -> None:
    small = ("--target", "numpy", "--neurons", 10, "--steps", 30, "--examples", 3)
    done = run("parity", mine, *small)
    assert done.status == 0, done
    assert re.search(r"differing_weights +0\n", done.out)
    report = json.loads(
        run("parity", "stdp_pair", "--neuron", "lif_refractory", *small, "--json").out
    )
    assert (report["differing"], report["differing_weights"], report["exact"]) == (0, 0, True)
    assert report["neuron"] == "lif_refractory"
    assert report["spikes"] > 10
    assert report["changed"] > 0.2
    assert report["passed"]


def test_bad_input_is_refused(refused: Refused, mine: str, here: Path) -> None:
    assert "Did you mean 'stdp_pair'?" in refused("synapses", "show", "stdp_pairs")
    (here / "bad.toml").write_text(MINE.replace("x_pre", "x"))
    for command in (("synapses", "show"), ("parity", "--target", "numpy")):
        assert "expected x_pre" in refused(*command, "bad.toml")
    for option in ("--data", "--split", "--perturb"):
        more = () if option == "--perturb" else ("test",)
        assert option in refused("parity", mine, option, *more)
    for options in (("--levels", 1), ("--levels", "many"), ("--write-noise", 1.0),
                    ("--largest", 1.0), ("--overwrite",)):  # fmt: skip
        assert options[0] in refused("synapses", "show", mine, *options)


def test_a_refused_picture_does_not_keep_the_rule_back(run: Run, mine: str, here: Path) -> None:
    """With `> FILE`, nothing on the standard output would empty the file."""
    (here / "window.svg").write_text("mine")
    for window, line in (("window.xyz", "format of a figure"), ("window.svg", "exists already")):
        done = run("synapses", "show", mine, "--window", window)
        assert done.status == 2
        assert line in done.err
        assert "on_post" in done.out
    assert (here / "window.svg").read_text() == "mine"
