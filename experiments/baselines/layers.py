"""Conventional layers in the shapes of a network's description, and what their networks share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
    RecurrentKind,
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
    """The weights and biases into a layer; pooling layers have fixed weights and no biases."""

    weight: Tensor

    def __init__(
        self, place: Place, weight: Tensor | None, bias: Tensor | None, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.place = place
        fixed = place.layer.fixed_weights(place.input_shape)
        if fixed is not None:
            self.register_buffer("weight", torch.from_numpy(fixed).to(dtype))
        else:
            assert weight is not None
            self.weight = nn.Parameter(weight.to(dtype))
        self.bias = None if bias is None else nn.Parameter(bias.to(dtype))

    def forward(self, emitted: Tensor) -> Tensor:
        """Return the sums of a layer (example, *shape)."""
        sums = connect(self.place.layer, emitted, self.weight)
        if self.bias is not None:
            shape = (1, -1) + (1,) * (sums.ndim - 2)
            sums = sums + self.bias.view(shape)
        return sums.reshape(-1, *self.place.shape)


class ConventionalModule(nn.Module):
    """The layers of a network's description with conventional units.

    Neuron models, random encoders and delays have no counterpart.

    `config`: the configuration, of a kind that is trained.
    `arrays`: the weights and biases, in the shapes of ``config.array_shapes``. By default the
        weights are drawn, normal with variance ``gain^2 / fan_in`` (gain^2 = 2 before a
        rectification: He et al. 2015, arXiv:1502.01852; 1 otherwise), and the biases are 0.

    `places`: the layers with their shapes; `activations`: the name of the activation function of
    each layer, by name.
    """

    def __init__(self, config: BaselineConfig, arrays: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.config = config
        self.places = places(config.network)
        self.activations = self._activations()
        self.dtype: torch.dtype = getattr(torch, config.training.dtype)
        drawn = self._drawn() if arrays is None else dict(arrays)
        # A list: the names of some layers would be those of attributes of a dictionary.
        self.layers = nn.ModuleList(self._layer(place, drawn) for place in self.places)
        self._set_up(drawn)

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
        assert isinstance(kind, TrainedKind)
        hidden = kind.activation if isinstance(kind, FeedforwardKind | RecurrentKind) else "relu"
        names: dict[str, str] = {place.layer.name: hidden for place in self.places}
        return names | {self.places[-1].layer.name: kind.output}

    def _activate(self, name: str, sums: Tensor) -> Tensor:
        return ACTIVATIONS[self.activations[name]](sums)

    def _tensor(self, values: NDArray[np.float64]) -> Tensor:
        like = next(iter(self.arrays.values()))
        return torch.from_numpy(values).to(like)

    def _set_up(self, arrays: Mapping[str, Tensor]) -> None:
        """Make what the network has besides its layers."""

    def _layer(self, place: Place, arrays: Mapping[str, Tensor]) -> ConventionalLayer:
        return self._connections(place, arrays)

    def _connections(
        self, place: Place, arrays: Mapping[str, Tensor], prefix: str = ""
    ) -> Connections:
        weight, bias = (
            arrays.get(f"{place.layer.name}.{prefix}{kind}") for kind in ("weight", "bias")
        )
        return Connections(place, weight, bias, self.dtype)

    def _drawn(self) -> dict[str, Tensor]:
        """Return initial weights and biases."""
        arrays = {
            name: torch.zeros(shape, dtype=self.dtype)
            for name, shape in self.config.array_shapes.items()
        }
        for number, (prefix, place) in enumerate(self.config.sources, start=1):
            named = {
                kind: array
                for kind in ("weight", "recurrent", "bias", "threshold")
                if (array := arrays.get(f"{place.layer.name}.{prefix}{kind}")) is not None
            }
            if named:
                self._draw(place, named, stream(self.config.training.seed, number))
        return arrays

    def _draw(self, place: Place, arrays: Mapping[str, Tensor], generator: Generator) -> None:
        """Draw the initial arrays of a layer, which are 0, by ``weight`` and so on."""
        gain = math.sqrt(2.0) if self.activations[place.layer.name] == "relu" else 1.0
        scale = gain / math.sqrt(place.layer.fan_in(place.input_shape))
        weight = arrays["weight"]
        weight.copy_(torch.from_numpy(generator.normal(0.0, scale, weight.shape)))
