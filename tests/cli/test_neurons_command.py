"""``bioae neurons``."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bioae.equations import NeuronModel, available, load_neuron

NUMPY = ("--target", "numpy")


def test_list(run: Callable[..., tuple[int, str, str]]) -> None:
    status, printed, _ = run("neurons", "list")
    assert status == 0
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(available())
    for name, line, more in zip(available(), lines[::2], lines[1::2], strict=True):
        model = load_neuron(name)
        assert line.endswith(model.description)
        assert ("never fires" in more) == (model.threshold is None)
        assert all(parameter in more for parameter in model.trainable)


def test_list_as_json(run: Callable[..., tuple[int, str, str]]) -> None:
    entries = json.loads(run("neurons", "list", "--json")[1])
    actual = {entry.pop("name"): entry for entry in entries}
    assert list(actual) == list(available())
    for name, entry in actual.items():
        assert NeuronModel.from_mapping(name, entry, where=name) == load_neuron(name)


@pytest.mark.parametrize("name", ["lif", "adex"])
def test_show_prints_a_file_of_the_same_model(
    name: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    status, printed, _ = run("neurons", "show", name)
    assert status == 0
    model = NeuronModel.from_mapping(name, tomllib.loads(printed), where=name)
    assert model == load_neuron(name)
    assert f"# Derived by Brian2, for dt = {model.dt or '1*ms'}" in printed


def test_show_prints_derived_statements(run: Callable[..., tuple[int, str, str]]) -> None:
    status, printed, _ = run("neurons", "show", "lif", "--dt", "2*ms", "--json")
    assert status == 0
    derived = json.loads(printed)["derived"]
    assert derived["update"] == ["bioae_tmp_v = v * bioae_c0", "v = bioae_tmp_v"]
    name, text, value = derived["constants"][0].split(" = ")
    assert (name, text) == ("bioae_c0", "exp(-dt / tau)")
    assert float(value) == pytest.approx(math.exp(-2 / 100), rel=1e-5)
    assert derived["variables"] == ["v : 1"]
    assert derived["parameters"] == ["tau = 0.1 : second", "theta = 1 : 1"]
    assert derived["fires if"] == "v > theta"
    assert derived["reset"] == ["v = 0"]
    assert (derived["distance"], derived["scale"]) == ("v - theta", "theta = 1")
    assert derived["trainable"] == ["tau from 5*ms to 500*ms", "theta from 0.1 to 10"]
    assert derived["weight"] == "a weight of 1 adds 1 to v"
    assert derived["parity"] == "exact"


def test_show_prints_events_and_the_reason_of_inexact_parity(
    run: Callable[..., tuple[int, str, str]], here: Path
) -> None:
    fields = load_neuron("lif").to_mapping()
    fields |= {
        "equations": f"{fields['equations']}\nu : 1",
        "threshold": "v > theta and not u > 2",
        "run_regularly": "u *= 0.99",
        "events": {"late": {"condition": "v > theta/2", "reset": "u += 0.1*tanh(v)"}},
    }
    model = NeuronModel.from_mapping("mine", fields, where="mine")
    (here / "mine.toml").write_text(model.to_toml(), encoding="utf-8")
    derived = json.loads(run("neurons", "show", "mine.toml", "--json")[1])["derived"]
    assert derived["in each step"] == ["u *= 0.99"]
    assert derived["events"] == ["late if v > bioae_c1", "  u += 0.1 * tanh(v)"]
    assert derived["distance"] == "minimum((v - theta) / theta, (2 - u) / 2)"
    assert derived["scale"] == "1"
    assert derived["parity"].endswith("functions of the state: tanh")


@pytest.mark.medium
def test_check(run: Callable[..., tuple[int, str, str]], here: Path) -> None:
    (here / "mine.toml").write_text(load_neuron("lif").to_toml(), encoding="utf-8")
    status, printed, _ = run("neurons", "check", "mine.toml", *NUMPY)
    assert status == 0
    assert "mine.toml: loads" in printed
    assert " 0 of 0 " not in printed
    report = json.loads(run("neurons", "check", "mine.toml", "--json", *NUMPY)[1])
    assert report["parity"]["differing"] == 0
    assert report["parity"]["spikes"] > 0


@pytest.mark.medium
@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        ("-v/tau", "(2*theta - v)/tau", "it fires without input, "),
        ('input = "v"', 'input = "v"\nweight = "-1"', "it never fires, under no constant drive "),
        ('input = "v"', 'input = "v"\nweight = "1e-4"', "no single spike of up to 1,000 network "),
        ("", "", None),
    ],
)
def test_check_warns_of_unusual_firing(
    before: str, after: str, warning: str | None, run: Callable[..., tuple[int, str, str]],
    here: Path,
) -> None:  # fmt: skip
    text = load_neuron("lif").to_toml()
    assert before in text
    (here / "mine.toml").write_text(text.replace(before, after, 1), encoding="utf-8")
    _, printed, _ = run("neurons", "check", "mine.toml", *NUMPY)
    lines = [line for line in printed.splitlines() if line.startswith("Warning: ")]
    assert len(lines) == (warning is not None)
    assert warning is None or lines[0].startswith(f"Warning: {warning}")
    report = json.loads(run("neurons", "check", "mine.toml", "--json", *NUMPY)[1])
    assert [f"Warning: {line}" for line in report["warnings"]] == lines
    # Spikes reach theta = 1 in the limit of v = weight*drive*tau, with tau = 100 ms.
    if warning is None or warning.startswith("no single"):
        assert "Rheobase: " in printed
        expected = 0.01 if warning is None else 100
        assert report["rheobase_per_ms"] == pytest.approx(expected, rel=0.03)
    else:
        assert "Rheobase: " not in printed
        assert report["rheobase_per_ms"] is None


@pytest.mark.medium
def test_check_a_model_that_never_fires(
    run: Callable[..., tuple[int, str, str]], here: Path
) -> None:
    (here / "mine.toml").write_text(load_neuron("leaky_readout").to_toml(), encoding="utf-8")
    status, printed, _ = run("neurons", "check", "mine.toml", *NUMPY)
    assert status == 0
    assert "never fires" in printed
    assert "; 0 of 80,000 states differ between the mirror and Brian2" in printed
    report = json.loads(run("neurons", "check", "mine.toml", "--json", *NUMPY)[1])
    assert report["parity"]["silent"]
    assert report["parity"]["active_fraction"] >= 0.5
    assert report["class"] == "exact"


def test_a_file_that_does_not_fit_is_refused(refused: Callable[..., str], here: Path) -> None:
    text = load_neuron("lif").to_toml().replace("v > theta", "u > theta")
    (here / "mine.toml").write_text(text, encoding="utf-8")
    line = refused("neurons", "check", "mine.toml")
    assert line.startswith("mine.toml, threshold: ")
    assert refused("neurons", "show", "mine.toml") == line
