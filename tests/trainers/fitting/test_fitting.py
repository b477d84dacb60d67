"""Parameters are recovered from spikes, for any model; the likelihood equals a plain loop's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import builders
import numpy as np
import pytest
import torch
from scipy.stats import logistic

from benchmarks.recovery import CASES, Recovery, recover
from bioae.equations.arrays.start import default_parameters
from bioae.equations.library import load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.errors import InputError, ModelError
from bioae.networks.schedule import SCHEDULES
from bioae.trainers.fitting import ForcedNeuron
from bioae.trainers.mirror.derivatives import FastSigmoid
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.trained import TrainedParameter

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "recovery.json"
BOUND = 0.1


def assert_recovered(found: Recovery, factor: float) -> None:
    assert found.spikes > 100
    assert found.active_fraction > 0.5
    for name, true in found.true.items():
        origin = found.origin[name]
        assert (found.start[name] - origin) / (true - origin) == pytest.approx(factor)
    assert found.worst < BOUND
    assert found.agreement > found.agreement_before


@pytest.mark.medium
def test_recovery_from_a_little_data() -> None:
    case = CASES["alif"]
    size = {"neurons": 60, "examples": 2, "widths": (0.1, 0.02, 0.005), "steps": 100}
    found = recover(load_neuron("alif"), case.parameters, factor=0.5, **size)
    assert_recovered(found, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_recovery(name: str, factor: float) -> None:
    model, case = load_neuron(name), CASES[name]
    found = recover(model, case.parameters, factor=factor, origins=case.origins)
    assert_recovered(found, factor)


def test_the_stored_recoveries_are_within_the_bound() -> None:
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    seen = {(row["model"], row["factor"]) for row in rows}
    assert seen >= {(name, factor) for name in CASES for factor in (2.0, 0.5)}
    for row in rows:
        assert row["true"].keys() == set(CASES[row["model"]].parameters)
        for name, true in row["true"].items():
            distance = true - row["origin"][name]
            assert abs(row["found"][name] - true) < BOUND * abs(distance), (row["model"], name)


def forced(tau: float, neurons: int) -> ForcedNeuron:
    model = load_neuron("lif")
    program = lower(model)
    population = Population(program, (neurons,), dt=1e-3, schedule=SCHEDULES["paper"])
    trained = TrainedParameter(model, "tau", np.asarray(tau), torch.float64)
    parameters = {**default_parameters(program), "tau": trained}
    return ForcedNeuron(population, parameters, Backward(FastSigmoid()), dtype=torch.float64)


def test_the_likelihood_and_its_gradient_against_a_loop() -> None:
    generator = np.random.default_rng(0)
    steps, neurons, width = 30, 5, 0.2
    arriving = generator.uniform(0.0, 0.5, (steps, 1, neurons))
    spikes = (generator.uniform(size=arriving.shape) < 0.2).astype(float)
    assert spikes.sum() > 10

    def expected(tau: float) -> float:
        v, total = np.zeros((1, neurons)), 0.0
        for drive, fired in zip(arriving, spikes, strict=True):
            v = v + drive  # the paper's order: input, threshold, reset, leak
            signed = np.where(fired == 1, 1, -1) * np.tanh(v - 1.0) / width
            total -= float(logistic.logcdf(signed).sum())
            v = np.where(fired == 1, 0.0, v) * math.exp(-1e-3 / tau)
        return total / float(spikes.sum())

    tensor = torch.from_numpy(spikes)
    neuron = forced(0.02, neurons)
    inputs = [{"bioae_input": each} for each in torch.from_numpy(arriving)]
    loss = neuron.negative_log_likelihood(inputs, tensor, width=width)
    assert loss.item() == pytest.approx(expected(0.02), rel=1e-12)
    loss.backward()
    (parameter,) = neuron.parameters()
    assert parameter.grad is not None
    step = 1e-5  # the time constant is trained by its logarithm
    slope = (expected(0.02 * math.exp(step)) - expected(0.02 * math.exp(-step))) / (2 * step)
    assert abs(slope) > 1e-3
    assert parameter.grad.item() == pytest.approx(slope, rel=1e-7)


def own_model(**changes: object) -> NeuronModel:
    return builders.model(load_neuron("lif").to_mapping(), "own", **changes)


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({}, ["v"]),
        ({"trainable": {}}, ["tau"]),
        ({"trainable": {"tau": ("80*ms", "120*ms")}}, ["tau"]),
        ({"threshold": None, "reset": None}, ["tau"]),
    ],
)
def test_what_cannot_be_recovered(changes: dict[str, object], parameters: list[str]) -> None:
    with pytest.raises((InputError, ModelError)):
        recover(own_model(**changes), parameters, neurons=4, examples=1, steps=10)
