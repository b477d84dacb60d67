"""``bioae parity``."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bioae import api
from bioae.cli.simulate import simulate
from bioae.equations import load_neuron
from bioae.simulation.targets import activation
from bioae.trainers import parity as library
from bioae.trainers.parity import comparison

Run = Callable[..., Any]

SMALL = ("--neurons", 10, "--steps", 30, "--examples", 2, "--target", "numpy")
KEYS = {
    "model", "target", "steps", "neurons", "spikes", "active_fraction", "differing", "identical",
    "spike_agreement", "one_step", "max_state_error", "excused", "exact", "self_agreement",
    "chaotic", "passed", "explained", "targets",
}  # fmt: skip


def test_a_neuron_model_as_json(run: Run) -> None:
    done = run("parity", "lif", "--json", *SMALL)
    assert (done.status, done.err) == (0, "")
    report = json.loads(done.out)
    assert report.keys() >= KEYS
    assert report["spikes"] > 0
    assert report["active_fraction"] >= 0.5
    assert (report["differing"], report["identical"], report["spike_agreement"]) == (0, 1.0, 1.0)


@pytest.mark.medium
def test_a_model_whose_last_bits_differ_between_libraries(run: Run) -> None:
    done = run("parity", "eif", *SMALL, "--perturb")
    assert (done.status, done.err) == (0, "")
    assert re.search(r"one_step +1\n", done.out)
    assert re.search(r"self_agreement +1\n", done.out)
    assert re.search(r"required +each step, up to rounding; 0.999 of the spikes", done.out)


def test_a_trained_network(run: Run, tiny_model: Path) -> None:
    done = run("parity", tiny_model, "--examples", 3, "--json", "--target", "numpy")
    assert (done.status, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["differing"], report["one_step"]) == (0, 1.0)
    assert report["spikes"] > 100


def test_a_comparison_that_fails_has_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.Parity, "passed", property(lambda self: False))
    done = run("parity", "lif", *SMALL)
    assert (done.status, done.err) == (1, "")
    assert "FAILED" in done.out


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch, here: Path) -> list[str]:
    """The targets of all comparisons, none of which is compiled."""
    (here / "mine.toml").write_text(load_neuron("lif").to_toml(), encoding="utf-8")
    report = api.parity("lif", neurons=6, steps=20)
    targets: list[str] = []

    def compared(_: object, each: Sequence[str], *__: object, **___: object) -> list[Any]:
        targets.extend(each)
        # The C++ target disagrees, if it is tried.
        failing = {"numpy": 0, "cython": 0, "cpp_standalone": 3}
        return [replace(report, target=name, differing=failing[name]) for name in each]

    monkeypatch.setattr(comparison, "model_parities", compared)
    return targets


@pytest.mark.medium
def test_the_target_of_simulate_is_tried_too(
    run: Run, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation, "check_target", lambda target: target)
    command = ("parity", "lif")
    done = run(*command)
    assert tried == ["numpy", inspect.signature(simulate).parameters["target"].default]
    assert (done.status, done.err) == (1, "")
    assert "Targets tried: numpy, cpp_standalone\n" in done.out
    report = json.loads(run(*command, "--json").out)
    report = report.get("parity", report)
    assert (report["target"], report["targets"]) == ("cpp_standalone", tried[:2])
    assert not report["passed"]
    done = run(*command, "--target", "cython")
    assert tried[4:] == ["cython"]
    assert done.status == 0
    assert "Targets tried: cython\n" in done.out


@pytest.mark.medium
def test_without_a_compiler_only_numpy_is_tried(
    run: Run, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = run("parity", "lif")
    assert tried == ["numpy"]
    assert (done.status, done.err) == (0, "")
    reason = "not cpp_standalone: the target 'cpp_standalone' needs g++ and make"
    assert f"Targets tried: numpy ({reason}, which cannot be found)\n" in done.out


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (("lyf",), "Did you mean 'lif'?"), (("stdp_pai",), "Did you mean 'stdp_pair'?"),
        (("sae-mnst",), "Did you mean sae-mnist"), (("mine.toml",), "mine.toml: "),
        (("run/model",), "run/model: "), (("lif", "--neurons", 1), "--neurons"),
        (("lif", "--examples", 0), "--examples"), (("lif", "--target", "cuda"), "Choose from:"),
        (("lif", "--data", "sample"), "--data: no effect"),
        (("lif", "--neuron", "adex"), "--neuron: no effect"),
    ],
    ids=str,
)  # fmt: skip
def test_refused(arguments: tuple[object, ...], quoted: str, refused: Callable[..., str]) -> None:
    assert quoted in refused("parity", *arguments)


def test_options_without_effect(refused: Callable[..., str], tiny_model: Path) -> None:
    for option in (("--neuron", "adex"), ("--neurons", 10), ("--steps", 5)):
        assert refused("parity", tiny_model, *option).startswith(f"{option[0]}: no effect")
