"""``bioae synapses``, and ``bioae parity`` of a learning rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.equations import available_synapses, load_synapse

Run = Callable[..., Any]
Refused = Callable[..., str]

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
    derived = json.loads(run("synapses", "show", mine, "--json").out)["derived"]
    assert derived["on_pre"] == []


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
