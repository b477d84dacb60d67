"""``bioae networks``, and names of trained networks in other commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    start = artefact.load(here / "run/start").network
    assert start.sha256 == artefact.load(NAME).network.sha256
