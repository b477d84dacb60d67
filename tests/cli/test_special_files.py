"""Pipes and devices are refused as inputs and outputs, at once and in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bioae.datasets import load
from bioae.errors import DataError

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


def test_a_checkpoint(refused: Refused, here: Path, places: dict[str, str]) -> None:
    (here / "run").mkdir()
    os.mkfifo(here / "run" / "checkpoint.safetensors")
    line = refused("train", places["CONFIG"], "--out", "run", "--resume")
    assert line.endswith("expected a file or a folder; found a pipe")


@pytest.mark.parametrize("name", ["images-idx3", "labels-idx1"])
def test_files_of_a_data_set(name: str, here: Path) -> None:
    for kind, content in (
        ("images-idx3", "00000803" + "00000001" * 3),
        ("labels-idx1", "00000801" + "00000001"),
    ):
        (here / f"train-{kind}-ubyte").write_bytes(bytes.fromhex(content) + b"x")
    assert len(load(here)) == 1
    (here / f"train-{name}-ubyte").unlink()
    os.mkfifo(here / f"train-{name}-ubyte")
    with pytest.raises(DataError, match="cannot be read: it is a pipe"):
        load(here)


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
