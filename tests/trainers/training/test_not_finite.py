"""A training step that ends in NaN names the layer, the variable and the function that made it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bioae.errors import NetworkError
from bioae.trainers.mirror import NetworkMirror, diagnosis
from bioae.trainers.mirror.compiled.build import compiler
from bioae.trainers.mirror.derivatives import FastSigmoid
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.loop import fit


def config(small_run: ModuleType, changes: dict[str, Any], **training: Any) -> TrainingConfig:
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


def complaint(small_run: ModuleType, configuration: TrainingConfig, out: Path) -> str:
    problem = small_run.problem(configuration)
    with pytest.raises(NetworkError, match="no longer finite") as caught:
        fit(problem, out)
    return str(caught.value)


CASES = [
    ({"equations": "dv/dt = (sqrt(abs(v)) - v)/tau : 1", "method": "euler"}, "sqrt", "v", "root"),
    ({"equations": "dv/dt = (abs(v)**0.5 - v)/tau : 1", "method": "euler"}, "**", "v", "power"),
    ({"reset": "v = 0*log(abs(v - v))"}, "log", "v", "argument above 0"),
    ({"reset": "half = sqrt(v - v)\nv = half"}, "sqrt", "half", "root"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_the_function_that_made_the_first_nan_is_named(
    small_run: ModuleType, case: tuple[dict[str, Any], str, str, str], tmp_path: Path
) -> None:
    changes, function, variable, mend = case
    line = complaint(small_run, config(small_run, changes), tmp_path)
    assert line.startswith("epoch 1, batch 1: the ")
    assert f"layer output, neuron model 'changed', the variable {variable!r}: the " in line
    assert f" of {function!r} in " in line
    assert mend in line


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to compile with")
def test_a_compiled_step_is_explained_by_the_uncompiled_one(
    small_run: ModuleType, tmp_path: Path
) -> None:
    (changes, _, _, mend), *_ = CASES
    configuration = config(small_run, changes, compile=True)
    problem = small_run.problem(configuration)
    mirror = NetworkMirror(
        problem.mirror.network, derivative=FastSigmoid(), potentials="last", compile=True
    )
    with pytest.raises(NetworkError, match=f"the derivative of 'sqrt' in .*{mend}"):
        fit(replace(problem, mirror=mirror), tmp_path)


def test_a_finite_step_looks_at_no_operation(
    small_run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "_Watch", None)
    fit(small_run.problem(config(small_run, {}, epochs=1)), tmp_path)
