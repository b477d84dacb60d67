"""Lowered statements, run by NumPy in a plain loop, against Brian2 running the text."""

from __future__ import annotations

import tomllib
from typing import Any

import brian2
import builders
import numpy as np
import pytest
from builders import LEAKY
from numpy.typing import NDArray
from stepping import begun

from bioae import parity
from bioae.equations import NeuronModel, available, load_neuron, lower
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.declarations import parameter_values
from bioae.equations.quantities import evaluate, physical_constants

Array = NDArray[Any]

N = 24
#: Steps of a model that needs finer steps than a millisecond, and of any other.
FINE_STEPS, STEPS = 200, 100
DEFAULTS: dict[str, Any] = {**LEAKY, "method": None, "weight": "0.3"}

CASES = {
    "refractory time": """
equations = "dv/dt = -v/tau : 1 (unless refractory)"
threshold = "v > theta"
refractory = "3*ms"
parameters = {tau = "20*ms", theta = "1"}
""",
    "refractory time that each spike draws out": """
equations = '''
dv/dt = -v/tau : 1 (unless refractory)
da/dt = -a/tau_a : 1
rest : second
'''
reset = '''
v = 0
a += 1
rest = (1 + a)*ms
'''
refractory = "rest"
parameters = {tau = "20*ms", tau_a = "50*ms"}
""",
    "refractory time of each neuron": """
equations = '''
dv/dt = (drive - v)/tau : 1 (unless refractory)
rest : second (constant)
'''
reset = "v = -0.1*i/N"
refractory = "rest + 1*ms"
parameters = {tau = "20*ms", drive = "0.5", rest = "2*ms"}
""",
    "refractory condition": """
threshold = "v > theta"
reset = ""
refractory = "v > theta/2"
weight = "0.4"
parameters = {tau = "10*ms", theta = "1"}
""",
    "time since the last spike": """
equations = "dv/dt = (exp(-(t - lastspike)/tau) - v)/tau : 1"
refractory = "t - lastspike < 3.5*ms"
method = "euler"
weight = "0.5"
parameters = {tau = "10*ms"}
""",
    "subexpressions": """
equations = '''
dv/dt = -leak : 1
leak = v*rate : Hz
rate = (1 + boost**2)/tau : Hz
boost = clip(a, -1, 1)/2 : 1
rhythm = 0.1*sin(2*pi*40*Hz*t) : 1 (shared, constant over dt)
held = 0.25*a : 1 (constant over dt)
da/dt = -a/tau_a : 1
'''
threshold = "v > 1 + held + rhythm"
reset = '''
v = held
a += 1
'''
method = "euler"
weight = "0.4"
parameters = {tau = "20*ms", tau_a = "80*ms"}
surrogate = {distance = "v - 1 - held - rhythm", scale = "1"}
""",
    "integers and booleans": """
equations = '''
dv/dt = -v/tau : 1
count : integer
up : boolean
odd = count % 2 == 1 : boolean
theta : 1 (constant)
'''
threshold = "v > theta*(1 + int(count > 3)) and not (odd and up)"
reset = '''
count += 1; up = not up
v = 0.25*int(up) - v/4
count = count*int(count < 9)  # a comment; with a semicolon
'''
parameters = {tau = "30*ms", theta = "0.9"}
surrogate = {distance = "v - theta", scale = "theta"}
""",
    "operators": """
equations = '''
dv/dt = -(v + +b)/tau : 1
b = 0.01*(i // 3 % 4) - 2**-5*(i % 5) : 1
k : integer
'''
threshold = "not v <= theta or (v >= 3*theta and i != 2)"
reset = '''
half = v/2
half *= 0.5
v -= half
v /= -2.0
v %= 1
k += i//7
k -= 1
'''
parameters = {tau = "30*ms", theta = "1"}
surrogate = {distance = "v - theta", scale = "theta"}
""",
    "sums and products that Brian2 rewrites": """
equations = '''
dv/dt = -v/tau : 1
da/dt = -a/tau : 1
'''
reset = '''
v = 0.1*theta - theta + v - 0.3*a - 0.7
v = v*0.3*0.7
v = v/3
v -= a - theta/7 - 0.1
a = 0.9*a + 0.1*a + 0.3*theta
'''
parameters = {tau = "20*ms", theta = "0.1"}
""",
    "refractoriness in the model's own hands": """
equations = '''
dv/dt = -v/tau*(1 - 0.5*int(not_refractory)) : 1 (unless refractory)
dx/dt = (0.1*int(not_refractory) - x)/tau : 1
since = clip(t - lastspike, 0*ms, 30*ms)/tau : 1
'''
threshold = "v > 1 + 0.2/(1 + since) and not_refractory"
reset = '''
v = 0.1*since
not_refractory = x > 0.04
lastspike = t - 1*ms
'''
refractory = "5*ms"
method = "euler"
""",
    "custom events": """
equations = '''
dv/dt = -v/tau : 1 (unless refractory)
u : 1
count : integer
'''
threshold = "v > 1 + u"
refractory = "2*ms"
[events.b_early]
condition = "v > 0.6 and t > 10*ms"
reset = "u = u*0.5 + 0.1*v; count += 1"
[events.a_late]
condition = "count > 5"
reset = '''
count = 0
v = 0.05 - 0.2*u + v - 0.1
u -= 0.01
'''
""",
    "statements in each step": """
equations = '''
dv/dt = (u - v)/tau : 1 (unless refractory)
u : 1
level : 1 (shared)
k : integer
'''
run_regularly = '''
level = 0.1*sin(2*pi*30*Hz*t)
half = 0.5*u
u = half + level*0.3
k = (k + 1) % 7
v = v - 0.01*u - 0.002
'''
threshold = "v > 1 + 0.1*(k // 3) + level"
refractory = "1.5*ms"
""",
    "a threshold of Boolean variables": """
equations = '''
dv/dt = -v/tau : 1
near = v > 0.7 : boolean
over = near and not v <= level : boolean
tired : boolean
level = 1 + 0.1*int(tired) : 1
'''
threshold = "over"
run_regularly = "tired = i % 2 == 0 and not tired"
""",
    "constants of nature, and infinity": """
equations = '''
dv/dt = (E_K - v)/tau : volt
E_K = gas_constant*T/faraday_constant*log(ratio) : volt
T = zero_celsius + 36*kelvin : kelvin
'''
threshold = "v > -60*mV and v < inf*mV"
reset = "v = E_K + e*pi*mV"
method = "euler"
weight = "9*mV"
parameters = {tau = "20*ms", ratio = "4/130"}
initial = {v = "-80*mV"}
""",
    "every function": """
equations = '''
dv/dt = (drive - v)/tau : 1
bound = clip(v, -0.9, 0.9) : 1
a = arcsin(bound) + arccos(bound) + arctan(v) + cosh(bound) + sinh(bound) + tan(bound) : 1
b = exp(-v) + expm1(v) + exprel(v) + log(2 + bound) + log10(2 + bound) + log1p(1 + bound) : 1
c = sqrt(1 + v*v) + tanh(v) + sign(v)*abs(v) + ceil(v) + floor(v) + cos(v) + sin(v) : 1
d = int(v) + int(v > 0) + clip(v, 0, 1) + 0.001*timestep(t, dt) : 1
drive = 0.02*(a + b + c + d) : 1
'''
threshold = "v > 1.5"
method = "euler"
""",
    "remainders, integers and crossed bounds": """
equations = '''
dv/dt = (0.2*(v % 0.3) + 0.05*(-v // 0.1) - v + 0.2*clip(v, bound, 0.5))/tau : 1
bound : 1
n : integer
m : integer
'''
threshold = "v > 1 + 0.3*int(t % (5*ms) < 2*ms) - 0.1*(n % -3) and (n/10 <= 0.7 or n // 3 % 2 == 0)"
reset = '''
bound = (bound + 0.4) % 1.1
v = 0.3*(n/7) % 0.7 - int(bound > 0.5)/3
n += 1 + m % 2
m = n*n // (m + 1)
'''
method = "euler"
weight = "0.4"
initial = {n = "i"}
""",
    "functions in conditions": """
threshold = "expm1(v) > 0.5*exprel(v) + log1p(clip(v, 0, 1))"
reset = "v = 0.1*int(log1p(v) > 0.6)"
""",
    "constant integers and conditions": """
equations = '''
dv/dt = (drive*k/7 - v)/tau : 1
k : integer (constant)
open : boolean (constant)
was : boolean
drive : 1 (constant)
'''
threshold = "v > 1 + (k % 2)/3 and (open or was)"
reset = "v = 0.3*open/3; was = open"
weight = "0.4"
parameters = {tau = "20*ms", k = "3", open = "1", drive = "0.5"}
""",
    "soft threshold below zero": """
equations = "dv/dt = (rest - v)/tau : 1"
threshold = "theta < v"
reset = "v += rest - theta"
parameters = {tau = "20*ms", rest = "-2", theta = "-1"}
initial = {v = "rest"}
""",
}

#: Methods of integration, the first in `make test`, and all in `make test-all`.
METHODS: dict[str, list[str | None]] = {
    "refractory time": ["exact", "linear", "euler", "exponential_euler", "rk2", "rk4", "heun"],
    "soft threshold below zero": ["independent"], "cuba": ["exact", "exponential_euler", "rk2"],
    "coba": ["exponential_euler", "euler", "rk4"], "adex": ["euler", "rk2", "milstein"],
    "qif": ["euler", "rk4"],
}  # fmt: skip


def model_of(case: str, method: str | None = None) -> NeuronModel:
    if case in available():
        model = load_neuron(case)
        return model if method is None else model.model_copy(update={"method": method})
    changes = {} if method is None else {"method": method}
    return builders.model(DEFAULTS | tomllib.loads(CASES[case]) | changes)


# Noise of our own is not Brian2's; see the tests of noise.
SHIPPED = [name for name in available() if load_neuron(name).threshold and "noisy" not in name]
#: A case of each construct in `make test`, of each shipped model and method in `make test-all`.
EVERY = [
    pytest.param(name, method, marks=pytest.mark.medium if first else pytest.mark.slow)
    for name in dict.fromkeys((*CASES, *METHODS, *SHIPPED))
    for place, method in enumerate(METHODS.get(name, [None]))
    for first in [place == 0 and name in {*CASES, *METHODS}]
]


def drive_of(steps: int) -> Array:
    """Return the input of each step (step, neuron): sums of a few weights, on a dyadic grid."""
    random = np.random.default_rng(0)
    events = random.random((steps, N)) < np.linspace(0.2, 0.9, N)
    return np.asarray(np.where(events, random.integers(512, 4096, (steps, N)) / 1024, 0.0))


def inhibition_of(arriving: Array) -> Array:
    """Return the inhibition of a step, for a model with a separate variable for it."""
    return np.roll(arriving, 1) / 16


def run_statements(model: NeuronModel, drive: Array, dt: float = 1e-3) -> dict[str, Array]:
    """Return every state at the end of each step (step, neuron), and ``_fired``."""
    program = lower(model)
    values = begun(program, dt=dt, n=drive.shape[1])
    stepper = Stepper(program, array_functions(np))
    recorded: dict[str, list[Array]] = {name: [] for name in (*program.states, "_fired")}
    with np.errstate(all="ignore"):
        for step, arriving in enumerate(drive):
            values["t"] = np.asarray(step * dt)
            stepper.prepare(values)
            stepper.update(values)
            values["_fired"] = stepper.condition(values)
            stepper.on_spike(values)
            stepper.watch(values)
            values["bioae_input"], values["bioae_inhibition"] = arriving, inhibition_of(arriving)
            stepper.receive(values)
            stepper.reset(values)
            stepper.respond(values)
            for name, kept in recorded.items():
                kept.append(np.broadcast_to(values[name], arriving.shape).copy())
    return {name: np.array(kept) for name, kept in recorded.items()}


def run_brian2(model: NeuronModel, drive: Array, dt: float = 1e-3) -> dict[str, Array]:
    """Return the same from a plain `NeuronGroup` of the user's text."""
    brian2.start_scope()
    values = parameter_values(model)
    weight = evaluate(model.weight, {**values, "dt": dt * brian2.second}, where="weight")
    rows = brian2.TimedArray(drive, dt=dt * brian2.second)
    inhibition = brian2.TimedArray(
        np.array([inhibition_of(row) for row in drive]), dt=dt * brian2.second
    )
    group = brian2.NeuronGroup(
        drive.shape[1],
        model.equations,
        threshold=model.threshold,
        reset=(model.reset or "").replace("# a comment; with a semicolon", ""),
        refractory=model.refractory or False,
        events={name: event.condition for name, event in model.events.items()},
        namespace={
            **physical_constants(),
            **values,
            "bioae_rows": rows,
            "bioae_inhibition": inhibition,
            "bioae_weight": weight,
        },
        dt=dt * brian2.second,
        **({"method": model.method} if model.method else {}),
    )
    for name in values.keys() & group.equations.names:
        setattr(group, name, values[name])
    for name in lower(model).initial:
        setattr(group, name, model.initial[name])
    if model.settle is not None:
        program = lower(model)
        start = Start(program, dt, drive.shape[1]).state(default_parameters(program))
        for name, settled in start.items():
            group.variables[name].set_value(settled)
    for name, event in model.events.items():
        group.run_on_event(name, event.reset)
    if model.run_regularly is not None:
        group.run_regularly(model.run_regularly)
    code = f"{model.input} += bioae_rows(t, i)*bioae_weight"
    if model.inhibition is not None:
        code += f"\n{model.inhibition} += bioae_inhibition(t, i)*bioae_weight"
    group.run_regularly(code, when="synapses")
    names = list(lower(model).states)
    states = brian2.StateMonitor(group, names, record=True, when="end", dt=dt * brian2.second)
    spikes = brian2.SpikeMonitor(group)
    with np.errstate(all="ignore"):  # a value that a refractory neuron skips may be 0/0
        brian2.Network(group, states, spikes).run(len(drive) * dt * brian2.second, namespace={})
    fired = np.zeros(drive.shape, dtype=bool)
    fired[np.rint(np.asarray(spikes.t) / dt).astype(int), np.asarray(spikes.i)] = True
    result = {
        name: np.broadcast_to(np.asarray(getattr(states, name)).T, drive.shape) for name in names
    }
    return {**result, "_fired": fired}


@pytest.fixture(autouse=True)
def plain_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    monkeypatch.setitem(brian2.prefs, "codegen.loop_invariant_optimisations", False)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("subexpressions", {}),
        ("integers and booleans", {}),
        ("operators", {}),
        ("constant integers and conditions", {}),
        ("functions in conditions", {"initial": {"v": "0.3*expm1(rand()) + 0.2*exprel(randn())"
                                                      " + 0.1*log1p(rand()) + rand() % 0.3"}}),
    ],
)  # fmt: skip
def test_networks_of_unusual_models_agree_on_both_sides(case: str, changes: dict[str, Any]) -> None:
    fields = DEFAULTS | tomllib.loads(CASES[case]) | changes
    result = parity(builders.model(fields), neurons=16, steps=60, examples=2)
    assert result.active_fraction >= 0.5
    assert result.passed


@pytest.mark.parametrize(("case", "method"), EVERY)
def test_every_state_and_spike_is_brian2s(case: str, method: str | None) -> None:
    model = model_of(case, method)
    drive = drive_of(STEPS if model.dt is None else FINE_STEPS)
    dt = float(evaluate(model.dt or "1*ms", where="dt"))
    ours, theirs = run_statements(model, drive, dt), run_brian2(model, drive, dt)
    fired = theirs["_fired"]
    assert fired.any(axis=0).mean() >= 0.5
    assert not fired.all(axis=0).any()
    np.testing.assert_array_equal(ours["_fired"], fired)
    for name in lower(model).states:
        np.testing.assert_array_equal(ours[name], theirs[name].astype(ours[name].dtype), name)
