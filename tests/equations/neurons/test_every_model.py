"""Requirements on every shipped model: a source, sensible bounds, a rest, finite numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from stepping import simulate

from bioae.equations import NeuronModel, available, load_neuron, lower
from bioae.equations.declarations import parameter_values
from bioae.equations.quantities import evaluate, time_in_seconds

MODELS = available()
FIRING = tuple(name for name in MODELS if load_neuron(name).threshold is not None)
#: Those that draw random numbers; lowering all models takes seconds.
NOISY = {"noisy_lif"}


def time_steps(model: NeuronModel) -> list[float]:
    """Return 0.1 ms and 1 ms, as far as the model allows them."""
    largest = time_in_seconds(model.dt, where=model.name) if model.dt else np.inf
    return [dt for dt in (1e-4, 1e-3) if dt <= largest * (1 + 1e-9)]


@pytest.mark.medium
def test_there_is_a_library() -> None:
    assert len(MODELS) >= 20
    assert len(FIRING) >= 19
    assert {name for name in MODELS if lower(load_neuron(name)).draws} == NOISY


@pytest.mark.parametrize("name", MODELS)
def test_a_file_has_a_description_and_a_reference(name: str) -> None:
    model = load_neuron(name)
    assert re.fullmatch(r"[A-Z].{20,170}\.", model.description)
    assert re.search(r"\b(19|20)\d\d\b", model.reference), "a year"
    assert re.search(r"doi:10\.\d{4,}/|arXiv:\d{4}\.|\d+:\d+|Cybernetics", model.reference)


@pytest.mark.parametrize("name", [name for name in MODELS if load_neuron(name).trainable])
def test_bounds_contain_the_defaults(name: str) -> None:
    model = load_neuron(name)
    values = parameter_values(model)
    for parameter, bounds in model.trainable.items():
        low, high = (float(evaluate(text, values, where=name)) for text in bounds)
        assert low <= float(values[parameter]) <= high, parameter


@pytest.mark.medium
@pytest.mark.parametrize("name", sorted({*MODELS} - NOISY))
def test_without_input_it_rests(name: str) -> None:
    """The distance to threshold stays to a millionth, every variable to a ten-thousandth."""
    program = lower(load_neuron(name))
    for dt in time_steps(program.model):
        result = simulate(name, 0.1, dt=dt)
        assert not result.spikes.any()
        for variable in program.states.keys() - {"lastspike", "not_refractory"}:
            trace = result.states[variable]
            assert np.ptp(trace) <= 1e-4 * np.abs(trace).max(), (variable, dt)
        if result.distance is not None:
            assert (result.distance < 0).all()
            assert np.ptp(result.distance) <= 1e-6 * np.abs(result.distance).max(), dt


@pytest.mark.parametrize("name", FIRING)
def test_a_few_spikes_of_weight_1_make_it_fire(name: str) -> None:
    program = lower(load_neuron(name))
    count = np.arange(1.0, 11.0)
    for dt in time_steps(program.model):
        train = np.zeros((round(0.05 / dt), len(count)))
        train[1] = count
        # A model with noise may fire on its own, and is shown none here.
        quiet = {name: np.zeros(len(count)) for name in program.draws}
        fired = simulate(name, 0.05, dt=dt, weights=train, hold=quiet).spikes.any(axis=0)
        assert fired[-1], "ten at once are enough"
        assert (np.diff(fired.astype(int)) >= 0).all(), "more are never less"


@pytest.mark.medium
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strength", [1.0, 10.0, 100.0])
def test_every_model_stays_finite(name: str, strength: float) -> None:
    """For any input, excitation or inhibition, at both time steps; warnings are errors."""
    program = lower(load_neuron(name))
    mean = np.linspace(-1.0, 1.0, 16)
    for dt in time_steps(program.model):
        steps = 300
        random = np.random.default_rng(7)
        arriving = strength * (mean + random.normal(size=(steps, 16)))
        draws = {name: random.normal(size=16) for name in program.draws}
        result = simulate(
            name, steps * dt, dt=dt, weights=np.maximum(arriving, 0),
            inhibition=np.maximum(-arriving, 0), hold=draws,
        )  # fmt: skip
        for variable, trace in result.states.items():
            assert np.isfinite(trace.astype(float)).all(), (variable, dt)
        if program.threshold is not None:
            assert result.spikes.any()


@pytest.mark.parametrize("name", [name for name in MODELS if load_neuron(name).trainable])
def test_models_stay_finite_at_their_bounds(name: str) -> None:
    """Each neuron has one trainable parameter at one of its bounds."""
    program = lower(load_neuron(name))
    values = parameter_values(program.model)
    names = list(program.model.trainable)
    n = 2 * len(names)
    parameters = {parameter: np.full(n, float(values[parameter])) for parameter in names}
    for place, parameter in enumerate(names):
        bounds = program.model.trainable[parameter]
        parameters[parameter][[2 * place, 2 * place + 1]] = [
            float(evaluate(text, values, where=name)) for text in bounds
        ]
    random = np.random.default_rng(8)
    for dt in time_steps(program.model):
        weights = 3 * (random.random((200, n)) < 0.2)
        draws = {name: random.normal(size=n) for name in program.draws}
        result = simulate(
            name, 200 * dt, dt=dt, weights=weights, hold=draws, parameters=parameters
        )  # fmt: skip
        for variable, trace in result.states.items():
            assert np.isfinite(trace.astype(float)).all(), (variable, dt)
        if program.threshold is not None:
            assert result.spikes.any(axis=0).mean() > 0.5
