"""Pipes and devices are refused as inputs and outputs, at once and in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Refused = Callable[..., str]

SIMULATE = ("--target", "numpy", "--limit", 1)

#: The arguments of each command that reads the pipe `{}`.
INPUTS = {
    "a model": ("simulate", "{}", "--out", "r.nc", *SIMULATE),
    "a neuron model": ("simulate", "MODEL", "--neuron", "{}.toml", "--out", "r.nc", *SIMULATE),
    "images": ("simulate", "MODEL", "--data", "{}", "--out", "r.nc", "--target", "numpy"),
    "an array of images": ("simulate", "MODEL", "--data", "{}.npz", "--out", "r.nc", *SIMULATE),
    "a result": ("analyze", "{}", "--out", "out"),
    "a configuration": ("train", "{}.toml", "--out", "out"),
    "a start": ("train", "CONFIG", "--init", "{}", "--out", "out"),
    "a model to compare": ("parity", "./{}"),
    "a neuron model to check": ("neurons", "check", "{}.toml"),
}


@pytest.fixture
def places(here: Path, tiny_model: Path) -> dict[str, str]:
    for suffix in ("", ".toml", ".npz"):
        os.mkfifo(here / f"pipe{suffix}")
    config = Path(__file__).with_name("tiny.toml")
    return {"MODEL": str(tiny_model), "CONFIG": str(config)}


@pytest.mark.parametrize("case", INPUTS)
def test_inputs(case: str, refused: Refused, places: dict[str, str]) -> None:
    arguments = [places.get(str(each), str(each).format("pipe")) for each in INPUTS[case]]
    assert "pipe" in refused(*arguments)


@pytest.mark.parametrize("out", ["/dev/null", "pipe"])
def test_outputs(out: str, refused: Refused, here: Path, places: dict[str, str]) -> None:
    before = os.lstat(here / out)
    for command in (
        ("simulate", places["MODEL"], *SIMULATE),
        ("train", places["CONFIG"]),
        ("analyze", "r.nc"),
    ):
        for more in ((), ("--overwrite",)):
            line = refused(*command, "--out", out, *more)
            assert "cannot be written" in line or "of another kind" in line
    assert os.lstat(here / out).st_ino == before.st_ino
