"""``bioae fit``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bioae

CELL = """
description = "Leaky integrate-and-fire neuron with an injected current."
equations = \"\"\"
dv/dt = (R*I - v)/tau : volt
I : amp
\"\"\"
threshold = "v > 15*mV"
reset = "v = 0*mV"
method = "euler"
input = "v"
weight = "1*mV"

[parameters]
R = "50*Mohm"
tau = "10*ms"
I = "0*nA"

[trainable]
R = ["20*Mohm", "200*Mohm"]
"""


@pytest.fixture
def cell(here: Path) -> str:
    """The file of a neuron model, and next to it a table of its spikes."""
    (here / "cell.toml").write_text(CELL)
    current = np.repeat(np.random.default_rng(0).uniform(0.2, 0.8, 100), 50)
    v, fired = 0.0, []
    for drive in current:
        v += (60.0 * drive - v) * 0.1 / 15
        fired.append(int(v > 15))
        v *= not fired[-1]
    rows = [f"{drive},{each}\n" for drive, each in zip(current, fired, strict=True)]
    (here / "cell.csv").write_text("I_inj,spikes\n" + "".join(rows))
    return "cell.toml"


FILE = ("cell.csv", "--column", "input=I_inj", "--unit", "input=nA", "--dt", "0.1*ms")


@pytest.mark.medium
def test_a_fit_is_scored_and_written(cell: str, run: Callable[..., Any]) -> None:
    free = ("--free", "R,tau=[5*ms,60*ms]", "--starts", 4)
    done = run("fit", cell, *FILE, *free, "--split", "400*ms", "--out", "my.toml", "--json")
    assert (done.status, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["parameters"]["R"]["value"] == pytest.approx(60e6, rel=0.02)
    assert found["parameters"]["tau"]["high"] == 0.06
    assert found["scores"]["test"]["gamma_2ms"] > 0.5
    assert float(bioae.load_neuron("my.toml").parameters["tau"].split("*")[0]) < 0.016
    assert run("parity", "my.toml", "--target", "numpy", "--steps", 50).status == 0
    done = run("fit", "my.toml", *FILE, "--starts", 1, "--report", "fit.html")
    assert (done.status, done.err) == (0, "")
    assert "60" in done.out.split("R ")[1].split("Mohm")[0]
    page = Path("fit.html").read_text(encoding="utf-8")
    assert "1 of 1 starts agree" in page.split("</h1>")[0]
    assert page.count("<figure>") == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--free", "R=[1*Mohm"), "--free"),
        (("--free", "R,R"), "'R'"),
        (("--free", "Q=[1,2]"), "'Q'"),
        (("--free", "R=[1*mV,2*mV]"), "bounds of R"),
        (("--split", "7*second"), "7*second"),
        (("--input", "J"), "'J'"),
        (("--out", "cell.toml"), "cell.toml"),
        (("--known", "gain"), "--known"),
    ],
)
def test_bad_input(cell: str, refused: Callable[..., str], options: Any, named: str) -> None:
    assert named in refused("fit", cell, *FILE, *options)


def test_options_of_tables_for_other_files(cell: str, refused: Callable[..., str]) -> None:
    assert "--dt" in refused("fit", cell, "cell.abf", "--dt", "1*ms")
