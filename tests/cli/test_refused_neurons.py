"""A neuron model that does not fit is refused in one line, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

LIF = """\
description = "Leaky integrate-and-fire."
equations = "dv/dt = -v/tau : 1"
threshold = "v > theta"
reset = "v = 0"
input = "v"
[parameters]
tau = "100*ms"
theta = "1"
"""

CASES = {
    "an unknown key": ('reset = "', 'rest = "', "'rest'"),
    "units of an equation": ("-v/tau", "-v", "equations"),
    "a parameter that is code": ("100*ms", "__import__('os').getpid()", "__import__"),
    "a threshold's unknown variable": ("v > theta", "u > theta", "threshold"),
    "an unknown method": ('input = "v"', 'input = "v"\nmethod = "exakt"', "method"),
    "broken TOML": ("[parameters]", "[parameters", "TOML"),
}


@pytest.mark.medium
def test_the_model_before_its_errors_is_accepted(
    run: Callable[..., tuple[int, str, str]], here: Path, tiny_model: Path
) -> None:
    (here / "mine.toml").write_text(LIF)
    command = ("simulate", tiny_model, "--out", "r.nc", "--limit", 1, "--target", "numpy")
    status, printed, errors = run(*command, "--neuron", "mine.toml")
    assert (status, printed.splitlines()[0], errors) == (0, "r.nc", "")


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_does_not_fit(
    case: str, refused: Callable[..., str], here: Path, tiny_model: Path, tiny_text: str
) -> None:
    before, after, message = CASES[case]
    assert LIF.count(before) == 1
    (here / "mine.toml").write_text(LIF.replace(before, after))
    command = ("simulate", tiny_model, "--out", "r.nc", "--limit", 1, "--target", "numpy")
    line = refused(*command, "--neuron", "mine.toml")
    assert message in line
    assert "mine" in line
    # All commands that take a model say the same.
    assert refused("parity", "mine.toml", "--neurons", 4, "--steps", 5) == line
    assert refused("neurons", "check", "mine.toml") == line
    text = tiny_text.replace("[network]", '[network]\nneuron = "mine.toml"', 1)
    (here / "run.toml").write_text(text)
    assert refused("train", "run.toml", "--out", "out").removeprefix("run.toml: ") == line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("liff", "Did you mean 'lif'?"),
        ("no.toml", "no.toml: "),
        ("garbage.toml", "garbage.toml: "),
        ("folder.toml", "folder.toml: "),
    ],
)
def test_a_missing_model(
    name: str, message: str, refused: Callable[..., str], here: Path, tiny_model: Path
) -> None:
    (here / "garbage.toml").write_bytes(bytes(range(256)))
    (here / "folder.toml").mkdir()
    command = ("simulate", tiny_model, "--out", "r.nc", "--limit", 1, "--target", "numpy")
    assert message in refused(*command, "--neuron", name)
