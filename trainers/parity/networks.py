"""A small random network of a neuron model, its weights scaled until its neurons fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.networks.network import Network, NetworkConfig
from bioae.random import stream
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.network import NetworkMirror

__all__ = ["GRID_BITS", "parity_network", "scaled"]

#: Weights are multiples of 2^-12: sums of them are exact in any order.
GRID_BITS = 12

#: A layer neither dies nor bursts: this many of its neurons fire at all, and so often at most.
ACTIVE, BURSTING = 0.5, 0.4

#: Steps of the runs that the scale is found with; the network itself may be shown for longer.
_TRIAL_STEPS, _MOST_TRIALS = 200, 32

#: What bursts though its largest weight is below this does so of itself.
_SMALLEST = 2.0**-6


def parity_network(
    model: NeuronModel, *, neurons: int, steps: int, examples: int, seed: int
) -> tuple[Network, NDArray[np.float64]]:
    """Return a random recurrent network of two layers and its input, scaled until it fires.

    The second layer has delays, each connection its own from the first layer, and autapses.

    Parameters
    ----------
    model
        The neuron model of both layers.
    neurons
        Neurons of both layers together.
    steps, examples
        Steps of a presentation, and how many there are.
    seed
        Seeds weights and input.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    first, second = neurons - neurons // 2, neurons // 2
    dt = model.dt or str(NetworkConfig.model_fields["dt"].default)
    delays = {"delay": ["0*ms", f"2*{dt}"], "recurrent_delay": dt, "autapses": True}
    common = {"kind": "dense", "recurrent": True, "gain": 1.0}
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 1, second],
            "steps": steps,
            **({"dt": model.dt} if model.dt else {}),
            "neuron": model.name,
            "neurons": {model.name: model.to_mapping()},
            "encoder": {"kind": "bernoulli", "rate": 0.2},
            "decoder": {"kind": "count"},
            "layers": [
                {**common, "name": "first", "units": first},
                {**common, "name": "second", "units": second, **delays},
            ],
        },
        where=f"the parity network of {model.name!r}",
    )
    images = stream(seed, 0).uniform(0.2, 1.0, (examples, *config.input_shape))
    return scaled(Network.initialise(config, seed=seed), images, seed=seed), images


def scaled(network: Network, images: NDArray[Any], *, seed: int = 0) -> Network:
    """Scale the weights of each layer until it neither dies nor bursts, and put them on the grid.

    Parameters
    ----------
    network
        A network whose layers all fire, given enough.
    images, seed
        What it is shown, as for `bioae.simulation.simulate`.

    Raises
    ------
    ModelError
        If no input makes half of a layer's neurons fire.
    """
    trial = _Trial(network, images, seed)
    scales = {
        placed.name: _Scale(float(np.abs(network.weights[f"{placed.name}.weight"]).max()))
        for placed in network.config.placed
    }
    for _ in range(_MOST_TRIALS):
        candidate = _rescaled(network, scales)
        firing = trial(candidate)
        moved = [scale.move(*firing[name]) for name, scale in scales.items()]
        if not any(moved):
            break
    for placed in network.config.placed:
        if firing[placed.name][0] < ACTIVE:
            raise ModelError(
                f"no input makes half of the neurons of {placed.model.name!r} fire",
                mend="Give `weight` the size of an input that moves the neuron, in its unit",
            )
    return candidate


@dataclass
class _Scale:
    """The factors of a layer's weights, moved in ever smaller steps once they overshoot.

    A dying layer gets more input alone, or it would soon drive itself; a bursting one less of both.
    """

    largest: float
    weight: float = 1.0
    recurrent: float = 1.0
    factor: float = 2.0
    growing: bool | None = None

    def move(self, active: float, rate: float) -> bool:
        """Move the factors as the layer's activity asks for; return whether it does."""
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


class _Trial:
    """Runs a network's mirror with other weights, for no longer than is needed."""

    def __init__(self, network: Network, images: NDArray[Any], seed: int) -> None:
        steps = min(network.config.steps, _TRIAL_STEPS)
        shown = Presentations.of(network.with_time(steps=steps).config, images, seed=seed)
        # One mirror for all trials: what settles would settle anew in each.
        self._mirror = NetworkMirror(network, dtype=torch.float64)
        self._drive = torch.from_numpy(shown.drive()).double()
        self._key = shown.key()

    @torch.no_grad()
    def __call__(self, network: Network) -> dict[str, tuple[float, float]]:
        """Return, by layer, how many neurons fire at all, and spikes for each neuron and step."""
        for name in self._mirror.synaptic:
            self._mirror.weights[name].copy_(torch.from_numpy(network.weights[name]))
        layers = self._mirror(self._drive, key=self._key).layers
        return {
            name: (
                float(activity.spikes.flatten(2).amax((0, 1)).mean()),
                float(activity.spikes.mean()),
            )
            for name, activity in layers.items()
        }
