"""Less common parts of the language: a network gives the same bits on both sides."""

from __future__ import annotations

import tomllib
from typing import Any

import builders
import numpy as np
import pytest
from builders import LEAKY
from refusals import place, refused
from stepping import begun

from bioae import parity
from bioae.equations import NeuronModel, lower
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.stepping import Stepper
from bioae.errors import ModelError
from bioae.simulation.backend import Target

DEFAULTS: dict[str, Any] = {**LEAKY, "method": None, "weight": "0.3"}

NOISE = """
equations = '''
dv/dt = (level - v)/tau + 0.05*xi_1/tau**0.5 + 0.05*xi_2/tau**0.5 : 1 (unless refractory)
level = 0.2*common + own : 1
common = rand() - 0.5 : 1 (shared, constant over dt)
own = 0.1*randn() : 1 (constant over dt)
walk : 1 (shared)
bias : 1 (shared)
k : integer
'''
run_regularly = '''
walk = 0.9*walk + 0.1*randn()
v += 0.01*randn()
'''
threshold = "v > 1 + 0.1*walk + 0.1*rand() + 0.1*bias"
refractory = "(1 + 3*rand())*ms"
method = "euler"
[events.jolt]
condition = "rand() < 0.1"
reset = "k = 5*rand(); v = v + 0.1*k*randn() - 0.02"
[parameters]
tau = "20*ms"
[initial]
v = "0.5*rand()"
bias = "rand()"
settle = "5*ms"
"""

EVENTS = """
equations = '''
dv/dt = (u - v)/tau : 1 (unless refractory)
u : 1
x = 0.1*v : 1 (constant over dt)
rhythm = 0.01*t/ms : 1 (shared, constant over dt)
tired : boolean
k : integer
level : 1 (shared)
'''
run_regularly = '''
level = t/(100*ms) - rhythm
k = (k + 1)*int(k < 6)
'''
threshold = "(v > 1 + level and not tired) or u > 0.9 and v > 0.2"
refractory = "2*ms"
[events.rising]
condition = "v > 0.5 + x and k < 3"
reset = "u = 0.25*u + 0.5*u + 0.2 - 0.1*level; tired = not tired"
[parameters]
tau = "20*ms"
"""

UNSETTLED = NOISE.replace('settle = "5*ms"', "")
assert UNSETTLED != NOISE

FOR_ALL = 'threshold = "t > 5*ms"'


def model_of(text: str) -> NeuronModel:
    return builders.model(DEFAULTS | tomllib.loads(text))


def assert_parity(model: NeuronModel, target: Target = "numpy") -> None:
    result = parity(model, target=target, neurons=12, steps=50, examples=3)
    assert result.spikes > 0
    assert result.active_fraction >= 0.5
    assert (result.differing, result.max_state_error) == (0, 0.0)


@pytest.mark.medium
@pytest.mark.parametrize(
    "text", [NOISE, UNSETTLED, EVENTS, FOR_ALL], ids=["noise", "unsettled", "events", "for all"]
)
def test_networks_agree(text: str) -> None:
    assert_parity(model_of(text))


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cython", "cpp_standalone"])
@pytest.mark.parametrize("text", [NOISE, EVENTS], ids=["noise", "events"])
def test_compiled_networks_agree(text: str, target: Target) -> None:
    assert_parity(model_of(text), target)


def test_shared_noise_is_the_same_for_all_neurons_and_other_noise_is_not() -> None:
    draws = lower(model_of(NOISE)).draws.values()
    assert {draw.shared for draw in draws} == {True, False}
    assert sum(draw.shared for draw in draws) == 3  # common, walk, bias
    assert len({draw.call for draw in draws}) == len(draws)


NAMES = ["E", "S", "Q", "O", "N_", "I", "C", "beta", "gamma", "zeta", "sum", "w", "lastupdate"]
NAMES += ["delay", "x_pre_", "spike", "drive", "event", "_".join("abc")]


@pytest.mark.parametrize("method", ["exact", "exponential_euler"])
@pytest.mark.parametrize("name", NAMES)
def test_a_variable_may_have_any_name(name: str, method: str) -> None:
    """It relaxes to its rest as exp(-t/tau), and a spike moves it by the weight."""
    fields = {
        **DEFAULTS, "equations": f"d{name}/dt = (rest_{name} - {name})/tau : 1", "input": name,
        "threshold": f"{name} > 1", "reset": f"{name} = 0", "method": method,
        "parameters": {"tau": "20*ms", f"rest_{name}": "0.5"},
    }  # fmt: skip
    program = lower(builders.model(fields))
    stepper = Stepper(program, array_functions(np))
    values = begun(program) | {name: np.array([0.9]), "bioae_input": 1.0}
    stepper.update(values)
    np.testing.assert_allclose(values[name], 0.5 + 0.4 * np.exp(-1 / 20), rtol=1e-14)
    stepper.receive(values)
    np.testing.assert_allclose(values[name], 0.8 + 0.4 * np.exp(-1 / 20), rtol=1e-14)
    assert stepper.condition(values).all()


REFUSED: list[tuple[str, str, str]] = [
    ('run_regularly = {code = "v = 0", dt = "10*ms"}', "", "'code'"),
    ('run_every = "10*ms"', "", ""),
    ('run_regularly = "v = 0"\nrun_every = "1*mV"', "run_every", "'1*mV'"),
    ('run_regularly = "v = 0"\nrun_every = "rand()*ms"', "run_every", "'rand()'"),
    ('run_regularly = "v = 0"\nrun_every = "-1*ms"', "run_every", "-1*ms"),
    ('[events.spike]\ncondition = "v > 1"\nreset = "v = 0"', "", "'spike'"),
    ('[events.late]\ncondition = "v > 1"', "", "'events.late.reset'"),
    ('[events.late]\ncondition = "v"\nreset = "v = 0"', "[events.late] condition", "'v'"),
    (
        '[events.late]\ncondition = "v > 1*mV"\nreset = "v = 0"',
        "[events.late] condition",
        "'1 * mV'",
    ),
    ('[events.late]\ncondition = "v > 1"\nreset = "u = 0"', "[events.late] reset", "'u'"),
    ('[events.late]\ncondition = "v > 1"\nreset = "g = 0"', "[events.late] reset", "'g'"),
    (
        '[events.late]\ncondition = "poisson(1) > 1"\nreset = "v = 0"',
        "[events.late] condition",
        "rand() < p",
    ),
    ('run_regularly = "tau = 1*ms"', "run_regularly", "'tau'"),
    ('run_regularly = "v += 1; g = 1"', "run_regularly", "'g'"),
    ('run_regularly = "v = 1*mV"', "run_regularly", "'1 * mV'"),
    ('run_regularly = "v = u"', "run_regularly", "'u'"),
    ('run_regularly = "x = 2*v; g = x"', "run_regularly", "'x'"),
    ('run_regularly = " "', "", ""),
    ('equations = "dv/dt = -v/tau : 1 (shared)"', "equations", "v (shared)"),
]


@pytest.mark.parametrize(("text", "where", "name"), REFUSED)
def test_refused(text: str, where: str, name: str) -> None:
    fields = {"equations": "dv/dt = -v/tau : 1\ng : 1 (shared)", **tomllib.loads(text)}
    with refused(ModelError, name, where=place("mine.toml", where)):
        lower(builders.model(DEFAULTS | fields))
