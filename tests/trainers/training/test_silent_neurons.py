"""The regulariser of silent neurons: its values, its gradient, and networks that start silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import dense, described
from mirrors import needs_compiler
from refusals import refused

import bioae
from bioae.datasets import Data
from bioae.errors import NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror import Activity, Backward, LayerOptions, NetworkMirror
from bioae.trainers.mirror.activity import DISTANCE, LayerActivity
from bioae.trainers.mirror.derivatives import derivative
from bioae.trainers.training.regularisers import evaluate
from bioae.trainers.training.terms import SilentTermConfig

MODEL: dict[str, Any] = {
    "description": "Leaky neuron with a current and a threshold that rises.", "method": "exact",
    "equations": """
dv/dt = (I - v)/(10*ms) : 1
dI/dt = -I/(5*ms) : 1
dtheta/dt = -theta/(9*ms) : 1""",
    "input": "I", "threshold": "v > 1 + theta", "reset": "v = 0\ntheta += 0.5",
    "surrogate": {"distance": "v - 1 - theta", "scale": "2"},
}  # fmt: skip
#: Read out by a potential with the same time constant.
PLAIN: dict[str, Any] = {
    "description": "Leaky neuron that never fires.", "equations": "dv/dt = -v/tau : 1",
    "method": "exact", "input": "v", "parameters": {"tau": "10*ms"},
}  # fmt: skip


def term(layer: LayerActivity, over: Any) -> float:
    table = SilentTermConfig(coefficient=2.0, over=over)
    found = evaluate({"silent": table}, Activity({"only": layer}, torch.zeros(2)), {})
    return found["silent"].item()


def test_the_distance_of_silent_neurons_counts() -> None:
    spikes = torch.tensor([[[1.0, 0, 0], [0, 0, 0]]])  # the first neuron, for the first example
    distance = torch.tensor([[[0.5, -1, -2], [-3, -4, -0.5]], [[-9.0] * 3] * 2])
    layer = LayerActivity("only", spikes, states={DISTANCE: distance})
    assert term(layer, "example") == 2 * (1 + 2 + 3 + 4 + 0.5) / 2
    assert term(layer, "batch") == 2 * (1 + 0.5)


def network(weight: float, model: dict[str, Any] = MODEL) -> Network:
    layers = [
        dense("hidden", 4, neuron="rising", initial=[0.5 * weight, weight]),
        dense("output", 2, neuron="plain", gain=3.0),
    ]
    config = described(
        *layers, input_shape=[3], steps=20, dt="0.5*ms", encoder={"kind": "frames"},
        decoder={"kind": "mean"}, task={"kind": "classification", "classes": 2},
        neurons={"rising": model, "plain": PLAIN},
    )  # fmt: skip
    return Network.initialise(config, seed=0)


def mirrored(weight: float, *, compiled: bool = False) -> NetworkMirror:
    options = LayerOptions(Backward(derivative("exact")))
    return NetworkMirror(
        network(weight), options, distances=["hidden"], dtype=torch.float64, compile=compiled
    )


DRIVE = torch.zeros(20, 5, 3, dtype=torch.float64)
DRIVE[torch.arange(1, 16).reshape(5, 3), torch.arange(5)[:, None], torch.arange(3)] = 1


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=[needs_compiler, pytest.mark.medium])]
)
def test_peaks_and_their_gradient_below_threshold(compiled: bool) -> None:
    mirror = mirrored(1.2, compiled=compiled)
    weights = mirror.weights["hidden.weight"]

    def summed() -> torch.Tensor:
        layer = mirror(DRIVE, record=["v"]).layers["hidden"]
        peak = layer.states[DISTANCE].amax(0)
        assert not layer.spikes.any()
        assert torch.equal(peak, (layer.states["v"].amax(0) - 1) / 2)
        return peak.sum()

    summed().backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    step, places = 1e-6, torch.eye(weights.numel(), dtype=torch.float64).view(-1, *weights.shape)
    for place in places[:6]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weights += sign * step * place
                ends.append(summed().item())
                weights -= sign * step * place
        expected = (ends[0] - ends[1]) / (2 * step)
        assert (weights.grad * place).sum().item() == pytest.approx(expected, rel=1e-6)


def test_the_mean_gives_spike_times_a_gradient_by_its_decay() -> None:
    """The response to a spike ends within 200 ms, and its mean is the same at any time."""
    drive = torch.zeros(400, 1, 3, dtype=torch.float64)
    drive[2] = 1
    slopes = []
    for decay in (None, 1.0):
        start = network(3.0).config.to_mapping() | {"steps": 400}
        start["decoder"] = {"kind": "mean", "decay": decay} if decay else {"kind": "mean"}
        config = NetworkConfig.from_mapping(start, where="decay")
        options = LayerOptions(Backward(derivative("exact")))
        mirror = NetworkMirror(Network.initialise(config, seed=0), options, dtype=torch.float64)
        activity = mirror(drive)
        assert activity.layers["hidden"].spikes.any()
        activity.output[0, 0].backward()  # type: ignore[no-untyped-call]
        gradient = mirror.weights["hidden.weight"].grad
        assert gradient is not None
        slopes.append(gradient.abs().max().item())
    assert 0 <= slopes[0] < 1e-6 * slopes[1]


#: Input moves the first and the last at once, also after the threshold was evaluated.
DELTA: dict[str, Any] = {
    "description": "Leaky neuron.", "equations": "dv/dt = -v/(5*ms) : 1", "method": "exact",
    "input": "v", "threshold": "v > 1", "reset": "v = 0",
}  # fmt: skip
FIRING = {"delta": DELTA, "current": MODEL, "refractory": {**DELTA, "refractory": "4*ms"}}
TIMINGS: dict[str, dict[str, Any]] = {
    "brian2": {"schedule": "brian2"},
    "common": {"clock": "common"},
    "paper": {"schedule": "paper"},
    "carry over": {"clock": "common", "carry_over": True, "rest": "1.5*ms"},
}


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("name", FIRING)
def test_the_distance_of_a_silent_neuron_is_never_above_threshold(name: str, timing: str) -> None:
    start = network(1.0, FIRING[name]).config.to_mapping() | TIMINGS[timing]
    start["layers"][0]["units"] = 40
    config = NetworkConfig.from_mapping(start, where="timing")
    mirror = NetworkMirror(
        Network.initialise(config, seed=0), distances=["hidden"], dtype=torch.float64
    )
    generator = torch.Generator().manual_seed(0)
    drive = (torch.rand(20, 30, 3, generator=generator) < 0.05).double() * 1.4
    activity = mirror(drive * (3 if name == "current" else 1), record=["v"])
    layer = activity.layers["hidden"]
    peak, fires = layer.states[DISTANCE].amax(0), layer.counts > 0
    assert 0.05 < fires.double().mean() < 0.95
    assert (peak[fires] > 0).all()
    if not (name == "refractory" and timing == "carry over"):
        assert (peak[~fires] <= 0).all()
    ends = layer.states["v"].amax(0)[~fires]
    assert name == "current" or timing == "paper" or (ends > 1).any()
    table = SilentTermConfig(coefficient=1.0, over="example", layers=("hidden",))
    value = evaluate({"silent": table}, activity, {})["silent"].item()
    assert value == pytest.approx((-peak[~fires]).relu().sum().item() / 30)


@pytest.mark.parametrize("threshold", ["False", "t > 5*ms", "rand() < 0.1"])
def test_a_threshold_of_no_variable_is_refused(threshold: str) -> None:
    start = network(1.0, {**DELTA, "threshold": threshold}).config.to_mapping()
    tables = {"network": start, "regularisers": {"silent": 0.1}, "training": {"epochs": 1}}
    with refused(NetworkError, where="regularisers.silent, layer hidden", found=threshold):
        bioae.train(tables, order(0))


def order(seed: int) -> Data:
    """Return pairs of spikes, whose order is the class."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, 60)
    times = 1 + draw.random((60, 3)) + 3 * np.stack([labels, 1 - labels, 0 * labels], 1)
    example, channel = np.indices(times.shape)
    return Data.of_events(
        example.ravel(), times.ravel(), channel.ravel(), channels=3, labels=labels, name="order"
    )


@pytest.mark.medium
@pytest.mark.parametrize("regularised", [True, False])
def test_a_silent_network_begins_to_fire_and_learns(regularised: bool) -> None:
    start = network(1.0).config.to_mapping()
    start["layers"][0]["units"] = 20
    tables: dict[str, Any] = {
        "network": start,
        "training": {
            "epochs": 25, "batch_size": 10, "learning_rate": 3e-2, "derivative": "exact",
            "threads": 1, "compile": False,
        },
    }  # fmt: skip
    if regularised:
        tables["regularisers"] = {"silent": 0.1}
    history = bioae.train(tables, order(0), test=order(1)).history
    dead = history["layers.hidden.dead_fraction"]
    assert dead.iloc[0] == 1
    if not regularised:
        assert dead.iloc[-1] == 1
        assert history["loss"].iloc[-1] == pytest.approx(np.log(2), abs=1e-4)
    else:
        assert dead.iloc[-1] < 0.5
        assert history["classification"].iloc[-1] < 0.3
