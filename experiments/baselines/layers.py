"""Conventional layers in the shapes of a network's description, and what their networks share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.noise import Key
from bioae.random import stream
from bioae.trainers.mirror.connections.functional import connect
from experiments.baselines.config import (
    BaselineConfig,
    FeedforwardKind,
    Place,
    TrainedKind,
    places,
)

#: The activation functions by name.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "erf": lambda sums: torch.erf(sums / math.sqrt(2.0)),
    "sigmoid": torch.sigmoid,
    "linear": lambda sums: sums,
}


@dataclass
class Activations:
    """The activations of a conventional network for a batch.

    `layers`: by name, in order (example, *shape); of a recurrent network (time, example, *shape).
    `output`: the outputs (example, *output_shape), reconstructed images of an auto-encoder.
    `mean`, `log_variance`: the distribution of the latent layer (example, *shape) in a variational
        auto-encoder.
    """

    layers: dict[str, Tensor]
    output: Tensor
    mean: Tensor | None = None
    log_variance: Tensor | None = None


#: The last parts of the names of weights, those of variational auto-encoders included.
_WEIGHT_KINDS = ("weight", "recurrent", "log_variance_weight")


class ConventionalLayer(nn.Module):
    """A layer of conventional units."""

    @property
    def arrays(self) -> dict[str, nn.Parameter]:
        """The trained tensors by ``weight``, ``bias`` and so on."""
        return dict(self.named_parameters())


class Connections(ConventionalLayer):
    """The weights and biases into a layer; pooling layers have fixed weights and no biases.

    Weights are normal with the variance ``gain^2 / fan_in``, biases are 0.
    """

    weight: Tensor

    def __init__(self, place: Place, generator: Generator, *, gain: float, bias: bool) -> None:
        super().__init__()
        self.place, self.bias = place, None
        fixed = place.layer.fixed_weights(place.input_shape)
        if fixed is not None:
            self.register_buffer("weight", torch.from_numpy(fixed))
            return
        self.weight = nn.Parameter(normal_weights(place, generator, gain))
        if bias or place.layer.bias:
            shape = place.layer.bias_shape(place.input_shape)[:1]
            self.bias = nn.Parameter(torch.zeros(shape, dtype=torch.float64))

    def forward(self, emitted: Tensor) -> Tensor:
        """Return the sums of a layer (example, *shape)."""
        sums = connect(self.place.layer, emitted, self.weight)
        if self.bias is not None:
            shape = (1, -1) + (1,) * (sums.ndim - 2)
            sums = sums + self.bias.view(shape)
        return sums.reshape(-1, *self.place.shape)


def normal_weights(place: Place, generator: Generator, gain: float) -> Tensor:
    """Draw the weights into a layer."""
    scale = gain / math.sqrt(place.layer.fan_in(place.input_shape))
    shape = place.layer.weight_shape(place.input_shape)
    return torch.from_numpy(generator.normal(0.0, scale, shape))


class ConventionalModule(nn.Module):
    """The layers of a network's description with conventional units.

    Neuron models, random encoders and delays have no counterpart. Weights are drawn, normal with
    variance ``gain^2 / fan_in`` (gain^2 = 2 before a rectification: He et al. 2015,
    arXiv:1502.01852; 1 otherwise), and biases are 0.

    `config`: the configuration, of a kind that is trained.

    `places`: the layers with their shapes; `activations`: the name of the activation function of
    each layer, by name.
    """

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        self.places = places(config.network)
        self.activations = self._activations()
        # A list: the names of some layers would be those of attributes of a dictionary.
        self.layers = nn.ModuleList(
            self._layer(place, self._generator(number))
            for number, place in enumerate(self.places, start=1)
        )
        self._set_up()
        self.to(getattr(torch, config.training.dtype))

    @property
    def arrays(self) -> dict[str, nn.Parameter]:
        """The trained tensors by name, such as ``LAYER.weight`` and ``LAYER.bias``."""
        named: dict[str, nn.Parameter] = {}
        for place, layer in zip(self.places, self.layers, strict=True):
            assert isinstance(layer, ConventionalLayer)
            named |= {f"{place.layer.name}.{key}": each for key, each in layer.arrays.items()}
        return named

    @property
    def synaptic(self) -> list[str]:
        """The names of the weights of connections, without biases."""
        return [name for name in self.arrays if name.rpartition(".")[2] in _WEIGHT_KINDS]

    def inputs(self, values: NDArray[np.float64]) -> Tensor:
        """Return images (example, channel, y, x) or signals (example, time, channel) as input.

        Returns (example, *shape); (time, example, *shape) of a recurrent network.
        """
        shape = self.places[0].input_shape
        return self._tensor(values).reshape(len(values), *shape)

    def forward(self, inputs: Tensor, key: Key | None = None) -> Activations:
        """Return the activations for inputs, as `inputs` gives them.

        `key`: the seed and the numbers of the examples, for networks that draw random numbers.
        """
        activations, emitted = {}, inputs
        for place, layer in zip(self.places, self.layers, strict=True):
            name = place.layer.name
            activations[name] = emitted = self._activate(name, layer(emitted))
        output = emitted.reshape(-1, *self.config.network.output_shape)
        return Activations(activations, output)

    def _activations(self) -> dict[str, str]:
        """Return the name of the activation function of each layer, by name."""
        kind = self.config.baseline
        hidden = kind.activation if isinstance(kind, FeedforwardKind) else "relu"
        names: dict[str, str] = {place.layer.name: hidden for place in self.places}
        return names | {self.places[-1].layer.name: "linear"}

    def _activate(self, name: str, sums: Tensor) -> Tensor:
        return ACTIVATIONS[self.activations[name]](sums)

    def _tensor(self, values: NDArray[np.float64]) -> Tensor:
        like = next(iter(self.arrays.values()))
        return torch.from_numpy(values).to(like)

    def _generator(self, number: int) -> Generator:
        return stream(self.config.training.seed, number)

    def _gain(self, place: Place) -> float:
        return math.sqrt(2.0) if self.activations[place.layer.name] == "relu" else 1.0

    def _set_up(self) -> None:
        """Make what the network has besides its layers."""

    def _layer(self, place: Place, generator: Generator) -> ConventionalLayer:
        kind = self.config.baseline
        assert isinstance(kind, TrainedKind)
        return Connections(place, generator, gain=self._gain(place), bias=kind.bias)
