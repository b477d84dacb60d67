"""Gradients of every shipped spiking model: against finite differences, and in long runs."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from builders import dense, described
from mirrors import mirror_of
from torch import Tensor

from bioae.equations import available, load_neuron
from bioae.networks import Network
from bioae.noise import Key
from bioae.random import stream
from bioae.trainers.mirror import Activity, NetworkMirror
from bioae.trainers.mirror.derivatives import ArcTan, Gaussian

SPIKING = [name for name in available() if load_neuron(name).threshold is not None]
KEY = Key(3, np.arange(2))


class Case(NamedTuple):
    """A network of a model that fires, and its input."""

    network: Network
    drive: Tensor


def quick_to_settle(name: str) -> dict[str, Any]:
    """Return a model that settles, if it does, for 20 steps: its gradient is exact for any time."""
    model = load_neuron(name)
    mapping: dict[str, Any] = model.to_mapping()
    if model.settle is not None:
        mapping["initial"]["settle"] = f"20*({model.dt or '1*ms'})"
    return mapping


def network_of(model: str, schedule: str, steps: int) -> Network:
    own = {"recurrent": True, "gain": 1.0}
    config = described(
        dense("first", 4, **own), dense("last", shape=[1, 1, 3], **own),
        input_shape=[1, 1, 3], steps=steps, schedule=schedule, neuron=model,
        decoder={"kind": "mean"}, dt=load_neuron(model).dt or "1*ms",
        neurons={model: quick_to_settle(model)},
    )  # fmt: skip
    return Network.initialise(config, seed=4)


def steps(model: str) -> int:
    """Return how many steps are enough for both layers to fire and be reset."""
    return 40 if load_neuron(model).dt else 12


@cache
def firing(model: str, schedule: str, steps: int) -> Case:
    """Return a network, its feed-forward weights doubled until both layers fire."""
    network = network_of(model, schedule, steps)
    drive = torch.from_numpy(stream(0, 0).random((steps, 2, 1, 1, 3)))
    weights = {n: abs(w) if n.endswith("weight") else w for n, w in network.weights.items()}
    for layer in ("first", "last"):
        for doublings in range(40):
            scaled = {**weights, f"{layer}.weight": weights[f"{layer}.weight"] * 2**doublings / 8}
            mirror = mirror_of(Network(network.config, scaled), dtype=torch.float64)
            with torch.no_grad():
                rate = float(mirror(drive, key=KEY).layers[layer].spikes.mean())
            if rate > 0.05:
                break
        else:
            pytest.fail(f"{layer} never fires as it should")
        weights = scaled
    return Case(Network(network.config, weights), drive)


def read(activity: Activity) -> dict[str, Tensor]:
    """Return all that can be read of an activity, by name."""
    found = {"reconstruction": activity.reconstruction}
    for layer in activity.layers.values():
        assert layer.potential is not None
        found |= {f"{layer.name}.spikes": layer.spikes, f"{layer.name}.potential": layer.potential}
        found |= {f"{layer.name}.{state}": values for state, values in layer.states.items()}
    return {name: values for name, values in found.items() if values.is_floating_point()}


class Loss:
    """A sum of all numbers that a mirror returns, each with a different weight."""

    def __init__(self, mirror: NetworkMirror, drive: Tensor) -> None:
        self.mirror, self.drive = mirror, drive
        self.states = {each for p in mirror.config.placed for each in p.program.states}
        with torch.no_grad():
            readings = read(self.run())
        self.weights = {
            name: torch.from_numpy(stream(key, 0).normal(size=values.shape))
            / (values.abs().mean() or 1)
            for key, (name, values) in enumerate(readings.items())
        }

    def run(self) -> Activity:
        activity: Activity = self.mirror(self.drive, record=self.states, key=KEY)
        return activity

    def __call__(self) -> Tensor:
        readings = read(self.run())
        return torch.stack(
            [(self.weights[n] * values).sum() for n, values in readings.items()]
        ).sum()


def slope(loss: Loss, along: dict[str, Tensor]) -> float:
    """Return the derivative of the loss along a direction, from central differences.

    Those of two steps, one twice the other, are combined so that errors of the second order cancel
    (Richardson), with steps so small that the two agree: stiff models curve strongly.
    """
    weights = loss.mirror.weights
    before = {name: weights[name].detach().clone() for name in along}

    def difference(step: float) -> float:
        found = []
        for sign in (1, -1):
            for name, direction in along.items():
                weights[name].copy_(before[name] + sign * step * direction)
            found.append(float(loss()))
        for name in along:
            weights[name].copy_(before[name])
        return (found[0] - found[1]) / (2 * step)

    step = 1e-4
    with torch.no_grad():
        while step > 1e-9:
            wide, narrow = difference(2 * step), difference(step)
            if abs(wide - narrow) < 1e-3 * abs(narrow):
                return (4 * narrow - wide) / 3
            step /= 8
    pytest.fail(f"differences along {', '.join(along)} do not settle")


def kinds(mirror: NetworkMirror) -> dict[str, list[str]]:
    """Return the names of what is trained, both layers together."""
    found: dict[str, list[str]] = {}
    for name in mirror.weights:
        found.setdefault(name.partition(".")[2], []).append(name)
    return found


def check_gradients(
    model: str, schedule: str, *, own: bool, attached: bool, jointly: bool = False
) -> None:
    """Compare with finite differences all that can be trained in a network of the model.

    `own`: each neuron trains its own parameters. `attached`: refractoriness is. `jointly`: along
    one direction in which everything moves, and not kind after kind.
    """
    network, drive = firing(model, schedule, steps(model))
    trainable = load_neuron(model).trainable
    mirror = mirror_of(
        network,
        derivative=Gaussian(sigma=0.5),
        detach_refractory=not attached,
        trainable=trainable,
        per_neuron=trainable if own else (),
        potentials="all",
        dtype=torch.float64,
    )
    loss = Loss(mirror, drive)
    loss().backward()  # type: ignore[no-untyped-call]
    assert trainable
    assert kinds(mirror).keys() == {"weight", "recurrent", *trainable}
    groups = {"all": [*mirror.weights]} if jointly else kinds(mirror)
    for key, (kind, names) in enumerate(groups.items()):
        along, expected = {}, 0.0
        for name in names:
            values = mirror.weights[name]
            assert values.ndim == (1 if own else 0) or name in mirror.synaptic
            assert values.grad is not None, name
            size = values.detach().abs().mean() or 1
            along[name] = size * torch.from_numpy(stream(key, len(along)).normal(size=values.shape))
            expected += float((values.grad * along[name]).sum())
        assert abs(expected) > 1e-4, kind
        assert slope(loss, along) == pytest.approx(expected, rel=1e-4), kind


#: Two ways in which a network can be trained; the fast tests take them in turn.
WAYS = [
    {"schedule": "brian2", "own": False, "attached": False},
    {"schedule": "paper", "own": True, "attached": True},
]


#: A few models in `make test`, and all in `make test-all`.
SOME = [
    pytest.param(name, marks=pytest.mark.medium if name in ("adex", "cuba") else pytest.mark.slow)
    for name in SPIKING
]


@pytest.mark.parametrize("model", SOME)
def test_along_one_direction(model: str, smooth: None) -> None:
    check_gradients(model, **WAYS[SPIKING.index(model) % 2], jointly=True)


@pytest.mark.slow
@pytest.mark.parametrize("way", range(len(WAYS)))
@pytest.mark.parametrize("model", SPIKING)
def test_weights_and_each_parameter(model: str, way: int, smooth: None) -> None:
    check_gradients(model, **WAYS[way])


@pytest.mark.parametrize("model", SOME)
def test_surrogate_gradients_stay_finite(model: str) -> None:
    """Over many steps, through resets and refractoriness, at the model's own time step."""
    network = firing(model, "brian2", steps(model)).network.with_time(steps=80)
    drive = torch.from_numpy(stream(0, 1).random((80, 2, 1, 1, 3)))
    trainable = load_neuron(model).trainable
    mirror = mirror_of(
        network,
        derivative=ArcTan(),
        detach_refractory=False,
        trainable=trainable,
        dtype=torch.float32,
    )
    activity = mirror(drive, key=KEY)
    assert all(layer.spikes.sum() > 3 for layer in activity.layers.values())
    spikes = torch.cat([layer.spikes.flatten() for layer in activity.layers.values()])
    spikes.mean().backward()  # type: ignore[no-untyped-call]
    for name, values in mirror.weights.items():
        assert values.grad is not None, name
        assert values.grad.isfinite().all(), name
        assert values.grad.any(), name
