"""``bioae parity``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.trainers import parity as library
from bioae.trainers.parity import comparison

Run = Callable[..., Any]

SMALL = ("--neurons", 10, "--steps", 30, "--examples", 2)
KEYS = {
    "model", "target", "steps", "neurons", "spikes", "active_fraction", "differing", "identical",
    "spike_agreement", "one_step", "max_state_error", "excused", "exact", "self_agreement",
    "chaotic", "passed",
}  # fmt: skip


def test_a_neuron_model_as_json(run: Run) -> None:
    done = run("parity", "lif", "--json", *SMALL)
    assert (done.status, done.err) == (0, "")
    report = json.loads(done.out)
    assert report.keys() >= KEYS
    assert report["spikes"] > 0
    assert report["active_fraction"] >= 0.5
    assert (report["differing"], report["identical"], report["spike_agreement"]) == (0, 1.0, 1.0)


def test_a_neuron_model_for_people(run: Run) -> None:
    done = run("parity", "lif", *SMALL)
    assert (done.status, done.err) == (0, "")
    assert "differing (neuron, step) pairs: 0\n" in done.out
    assert "passed" in done.out


def test_a_model_whose_last_bits_differ_between_libraries(run: Run) -> None:
    done = run("parity", "eif", *SMALL, "--perturb")
    assert (done.status, done.err) == (0, "")
    assert "agreement step by step: 1, 0 within rounding\n" in done.out
    assert "Brian2 with itself, perturbed: 1, not chaotic\n" in done.out
    required = "equal step by step, up to rounding in libraries, and 0.999 of the spikes; passed"
    assert f"required: {required}\n" in done.out


def test_a_chaotic_model_is_called_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_self_agreement", lambda *_, **__: 0.5)
    done = run("parity", "eif", *SMALL, "--perturb")
    assert (done.status, done.err) == (0, "")
    assert "Brian2 with itself, perturbed: 0.5, chaotic\n" in done.out
    assert "required: equal step by step, up to rounding in libraries; passed\n" in done.out


def test_a_model_that_never_fires(run: Run) -> None:
    done = run("parity", "leaky_readout", *SMALL)
    assert (done.status, done.err) == (0, "")
    assert "it never fires, so states are compared" in done.out
    assert "passed" in done.out


def test_a_trained_network(run: Run, tiny_model: Path) -> None:
    done = run("parity", tiny_model, "--examples", 3, "--json")
    assert (done.status, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["differing"], report["one_step"]) == (0, 1.0)
    assert report["spikes"] > 100


def test_a_comparison_that_fails_has_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.Parity, "passed", property(lambda self: False))
    done = run("parity", "lif", *SMALL)
    assert (done.status, done.err) == (1, "")
    assert "FAILED" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lyf",), "Did you mean 'lif'?"),
        (("run/model",), "run/model: there is no trained network"),
        (("model.zip",), "model.zip: there is no trained network"),
        (("lif", "--neurons", 1), 'Invalid value "1" for --neurons. Must be >= 2.'),
        (("lif", "--steps", 1), 'Invalid value "1" for --steps. Must be >= 2.'),
        (("lif", "--examples", 0), 'Invalid value "0" for --examples. Must be >= 1.'),
        (("lif", "--target", "cuda"), "Choose from:"),
    ],
    ids=str,
)
def test_refused(arguments: tuple[object, ...], said: str, refused: Callable[..., str]) -> None:
    assert said in refused("parity", *arguments)
