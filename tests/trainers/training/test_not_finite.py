"""A training step that ends in NaN names the layer, the variable and the function that made it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_run
from mirrors import mirror_of
from refusals import refused
from torch import Tensor

from bioae.errors import NetworkError
from bioae.trainers.mirror import diagnosis
from bioae.trainers.mirror.compiled.build import compiler
from bioae.trainers.mirror.derivatives import FastSigmoid
from bioae.trainers.training.config import TrainingConfig


def config(changes: dict[str, Any], **training: Any) -> TrainingConfig:
    """Only the second layer has a changed model."""
    fields = small_run.config(trainable=[], **training).to_mapping()
    changed = {**small_run.LEAKY, **changes}
    changed["trainable"] = {}
    output = {**small_run.NETWORK["layers"][1], "neuron": "changed"}
    fields["network"] = {
        **small_run.NETWORK,
        "neurons": {"leaky": small_run.LEAKY, "changed": changed},
        "layers": [small_run.NETWORK["layers"][0], output],
    }
    return TrainingConfig.from_mapping(fields)


def complaint(configuration: TrainingConfig, out: Path) -> str:
    problem = small_run.problem(configuration)
    with refused(NetworkError, where="epoch 1, batch 1") as caught:
        small_run.fit(problem, out)
    return str(caught.value)


CASES = [
    ({"equations": "dv/dt = (sqrt(abs(v)) - v)/tau : 1", "method": "euler"}, "sqrt", "v", "root"),
    ({"equations": "dv/dt = (abs(v)**0.5 - v)/tau : 1", "method": "euler"}, "**", "v", "power"),
    ({"reset": "v = 0*log(abs(v - v))"}, "log", "v", "argument above 0"),
    ({"reset": "half = sqrt(v - v)\nv = half"}, "sqrt", "half", "root"),
]


@pytest.mark.medium
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_the_function_that_made_the_first_nan_is_named(
    case: tuple[dict[str, Any], str, str, str], tmp_path: Path
) -> None:
    changes, function, variable, hint = case
    line = complaint(config(changes), tmp_path)
    assert f"layer output, neuron model 'changed', the variable {variable!r}: the " in line
    assert f" of {function!r} in " in line
    assert hint in line


def euler(change: str) -> dict[str, Any]:
    return {"equations": f"dv/dt = ({change} - v)/tau : 1", "method": "euler"}


REFRACTORY = {"equations": "dv/dt = -v/tau : 1 (unless refractory)", "refractory": "1*ms"}
V = "the variable 'v'"
WRITTEN = [
    (euler("sqrt(1 + v*v) + abs(v)**0.5"), "derivative of '**' in", V),
    (euler("(1 + v*v)**0.5 + sqrt(abs(v))"), "derivative of 'sqrt' in", V),
    ({"reset": "v = clip(v, 0, 0)**-1"}, "result of '**' in 'clip(v, 0, 0) ** (-1)'", V),
    ({"reset": "v = v % clip(v, 0, 0)"}, "result of '%' in 'v % clip(v, 0, 0)'", V),
    ({"reset": "v = exprel(800.0 + v)"}, "result of 'exprel' in", V),
    ({"reset": "v = log(v - v - 1.0/(5*ms)*tau)"}, "result of 'log' in 'log(v - v - ", V),
    ({"initial": {"v": "log(rand() - 1)"}}, "result of 'log' in 'log(rand() - 1)'",
     "the initial value of 'v'"),
    (REFRACTORY | {"run_regularly": "v = v + log(randn()**2 - 1000)"},
     "result of 'log' in 'v + log(randn() ** 2 - 1000)'", V),
    ({"threshold": "log(v - 100) > 1"}, "result of 'log' in 'log(v - 100) > 1'", "the threshold"),
    ({"events": {"burst": {"condition": "v > log(-1 - v**2)", "reset": "v = 0"}}},
     "result of 'log' in 'v > log(-1 - v ** 2)'", "the condition of the event 'burst'"),
]  # fmt: skip


@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: case[1])
def test_an_operation_is_named_as_the_model_has_it(case: tuple[dict[str, Any], str, str]) -> None:
    changes, what, place = case
    problem = small_run.problem(config(changes))
    batch = problem.batch(problem.data.train, 0)

    def spikes() -> Tensor:
        return problem.mirror(batch.drive, key=batch.key).layers["output"].spikes.sum()

    culprit = diagnosis.first_not_finite(problem.mirror.layers.values(), spikes)
    assert f"neuron model 'changed', {place}: the {what}" in str(culprit)
    assert "bioae_" not in str(culprit)


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to compile with")
@pytest.mark.medium
def test_a_compiled_step_is_explained_by_the_uncompiled_one(tmp_path: Path) -> None:
    (changes, _, _, hint), *_ = CASES
    problem = small_run.problem(config(changes, compile=True))
    mirror = mirror_of(
        problem.mirror.network, derivative=FastSigmoid(), potentials="last", compile=True
    )
    with refused(NetworkError, "'sqrt'", hint):
        small_run.fit(replace(problem, mirror=mirror), tmp_path)


def test_a_finite_step_is_not_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_Watch", None)
    small_run.fit(small_run.problem(config({}, epochs=1)), tmp_path)
