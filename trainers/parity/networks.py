"""Small random networks of a neuron model, scaled until they fire, and perturbed networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.checks import one_of, whole
from bioae.datasets import Data
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.networks.config import NetworkConfig
from bioae.networks.network import Network
from bioae.noise import Key
from bioae.random import stream
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.network import NetworkMirror

#: Weights are multiples of 2^-12: sums of them are exact in any order.
GRID_BITS = 12

#: The smallest fraction of active neurons in a layer, and its largest firing probability per step.
ACTIVE, BURSTING = 0.5, 0.4

#: The relative size of a perturbation: a few units in the last place of a float64.
PERTURBATION = 1e-15

_PERTURBATION_STREAM = 2**20

#: The length and number of the trials of a scale; the network's presentations may be longer.
_TRIAL_STEPS, _MOST_TRIALS = 200, 32

#: A layer that bursts with a largest weight below this is not driven by its input.
_SMALLEST = 2.0**-6


def checked_size(
    given: Mapping[str, int], usual: Mapping[str, int], *, neurons: int
) -> dict[str, int]:
    """Return the numbers of `usual`, with those that are given, and at least so many neurons."""
    for name in given:
        one_of(name, "the name of a number", tuple(usual))
    least = {"neurons": neurons, "steps": 2, "examples": 1}
    return {name: whole(each, name, least=least[name]) for name, each in {**usual, **given}.items()}


def parity_network(
    model: NeuronModel, *, neurons: int, steps: int, examples: int, seed: int
) -> tuple[Network, NDArray[np.float64]]:
    """Return a random recurrent network of two layers and its input, scaled until it fires.

    The second layer has autapses and delays, which differ between connections from the first layer.
    A model without a threshold gets one layer that is not scaled.

    Parameters
    ----------
    model
        The neuron model of both layers.
    neurons
        The number of neurons in both layers together.
    steps, examples
        The number of steps of a presentation, and of presentations.
    seed
        The seed of weights and input.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    first, second = neurons - neurons // 2, neurons // 2
    dt = model.dt or str(NetworkConfig.model_fields["dt"].default)
    delays = {"delay": ["0*ms", f"2*{dt}"], "recurrent_delay": dt, "autapses": True}
    common = {"kind": "dense", "recurrent": True, "gain": 1.0}
    layers: list[dict[str, Any]] = [
        {**common, "name": "first", "units": first},
        {**common, "name": "second", "units": second, **delays},
    ]
    if silent := model.threshold is None:
        layers = [{"kind": "dense", "name": "silent", "shape": [1, 1, neurons]}]
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 1, neurons if silent else second],
            "steps": steps,
            **({"dt": model.dt} if model.dt else {}),
            "neuron": model.name,
            "neurons": {model.name: model.to_mapping()},
            "encoder": {"kind": "bernoulli", "rate": 0.2},
            # The decoder must only be one that the last layer's neurons can feed.
            "decoder": {"kind": "last" if silent else "count"},
            "layers": layers,
        },
        where=f"the parity network of {model.name!r}",
    )
    images = stream(seed, 0).uniform(0.2, 1.0, (examples, *config.input_shape))
    network = Network.initialise(config, seed=seed)
    if silent:
        return network.quantised(GRID_BITS), images
    return scaled(network, images, seed=seed), images


def perturbed(network: Network, *, seed: int = 0) -> Network:
    """Return a network whose weights and initial states are changed by a factor `PERTURBATION`.

    Weights become larger or smaller, at random; initial values of the models become larger.
    """
    weights = dict(network.weights)
    for number, placed in enumerate(network.config.placed):
        for order, name in enumerate(placed.weight_shapes):
            generator = stream(seed, _PERTURBATION_STREAM + 2 * number + order)
            signs = generator.choice([-1.0, 1.0], weights[name].shape)
            weights[name] = weights[name] * (1.0 + PERTURBATION * signs)
    config = network.config.self_contained()
    starts = {
        placed.model.name: {
            name: f"({text})*(1 + {PERTURBATION!r})"
            for name, text in placed.model.initial_state.items()
            if placed.program.states[name].dtype == "float"
        }
        for placed in config.placed
    }
    neurons = {
        name: {**fields, "initial": {**fields.get("initial", {}), **starts.get(name, {})}}
        for name, fields in config.neurons.items()
    }
    return Network(config.varied(neurons=neurons), weights)


def scaled(network: Network, images: NDArray[Any], *, seed: int = 0) -> Network:
    """Scale the weights of each layer until it neither dies nor bursts, and put them on the grid.

    Raises a ModelError if no input makes half of a layer's neurons fire.
    """
    steps = min(network.config.steps, _TRIAL_STEPS)
    presented = Presentations.of(network.with_time(steps=steps).config, images, seed=seed)
    drive = torch.from_numpy(presented.drive()).double()
    # One mirror for all trials, so that a model settles only once.
    mirror = NetworkMirror(network, dtype=torch.float64)
    scales = {
        placed.name: _Scale(float(np.abs(network.weights[f"{placed.name}.weight"]).max()))
        for placed in network.config.placed
    }
    for _ in range(_MOST_TRIALS):
        candidate = _rescaled(network, scales)
        for name in mirror.synaptic:
            mirror.weights[name].data = torch.tensor(candidate.weights[name])
        found = firing(mirror, drive, presented.key())
        moved = [scale.move(*found[name]) for name, scale in scales.items()]
        if not any(moved):
            break
    for placed in network.config.placed:
        if found[placed.name][0] < ACTIVE:
            raise never_fires(placed.model)
    return candidate


def never_fires(model: NeuronModel) -> ModelError:
    """Return the error of a model that no input makes fire."""
    return ModelError(
        f"no input makes half of the neurons of {model.name!r} fire",
        hint="Give `weight` the size of an input that moves the neuron, in its unit",
    )


@torch.no_grad()
def firing(mirror: NetworkMirror, drive: Tensor, key: Key) -> dict[str, tuple[float, float]]:
    """Return each layer's fraction of firing neurons, and its spikes per neuron and step."""
    return {
        name: (
            float(activity.spikes.flatten(2).amax((0, 1)).mean()),
            float(activity.spikes.mean()),
        )
        for name, activity in mirror(drive, key=key).layers.items()
    }


@dataclass
class _Scale:
    """The factors of a layer's weights, moved in decreasing steps once they overshoot.

    A dying layer gets more feed-forward input only, so that it does not drive itself; a bursting
    layer gets less feed-forward and recurrent input.
    """

    largest: float
    weight: float = 1.0
    recurrent: float = 1.0
    factor: float = 2.0
    growing: bool | None = None

    def move(self, active: float, rate: float) -> bool:
        """Adjust the factors to the layer's activity; return whether they changed."""
        grow = active < ACTIVE
        if not grow and (rate <= BURSTING or self.weight * self.largest < _SMALLEST):
            return False
        if self.growing is not None and grow != self.growing:
            self.factor = self.factor**0.5
        self.growing = grow
        self.weight *= self.factor if grow else 1 / self.factor
        self.recurrent *= 1.0 if grow else 1 / self.factor
        return True


def _rescaled(network: Network, scales: dict[str, _Scale]) -> Network:
    weights = dict(network.weights)
    for name, scale in scales.items():
        for kind in ("weight", "recurrent"):
            if f"{name}.{kind}" in weights:
                weights[f"{name}.{kind}"] = weights[f"{name}.{kind}"] * getattr(scale, kind)
    return Network(network.config, weights).quantised(GRID_BITS)


def random_signals(config: NetworkConfig, examples: int, seed: int) -> Data:
    """Return signals for a network that receives them, of mean 0 and variance 1."""
    shape = examples, config.points, *config.input_shape
    return Data.of_signals(stream(seed, 0).standard_normal(shape))
