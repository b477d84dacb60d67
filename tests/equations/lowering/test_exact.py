"""Exact integration ends in time, and only what SymPy may take long for starts a process."""

from __future__ import annotations

import threading
from typing import Any

import builders
import pytest
from refusals import refused

from bioae.equations import NeuronModel, available, load_neuron
from bioae.equations.declarations import brian2_equations
from bioae.equations.lowering import exact
from bioae.equations.lowering.probing import Probe

RING: dict[str, Any] = {
    "description": "A circle of three.",
    "equations": """
    dx/dt = (a*y - x)/tau_x : 1
    dy/dt = (b*z - y)/tau_y : 1
    dz/dt = (c*x - z)/tau_z : 1
    """,
    "threshold": "x > 1",
    "reset": "x = 0",
    "input": "x",
    "parameters": {
        "a": "0.5", "b": "0.3", "c": "0.2", "tau_x": "10*ms", "tau_y": "20*ms", "tau_z": "30*ms",
    },
}  # fmt: skip


def update(model: NeuronModel) -> list[str]:
    probe = Probe(model, brian2_equations(model))
    return [f"{each.target} = {each.value}" for each in probe.update()]


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(exact.subprocess, "run", fail)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "LIMIT", 1.0)


@pytest.mark.medium
@pytest.mark.parametrize(("method", "key"), [("exact", "method"), (None, "equations")])
def test_three_coupled_equations_end_in_a_line(method: str | None, key: str, short: None) -> None:
    model = builders.model(RING, method=method)
    errors: list[str] = []

    def refuse() -> None:
        with refused(exact.TooSlowError, "3", "1 s", '"rk4"', where=f"mine.toml, {key}") as caught:
            update(model)
        errors.append(str(caught.value))

    refuse()
    # The answer is remembered, in every thread.
    thread = threading.Thread(target=refuse)
    thread.start()
    thread.join()
    assert errors[1:] == errors[:1]


@pytest.mark.parametrize("method", ["exponential_euler", "rk4"])
def test_the_methods_that_the_line_names_work(method: str, no_process: None) -> None:
    assert len(update(builders.model(RING, method=method))) > 5


def test_shipped_models_and_uncoupled_equations_start_no_process(no_process: None) -> None:
    models = [load_neuron(name) for name in available()]
    models = [model for model in models if model.method in ("exact", None)]
    assert len(models) > 5
    uncoupled = "\n".join(f"dx{k}/dt = (1 - x{k})/tau_x : 1" for k in range(4))
    models.append(builders.model(RING, equations=uncoupled, method="exact", input="x0",
                                 threshold="x0 > 1", reset="x0 = 0"))  # fmt: skip
    assert all(update(model) for model in models if "/dt" in model.equations)


@pytest.mark.medium
def test_a_process_gives_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    equations = "dx/dt = (a - E*x)/tau_x : 1\nE : 1 (constant)"  # SymPy has another E
    model = builders.model(RING, method="exact", equations=equations)
    here = update(model)
    monkeypatch.setattr(exact, "_hard", lambda *_: 1)
    asked: list[str] = []
    answer = exact._answer
    monkeypatch.setattr(exact, "_answer", lambda *each: (asked.append(each[0]), answer(*each))[1])
    assert update(model) == here
    assert asked
