"""Conventional auto-encoders with the layers of a network's description, in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.noise import Key, draw, population_number
from bioae.random import stream
from bioae.trainers.baselines.base import Arrays, Baseline
from bioae.trainers.baselines.config import (
    LOG_VARIANCE,
    AutoencoderKind,
    BaselineConfig,
    Place,
    TrainedKind,
    VariationalKind,
    places,
)
from bioae.trainers.mirror.connections.functional import connect

__all__ = ["Activations", "Autoencoder", "AutoencoderModule", "kl_divergence"]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": lambda sums: sums,
}


@dataclass
class Activations:
    """The activations of a conventional network for a batch.

    Attributes
    ----------
    layers
        By name, in order (example, *shape).
    output
        The reconstructed images (example, channel, y, x).
    mean, log_variance
        The distribution of the latent layer (example, *shape) in a variational auto-encoder.
    """

    layers: dict[str, Tensor]
    output: Tensor
    mean: Tensor | None = None
    log_variance: Tensor | None = None


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of a Gaussian from the standard one, in nats.

    It is summed over independent dimensions, and averaged over the batch (Kingma, Welling 2014,
    arXiv:1312.6114, appendix B).

    Parameters
    ----------
    mean, log_variance
        Of each dimension (example, ...).
    """
    terms = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * terms.flatten(1).sum(1).mean()


class _Connections(nn.Module):
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


class AutoencoderModule(nn.Module):
    """The layers of a network's description as a conventional auto-encoder.

    Every layer is rectified but the latent and the last one, whose activation functions the
    configuration gives. In a variational auto-encoder the latent layer is the mean of a Gaussian,
    and a second set of weights from the same input gives the logarithm of its variance. Neuron
    models, time and recurrent connections have no counterpart.

    Parameters
    ----------
    config
        The configuration, of a kind that is trained.
    arrays
        The weights and biases, in the shapes of ``config.array_shapes``. By default the weights are
        drawn, normal with variance ``gain^2 / fan_in`` (gain^2 = 2 before a rectification: He et
        al. 2015, arXiv:1502.01852; 1 otherwise), and the biases are 0.

    Attributes
    ----------
    arrays
        Its weights and biases, by ``LAYER.weight`` and ``LAYER.bias``; those of the log-variance
        by ``LATENT.log_variance_weight`` and ``LATENT.log_variance_bias``.
    """

    def __init__(self, config: BaselineConfig, arrays: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        kind = config.baseline
        assert isinstance(kind, TrainedKind)
        self.config = config
        latent = config.latent.layer.name
        self.latent_name = latent
        self.places = places(config.network)
        self.variational = isinstance(kind, VariationalKind)
        self._names = {place.layer.name: "relu" for place in self.places}
        self._names[latent] = kind.latent if isinstance(kind, AutoencoderKind) else "linear"
        self._names[self.places[-1].layer.name] = kind.output
        arrays = self._drawn() if arrays is None else arrays
        # A list: the names of some layers would be those of attributes of a dictionary.
        self.layers = nn.ModuleList(self._connections(place, arrays) for place in self.places)
        self.log_variance = (
            self._connections(config.latent, arrays, LOG_VARIANCE) if self.variational else None
        )
        self.depth = 1 + [place.layer.name for place in self.places].index(latent)

    def _drawn(self) -> dict[str, Tensor]:
        """Return initial weights and biases."""
        dtype = getattr(torch, self.config.training.dtype)
        arrays = {
            name: torch.zeros(shape, dtype=dtype)
            for name, shape in self.config.array_shapes.items()
        }
        sources = [("", place) for place in self.places] + [(LOG_VARIANCE, self.config.latent)]
        for number, (prefix, (layer, input_shape, _)) in enumerate(sources, start=1):
            array = arrays.get(f"{layer.name}.{prefix}weight")
            if array is not None:
                gain = math.sqrt(2.0) if self._names[layer.name] == "relu" else 1.0
                scale = gain / math.sqrt(layer.fan_in(input_shape))
                generator = stream(self.config.training.seed, number)
                array.copy_(torch.from_numpy(generator.normal(0.0, scale, array.shape)))
        return arrays

    def _connections(
        self, place: Place, arrays: Mapping[str, Tensor], prefix: str = ""
    ) -> _Connections:
        weight, bias = (
            arrays.get(f"{place.layer.name}.{prefix}{kind}") for kind in ("weight", "bias")
        )
        return _Connections(place, weight, bias, getattr(torch, self.config.training.dtype))

    @property
    def arrays(self) -> dict[str, nn.Parameter]:
        """The trained tensors by name."""
        named = {
            f"{place.layer.name}.{key}": each
            for place, layer in zip(self.places, self.layers, strict=True)
            for key, each in layer.named_parameters()
        }
        if self.log_variance is not None:
            named |= {
                f"{self.latent_name}.{LOG_VARIANCE}{key}": each
                for key, each in self.log_variance.named_parameters()
            }
        return named

    def forward(self, images: Tensor, key: Key | None = None) -> Activations:
        """Encode and decode images.

        Parameters
        ----------
        images
            (example, channel, y, x).
        key
            The seed and the numbers of the examples, of which a variational auto-encoder draws
            latent numbers; without it they are the mean.
        """
        activations = {}
        mean = log_variance = None
        emitted = images
        for place, layer in zip(self.places, self.layers, strict=True):
            name = place.layer.name
            value = _ACTIVATIONS[self._names[name]](layer(emitted))
            if name == self.latent_name and self.log_variance is not None:
                mean, log_variance = value, self.log_variance(emitted)
                if key is not None:
                    value = mean + torch.exp(0.5 * log_variance) * self._normal(key, mean)
            activations[name] = emitted = value
        output = emitted.reshape(-1, *self.config.network.input_shape)
        return Activations(activations, output, mean, log_variance)

    def _normal(self, key: Key, like: Tensor) -> Tensor:
        numbers = draw(
            "normal", seed=key.seed, examples=key.examples, step=0, call=0,
            population=population_number(self.depth), count=math.prod(like.shape[1:]),
        )  # fmt: skip
        return torch.from_numpy(numbers).to(like).reshape(like.shape)


class Autoencoder(Baseline):
    """A trained conventional auto-encoder; a variational one decodes the latent mean.

    Parameters
    ----------
    module
        Its layers.
    """

    def __init__(self, module: AutoencoderModule) -> None:
        super().__init__(module.config.network)
        self.module = module

    def arrays(self) -> Arrays:
        """Return its weights and biases."""
        return {name: each.detach().cpu().numpy() for name, each in self.module.arrays.items()}

    def _reconstruct(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        return _numpy(self._run(images).output)

    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        return _numpy(self._run(images).layers[self.module.latent_name].flatten(1))

    @torch.no_grad()
    def _run(self, images: NDArray[np.float64]) -> Activations:
        like = next(iter(self.module.parameters()))
        outputs: Activations = self.module(torch.from_numpy(images).to(like))
        return outputs


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return values.cpu().double().numpy()
