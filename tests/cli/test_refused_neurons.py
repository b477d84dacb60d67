"""A neuron model that does not fit is refused in one line, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bioae.equations import available

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
    "an unknown key": ('reset = "', 'rest = "', "unknown key 'rest'; expected one of"),
    "a missing key": ('input = "v"', "", "the key 'input' is missing"),
    "units of an equation": ("-v/tau", "-v", "expected unit hertz"),
    "units of a parameter": ("100*ms", "100*mV", "expected unit hertz"),
    "a parameter without quotes": ('"1"', "1", "parameters.theta does not fit"),
    "a parameter that is code": ("100*ms", "__import__('os').getpid()", "__import__"),
    "an unknown name in a parameter": ("100*ms", "100*msec", "unknown name 'msec'"),
    "a missing parameter": ('tau = "100*ms"', "", "tau"),
    "a threshold's unknown variable": ("v > theta", "u > theta", "threshold"),
    "a reset's unknown variable": ("v = 0", "u = 0", "reset"),
    "an unknown input variable": ('input = "v"', 'input = "x"', "expected one of v"),
    "a weight's unit": ('input = "v"', 'input = "v"\nweight = "1*mV"', "wrong unit"),
    "an unknown method": ('input = "v"', 'input = "v"\nmethod = "exakt"', "method"),
    "GSL": ('input = "v"', 'input = "v"\nmethod = "gsl_rk4"', "mine.toml, method: "),
    "poisson": ("v = 0", "v = poisson(1)", "mine.toml, reset: poisson() is not supported"),
    "units in a floor": ("v = 0", "v = t // (3*ms)", "mine.toml, reset: "),
    "a linked variable": (
        "-v/tau : 1",
        "-v/tau : 1\\nx : 1 (linked)",
        "mine.toml, equations: linked variables are not supported; found x (linked)",
    ),
    "another clock": (
        'input = "v"',
        'input = "v"\nrun_regularly = {code = "v = 0", dt = "10*ms"}',
        "run_regularly: these are statements as text, and `run_every` is their interval",
    ),
    "a method that does not fit": (
        "-v/tau : 1",
        '-v*v/tau : 1"\nmethod = "exact',
        "mine.toml, method: ",
    ),
    "an event's condition": (
        "[parameters]",
        '[events.late]\ncondition = "v"\nreset = "v = 0"\n[parameters]',
        "mine.toml, [events.late] condition: ",
    ),
    "broken TOML": ("[parameters]", "[parameters", "not valid TOML"),
}


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
        ("liff", f"unknown neuron model 'liff'; expected one of {', '.join(available())}"),
        ("liff", "Did you mean 'lif'?"),
        ("no.toml", "no.toml: there is no such neuron model file"),
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
