"""``bioae neurons``."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bioae.equations import NeuronModel, available, load_neuron

Run = Callable[..., tuple[int, str, str]]


def test_list(run: Run) -> None:
    status, printed, _ = run("neurons", "list")
    assert status == 0
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(available())
    for name, line, more in zip(available(), lines[::2], lines[1::2], strict=True):
        model = load_neuron(name)
        assert line.endswith(model.description)
        assert ("never fires" in more) == (model.threshold is None)
        assert all(parameter in more for parameter in model.trainable)


@pytest.mark.parametrize("name", ["lif", "adex"])
def test_show_prints_a_file_of_the_same_model(name: str, run: Run) -> None:
    status, printed, _ = run("neurons", "show", name)
    assert status == 0
    model = NeuronModel.from_mapping(name, tomllib.loads(printed), where=name)
    assert model == load_neuron(name)
    assert f"# Derived by Brian2, for dt = {model.dt or '1*ms'}" in printed


def test_show_prints_derived_statements(run: Run) -> None:
    status, printed, _ = run("neurons", "show", "lif", "--dt", "2*ms", "--json")
    assert status == 0
    derived = json.loads(printed)["derived"]
    assert derived["update"] == ["bioae_tmp_v = v * bioae_c0", "v = bioae_tmp_v"]
    name, text, value = derived["constants"][0].split(" = ")
    assert (name, text) == ("bioae_c0", "exp(-dt / tau)")
    assert float(value) == pytest.approx(math.exp(-2 / 100), rel=1e-5)
    assert derived["variables"] == ["v : 1"]
    assert derived["parameters"] == ["tau = 0.1 : second", "theta = 1 : 1"]
    assert (derived["fires if"], derived["reset"]) == ("v > theta", ["v = 0"])
    assert (derived["distance"], derived["scale"]) == ("v - theta", "theta = 1")
    assert derived["trainable"] == ["tau from 5*ms to 500*ms", "theta from 0.1 to 10"]
    assert (derived["weight"], derived["parity"]) == ("a weight of 1 adds 1 to v", "exact")


@pytest.mark.medium
def test_check(run: Run, here: Path) -> None:
    (here / "mine.toml").write_text(load_neuron("lif").to_toml(), encoding="utf-8")
    status, printed, _ = run("neurons", "check", "mine.toml")
    assert status == 0
    assert "mine.toml: loads" in printed
    assert "Rheobase: 0.01" in printed
    assert "Warning" not in printed
    assert " 0 of 0 " not in printed
    report = json.loads(run("neurons", "check", "mine.toml", "--json")[1])
    assert report["parity"]["differing"] == 0
    assert report["parity"]["spikes"] > 0


@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "changes", "warning"),
    [
        ("lif", {"-v/tau": "(2*theta - v)/tau"}, "it fires without input, "),
        ("lif", {"-v/tau": "(5 + v**2)*100/tau", "v = 0": "", "exact": "euler"}, "it fires with"),
        ("lif", {'input = "v"': 'input = "v"\nweight = "-1"'}, "it never fires, under no "),
        ("lif", {'input = "v"': 'input = "v"\nweight = "1e-4"'}, "no single spike of up to 1,000 "),
        ("eif", {'"10*ms"': '"0.3*ms"', '"4*ms"': '"0.1*ms"'}, "with steps of 1*ms, the response "),
        ("lif_refractory", {'t_ref = "2*ms"': 't_ref = "0.5*ms"'}, "the refractory time is "),
    ],
)
def test_check_warns_of_unusual_firing_and_long_steps(
    name: str, changes: dict[str, str], warning: str, run: Run, here: Path
) -> None:
    text = load_neuron(name).to_toml()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after, 1)
    (here / "mine.toml").write_text(text, encoding="utf-8")
    report = json.loads(run("neurons", "check", "mine.toml", "--json")[1])
    line, *more = report["warnings"]
    assert not more or "5 + v**2" in text  # no step is short enough for it
    assert line.startswith(warning)
    # Spikes reach theta = 1 in the limit of v = weight*drive*tau, with tau = 100 ms.
    expected = pytest.approx(100, rel=0.03) if warning.startswith("no single") else None
    assert name != "lif" or report["rheobase_per_ms"] == expected


@pytest.mark.medium
def test_check_warns_of_variables_that_nothing_sets(run: Run, here: Path) -> None:
    text = load_neuron("lif").to_toml()
    text = text.replace("-v/tau : 1", "(I + J - v)/tau : 1\nI : 1\nJ : 1").replace(
        'input = "v"', 'input = "I"'
    )
    (here / "mine.toml").write_text(text, encoding="utf-8")
    lines = json.loads(run("neurons", "check", "mine.toml", "--json")[1])["warnings"]
    assert [line for line in lines if "'I' adds up" in line or "sets 'J'" in line] == lines[-2:]


@pytest.mark.medium
def test_check_a_model_that_never_fires(run: Run, here: Path) -> None:
    (here / "mine.toml").write_text(load_neuron("leaky_readout").to_toml(), encoding="utf-8")
    status, printed, _ = run("neurons", "check", "mine.toml")
    assert status == 0
    assert "never fires" in printed
    assert "; 0 of 80,000 states differ between the mirror and Brian2" in printed
    assert "Parity is exact; passed." in printed


def test_all_commands_refuse_a_neuron_model_in_the_same_line(
    refused: Callable[..., str], here: Path, tiny_model: Path, tiny_text: str
) -> None:
    text = load_neuron("lif").to_toml().replace("v > theta", "u > theta")
    (here / "mine.toml").write_text(text, encoding="utf-8")
    training = tiny_text.replace("[network]", '[network]\nneuron = "mine.toml"', 1)
    (here / "run.toml").write_text(training)
    line = refused("neurons", "check", "mine.toml")
    assert line.startswith("mine.toml, threshold: ")
    for command in (
        ("neurons", "show", "mine.toml"),
        ("simulate", tiny_model, "--out", "r.nc", "--target", "numpy", "--neuron", "mine.toml"),
        ("parity", "mine.toml"),
        ("train", "run.toml", "--out", "out"),
    ):
        assert refused(*command).removeprefix("run.toml: ") == line


@pytest.mark.parametrize("name", ["liff", "no.toml", "garbage.toml", "folder.toml"])
def test_a_missing_model(name: str, refused: Callable[..., str], here: Path) -> None:
    (here / "garbage.toml").write_bytes(bytes(range(256)))
    (here / "folder.toml").mkdir()
    assert name in refused("neurons", "show", name)
