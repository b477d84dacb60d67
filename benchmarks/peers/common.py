"""Parts that the peers share: connections, and decoding of the last layer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bioae.networks import Network, PlacedLayer
from bioae.networks.layers import Conv2d, ConvTranspose2d

#: The slope of the fast sigmoid, 1 / (1 + slope |x|)^2; Norse ignores any other.
SLOPE = 1.0


class Lif(NamedTuple):
    """A leaky integrate-and-fire neuron with a reset to 0: ``v = decay v + input``.

    Attributes
    ----------
    decay
        The factor of a potential per step.
    threshold
        The neuron fires above it.
    """

    decay: float
    threshold: float


class Wiring(NamedTuple):
    """The weights of a recurrent layer.

    Attributes
    ----------
    feed
        From the input (neuron, channel).
    own
        Between the neurons (target, source).
    """

    feed: Tensor
    own: Tensor


class Outcome(NamedTuple):
    """The result of a presentation.

    Attributes
    ----------
    reconstruction
        The decoded images (example, channel, y, x).
    counts
        Spikes of each neuron, by layer (example, *shape).
    """

    reconstruction: Tensor
    counts: dict[str, Tensor]


class Population(nn.Module, ABC):
    """A layer of a peer's neurons, which keep their state between calls."""

    @abstractmethod
    def start(self) -> None:
        """Reset the state for a new presentation."""

    @abstractmethod
    def forward(self, arriving: Tensor) -> Tensor:
        """Return the spikes (time, example, ...) for an input (time, example, ...)."""


class RecurrentLayer(nn.Module, ABC):
    """A recurrent layer of a peer's neurons.

    Parameters
    ----------
    wiring
        The weights.
    unit
        The peer's factor of its input; weights are divided by it.
    """

    def __init__(self, wiring: Wiring, unit: float = 1.0) -> None:
        super().__init__()
        self.feed, self.own = (_linear(weight / unit) for weight in wiring)

    @abstractmethod
    def forward(self, drive: Tensor) -> Tensor:
        """Return the spikes (time, example, neuron) for an input (time, example, channel)."""


class SteppedPopulation(Population):
    """A layer of neurons that a peer runs one step at a time, the state handed on."""

    def __init__(self) -> None:
        super().__init__()
        self._state: Any = None

    def start(self) -> None:
        """Reset the state for a new presentation."""
        self._state = None

    def forward(self, arriving: Tensor) -> Tensor:
        """Return the spikes (time, example, ...) for an input (time, example, ...)."""
        spikes, self._state = _in_steps(self.step, arriving, self._state)
        return spikes

    @abstractmethod
    def step(self, arriving: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the spikes and the state after a step, None at first."""


class SteppedRecurrentLayer(RecurrentLayer):
    """A recurrent layer that a peer runs one step at a time, the spikes and the state handed on."""

    def forward(self, drive: Tensor) -> Tensor:
        """Return the spikes (time, example, neuron) for an input (time, example, channel)."""

        def step(each: Tensor, before: tuple[Tensor, Any]) -> tuple[Tensor, tuple[Tensor, Any]]:
            fired, state = self.step(each, *before)
            return fired, (fired, state)

        arriving = self.feed(drive)
        return _in_steps(step, arriving, (torch.zeros_like(arriving[0]), None))[0]

    @abstractmethod
    def step(self, arriving: Tensor, fired: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the spikes and the state after a step, from those before it."""


def _in_steps(
    step: Callable[[Tensor, Any], tuple[Tensor, Any]], arriving: Tensor, state: Any
) -> tuple[Tensor, Any]:
    """Return the spikes of all steps, and the last state."""
    spikes = []
    for each in arriving.unbind(0):
        fired, state = step(each, state)
        spikes.append(fired)
    return torch.stack(spikes), state


class PeerNetwork(nn.Module):
    """A bioae network with the neurons of a peer.

    Parameters
    ----------
    network
        The bioae network.
    population
        Returns neurons.
    unit
        Returns the peer's factor of its input; weights are divided by it.
    together
        The number of steps that a layer runs before the next layer; all by default.
    """

    def __init__(
        self,
        network: Network,
        population: Callable[[Lif], Population],
        *,
        unit: Callable[[Lif], float] = lambda _: 1.0,
        together: int | None = None,
    ) -> None:
        super().__init__()
        self.config = network.config
        self.together = together or network.config.steps
        self.connections = nn.ModuleDict()
        self.populations = nn.ModuleDict()
        for placed in self.config.placed:
            neurons = _lif(network, placed)
            weight = torch.tensor(network.weights[f"{placed.name}.weight"], dtype=torch.float32)
            self.connections[placed.name] = _connection(placed, weight / unit(neurons))
            self.populations[placed.name] = population(neurons)
        # The decoded potential has the leak of the last layer, and is never reset.
        self._leak, self._unit = neurons.decay, unit(neurons)

    def forward(self, drive: Tensor) -> Outcome:
        """Run a presentation of an encoded input (time, example, channel, y, x)."""
        for population in self.populations.values():
            population.start()
        counts: dict[str, Tensor] = {}
        last, arrived, emitted = [*self.populations][-1], [], []
        for part in drive.split(self.together):
            spikes = part
            for name, connection in self.connections.items():
                sums = connection(spikes.flatten(0, 1))
                sums = sums.unflatten(0, (len(part), -1))
                spikes = self.populations[name](sums)
                count = spikes.sum(0)
                counts[name] = counts[name] + count if name in counts else count
                if name == last:
                    arrived.append(sums)
                    emitted.append(spikes)
        return Outcome(self._decode(torch.cat(arrived), torch.cat(emitted)), counts)

    def _decode(self, arrived: Tensor, spikes: Tensor) -> Tensor:
        config, activity = self.config, spikes
        if config.decoder.reads_potential:
            potentials, potential = [], torch.zeros_like(arrived[0])
            for each in (arrived * self._unit).unbind(0):
                potential = (potential + each) * self._leak
                potentials.append(potential)
            activity = torch.stack(potentials)
        scale = config.default_scale
        decoded: Tensor = config.decoder.decode(activity, default_scale=scale)
        return decoded.reshape(-1, *config.input_shape)


def _lif(network: Network, placed: PlacedLayer) -> Lif:
    config, parameters = network.config, network.parameters(placed)
    plain = placed.model.name == "lif" and placed.readout.name == "leaky_readout"
    delayed = any(network.delays(placed).values())
    if not plain or delayed or placed.layer.recurrent or config.schedule != "paper":
        raise ValueError(
            f"the peers have no equivalent of the layer {placed.name!r} of this network"
        )
    decay = math.exp(-config.dt_seconds / float(parameters["tau"]))
    return Lif(decay, float(parameters["theta"]))


def _connection(placed: PlacedLayer, weight: Tensor) -> nn.Module:
    layer, module = placed.layer, nn.Module()
    if isinstance(layer, Conv2d):
        inputs, outputs = placed.input_shape[0], placed.shape[0]
        module = nn.Conv2d(
            inputs, outputs, layer.kernel, layer.stride, layer.padding, layer.dilation,
            layer.groups, bias=False,
        )  # fmt: skip
    elif isinstance(layer, ConvTranspose2d):
        inputs, outputs = placed.input_shape[0], placed.shape[0]
        module = nn.ConvTranspose2d(
            inputs, outputs, layer.kernel, layer.stride, layer.padding, layer.output_padding,
            layer.groups, bias=False, dilation=layer.dilation,
        )  # fmt: skip
    else:
        return nn.Sequential(nn.Flatten(), _linear(weight), nn.Unflatten(1, placed.shape))
    module.weight = nn.Parameter(weight)
    return module


def _linear(weight: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(weight.clone())
    return linear
