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
from bioae.trainers.mirror.activity import LayerActivity
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
    layer = LayerActivity("only", spikes, peak=torch.tensor([[0.5, -1, -2], [-3, -4, -0.5]]))
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


def peaks(weight: float, *, compiled: bool = False, model: dict[str, Any] = MODEL) -> NetworkMirror:
    options = LayerOptions(Backward(derivative("exact")))
    return NetworkMirror(
        network(weight, model), options, peaks=True, dtype=torch.float64, compile=compiled
    )


DRIVE = torch.zeros(20, 5, 3, dtype=torch.float64)
DRIVE[torch.arange(1, 16).reshape(5, 3), torch.arange(5)[:, None], torch.arange(3)] = 1


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_compiler)])
def test_peaks_and_their_gradient_below_threshold(compiled: bool) -> None:
    mirror = peaks(1.2, compiled=compiled)
    weights = mirror.weights["hidden.weight"]

    def summed() -> torch.Tensor:
        layer = mirror(DRIVE, record=["v"]).layers["hidden"]
        assert layer.peak is not None
        assert not layer.spikes.any()
        assert torch.equal(layer.peak, (layer.states["v"].amax(0) - 1) / 2)
        return layer.peak.sum()

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


def test_peaks_where_presentations_carry_over() -> None:
    table = network(0.4).config.to_mapping() | {"clock": "common", "carry_over": True}
    config = NetworkConfig.from_mapping(table, where="carries over")
    mirror = NetworkMirror(
        Network.initialise(config, seed=0), peaks=True, dtype=torch.float64,
        layers={"hidden": LayerOptions(Backward(derivative("arctan")))},
    )  # fmt: skip
    layer = mirror(DRIVE, record=["v"]).layers["hidden"]
    assert layer.peak is not None
    assert torch.equal(layer.peak, (layer.states["v"].amax(0) - 1) / 2)
    assert (layer.peak[1] > layer.peak[0]).all()  # what is left of the first one adds


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


def test_a_threshold_that_changes_with_time_is_refused() -> None:
    model = {**MODEL, "threshold": "v > 1 + t/second"} | {
        "surrogate": {"distance": "v - 1 - t/second", "scale": "1"}
    }
    with refused(NetworkError, where="rising", found="t"):
        peaks(1.0, model=model)


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
