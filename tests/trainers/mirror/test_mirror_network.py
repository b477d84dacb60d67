"""The forward pass of a network's mirror: closed forms, a plain loop, dtypes, weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from builders import SCHEDULES, conv, dense, described
from mirrors import mirror_of
from torch import Tensor

from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.derivatives import ArcTan

STEPS = 15


def network(model: str = "lif", schedule: str = "paper", **changes: Any) -> Network:
    fields = {
        "input_shape": [1, 3, 3], "steps": STEPS, "schedule": schedule, "neuron": model,
        "layers": [conv("first", 2, 2, recurrent=True), dense("last", shape=[1, 3, 3])], **changes,
    }  # fmt: skip
    config = described(*fields.pop("layers"), **fields)
    drawn = Network.initialise(config, seed=1)
    stronger = {"first.weight": 8.0 if model == "cuba" else 2.0, "last.weight": 4.0}
    weights = {name: stronger.get(name, 1.0) * w for name, w in drawn.weights.items()}
    weights["first.weight"] = abs(weights["first.weight"])
    return Network(config, weights).quantised()


def drive(examples: int = 3) -> Tensor:
    raster = stream(0, 0).random((STEPS, examples, 1, 3, 3)) < 0.3
    return torch.from_numpy(raster.astype(np.float32))


def states(mirror: NetworkMirror, given: Tensor, *names: str) -> dict[str, Tensor]:
    with torch.no_grad():
        first = mirror(given, record=names).layers["first"]
    return {**first.states, "spikes": first.spikes}


def test_a_constant_current_fires_at_the_closed_form_rate() -> None:
    """In the paper's order u before threshold is I (1 - L^n) / (1 - L) after n inputs."""
    config = described(conv("first", 1, 1), input_shape=[1, 1, 3], steps=600, schedule="paper")
    network = Network(config, {"first.weight": np.ones((1, 1, 1, 1))})
    currents = torch.tensor([0.005, 0.05, 0.3], dtype=torch.float64)
    with torch.no_grad():
        spikes = mirror_of(network)(currents.expand(600, 1, 1, 1, 3)).layers["first"].spikes
    decay = math.exp(-1 / 100)
    for current, train in zip(currents.tolist(), spikes.reshape(600, 3).T, strict=True):
        reached = 1 - (1 - decay) / current
        interval = math.floor(math.log(reached, decay)) + 1 if reached > 0 else math.inf
        count = 0 if reached <= 0 else 600 // interval
        assert train.sum() == count
        assert set(np.diff(np.flatnonzero(train))) <= {interval}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_float32_agrees_up_to_rounding(schedule: str) -> None:
    described = network("lif", schedule)
    double = states(mirror_of(described), drive(), "v")
    single = states(mirror_of(described, dtype=torch.float32), drive(), "v")
    assert single["v"].dtype == single["spikes"].dtype == torch.float32
    assert double["spikes"].any()
    assert torch.equal(single["spikes"].double(), double["spikes"])
    torch.testing.assert_close(single["v"].double(), double["v"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["alif", "cuba", "lif", "lif_subtract"])
def test_a_mirror_computes_in_the_type_it_was_moved_to(model: str) -> None:
    described = network(model)
    trainable = described.config.placed[0].model.trainable
    direct, moved = (
        mirror_of(described, derivative=ArcTan(), trainable=trainable, dtype=dtype)
        for dtype in (torch.float64, torch.float32)
    )
    states(moved, drive(), "v")  # leaves constants of the old type behind, if any are kept
    moved = moved.to(torch.float64)
    assert {values.dtype for values in moved.weights.values()} == {torch.float64}
    last = moved.layers["last"]
    assert last.readout is not None
    assert last.readout.trained["tau"] is last.neuron.trained["tau"]
    # Only what is trained went through float32; everything else has kept its digits.
    with torch.no_grad():
        for name, values in moved.weights.items():
            values.copy_(direct.weights[name])
    expected, found = (states(each, drive(), "v") for each in (direct, moved))
    assert expected["spikes"].any()
    assert all(torch.equal(found[name], expected[name]) for name in ("v", "spikes"))
    moved(drive()).reconstruction.sum().backward()
    assert moved.weights["first.weight"].grad is not None
    assert moved.weights["first.weight"].grad.dtype == torch.float64


def test_each_neuron_may_have_its_own_parameter() -> None:
    described = network()
    taus = np.linspace(0.02, 0.2, 8)
    varied = Network(described.config, {**described.weights, "first.tau": taus})
    for trainable in ((), ("tau",)):
        mirror = mirror_of(varied, trainable=trainable, potentials="all")
        potential = mirror(drive()).layers["first"].potential
        # U leaks by exp(-dt/tau) in a step without input, after the last of them.
        silent = torch.cat([drive()[:8], torch.zeros_like(drive()[8:])])
        with torch.no_grad():
            mirror.weights["first.recurrent"].zero_()
            potential = mirror(silent).layers["first"].potential.flatten(2)
        ratio = potential[12, 0] / potential[11, 0]
        np.testing.assert_allclose(ratio, np.exp(-0.001 / taus), rtol=1e-12)


def test_clamp_moves_parameters_to_their_bounds() -> None:
    mirror = mirror_of(network(), trainable=("tau", "theta"))
    weights = mirror.weights
    with torch.no_grad():
        weights["first.tau"].fill_(7.0)
        weights["last.tau"].fill_(-9.0)
        weights["first.theta"].fill_(0.3)
    mirror.clamp_()
    found = {name: float(each.values()) for name, each in mirror.trained.items()}
    assert found["first.tau"] == pytest.approx(0.5)
    assert found["first.tau"] <= 0.5
    assert found["last.tau"] == pytest.approx(0.005)
    assert found["last.tau"] >= 0.005
    assert found["first.theta"] == pytest.approx(math.exp(0.3))
    assert found["last.theta"] == 1.0
    readout = mirror.layers["last"].readout.trained["tau"]  # type: ignore[union-attr, index]
    assert readout is mirror.trained["last.tau"]


def test_only_requested_and_allowed_parameters_are_trained() -> None:
    mirror = mirror_of(network("cuba"), trainable=("tau_syn", "beta"))
    assert mirror.weights.keys() == {
        "first.weight", "first.recurrent", "first.tau_syn", "last.weight", "last.tau_syn",
    }  # fmt: skip
    assert mirror.synaptic == ("first.weight", "first.recurrent", "last.weight")
    assert len(list(mirror.parameters())) == len(mirror.weights)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_weights_survive_a_round_trip(dtype: torch.dtype) -> None:
    described = network("alif")
    mirror = mirror_of(described, trainable=("tau", "beta"), dtype=dtype)
    again = mirror.to_network()
    assert again.config == described.config
    assert {name: array.dtype for name, array in again.weights.items()} == dict.fromkeys(
        [*mirror.weights], np.dtype(np.float64)
    )
    for name, array in described.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    assert again.weights["first.beta"] == 0.25
    assert again.weights["last.tau"] == pytest.approx(0.02)
    # What was trained before and is not now stays what it was.
    assert mirror_of(again).to_network().weights.keys() == again.weights.keys()
