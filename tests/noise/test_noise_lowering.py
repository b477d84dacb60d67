"""Random numbers in a model: one per call, or an error."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import builders
import pytest

from bioae.equations import NeuronModel, lower
from bioae.equations.program import TEMPORARY
from bioae.errors import ModelError

NOISY: dict[str, Any] = {
    "description": "Noise in every place.",
    "equations": """
    dv/dt = (w - v)/tau + sigma*sqrt(2/tau)*xi_1 : 1
    dw/dt = -w/tau + sigma*sqrt(2/tau)*(xi_1 + xi_2) : 1
    kick = 0.1*randn() : 1 (constant over dt)
    """,
    "threshold": "v + kick > theta + 0.1*(rand() - 0.5)",
    "reset": "v = 0.1*rand(); w += 0.1*randn()",
    "method": "euler",
    "input": "v",
    "parameters": {"tau": "20*ms", "theta": "1", "sigma": "0.2"},
    "initial": {"v": "0.5*rand()*theta"},
    "surrogate": {"distance": "v - theta", "scale": "theta"},
}


def model(**changes: Any) -> NeuronModel:
    fields = {key: value for key, value in (NOISY | changes).items() if value is not None}
    return builders.model(fields, "noisy")


def test_every_call_has_a_number_and_xi_is_one_call() -> None:
    program = lower(model())
    assert [draw.call for draw in program.draws.values()] == list(range(7))
    kinds = [draw.distribution for draw in program.draws.values()]
    assert kinds == ["normal", "normal", "normal", "uniform", "uniform", "normal", "uniform"]
    assert set(program.random_start) == {"v"}
    statements = (*program.update, *program.prepare, *program.reset)
    code = [statement.value for statement in statements] + [program.threshold, program.initial["v"]]
    named = [
        name for text in code for name in (text.names if text else ()) if name in program.draws
    ]
    assert sorted(named) == sorted(program.draws)
    assert program.reproducible


def test_the_distance_is_read_with_the_thresholds_own_number() -> None:
    program = lower(model(threshold="v > theta", surrogate=None))
    assert "draw" not in f"{program.threshold} {program.distance}"
    random = lower(model(threshold="v + 0.1*randn() > theta", surrogate=None))
    (name,) = (name for name in random.draws if name in str(random.threshold))
    assert random.distance is not None
    assert name in random.distance.text
    assert str(random.scale) == "theta"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reset": "v = poisson(3)"}, ["poisson() is not supported", "xi, rand() or randn()"]),
        ({"equations": "dv/dt = poisson(1)/tau : 1"}, ["not supported", "randn", "'poisson'"]),
        ({"initial": {"v": "poisson(1)"}}, ["poisson() is not supported"]),
        ({"surrogate": {"distance": "v - rand()", "scale": "1"}}, ["[surrogate] distance"]),
        ({"weight": "1 + rand()"}, ["weight"]),
    ],
)
def test_random_numbers_in_the_wrong_place_are_refused(
    changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ModelError) as error:
        lower(model(**changes))
    line = str(error.value)
    assert line.startswith("noisy.toml")
    assert [word for word in words if word not in line] == []


SEVERAL = """
description = "Several noises."
equations = '''
dv/dt = -v/tau + sqrt(2/tau)*xi_b + 0.1*sqrt(2/tau)*xi_a + (late + early)/tau : 1
dw/dt = -w/tau + sqrt(2/tau)*xi_c + xi*sqrt(1/tau) : 1
late = rand() + first : 1 (constant over dt)
first = rand() : 1 (constant over dt)
early = randn() : 1 (constant over dt)
'''
threshold = "v > 1"
reset = "v = 0"
method = "METHOD"
input = "v"
[parameters]
tau = "10*ms"
"""


@pytest.mark.medium
@pytest.mark.parametrize("method", ["heun", pytest.param("euler", marks=pytest.mark.slow)])
def test_the_order_of_draws_does_not_depend_on_the_hash_seed(method: str) -> None:
    text = SEVERAL.replace("METHOD", method)
    code = (
        "import tomllib; from bioae.equations import NeuronModel, lower\n"
        f"fields = tomllib.loads({text!r})\n"
        "program = lower(NeuronModel.from_mapping('several', fields, where='several.toml'))\n"
        "print(*map(str, (*program.prepare, *program.update)), program.draws, sep='\\n')\n"
    )
    programs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert programs[0] == programs[1]
    lines = [line.removeprefix(TEMPORARY) for line in programs[0].splitlines()]
    drawn = [line.partition(" = ")[0] for line in lines if "_draw" in line]
    assert [name for name in drawn if name.startswith("xi")] == ["xi_b", "xi_a", "xi_c", "xi"]
