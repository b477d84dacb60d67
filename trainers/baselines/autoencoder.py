"""Conventional auto-encoders with the layers of a network's description, in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.noise import Key, draw, population_number
from bioae.random import stream
from bioae.trainers.baselines.base import Arrays, Baseline
from bioae.trainers.baselines.config import (
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
    """The weights and biases into a layer.

    Initial weights are normal with variance ``gain^2 / fan_in`` (gain^2 = 2: He et al. 2015,
    arXiv:1502.01852), biases are 0. Pooling layers have fixed weights and no biases.
    """

    weight: Tensor

    def __init__(
        self, place: Place, *, bias: bool, gain: float, generator: Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.place = place
        layer = place.layer
        fixed = layer.fixed_weights(place.input_shape)
        self.bias: nn.Parameter | None = None
        if fixed is not None:
            self.register_buffer("weight", torch.from_numpy(fixed).to(dtype))
            return
        scale = gain / math.sqrt(layer.fan_in(place.input_shape))
        drawn = generator.normal(0.0, scale, layer.weight_shape(place.input_shape))
        self.weight = nn.Parameter(torch.from_numpy(drawn).to(dtype))
        if bias:
            self.bias = nn.Parameter(torch.zeros(layer.bias_shape(place.input_shape), dtype=dtype))

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

    Attributes
    ----------
    arrays
        Its weights and biases, by ``LAYER.weight`` and ``LAYER.bias``; those of the log-variance
        by ``LATENT.log_variance.weight`` and so on.
    """

    def __init__(self, config: BaselineConfig) -> None:
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
        # A list: the names of some layers would be those of attributes of a dictionary.
        self.layers = nn.ModuleList(
            self._drawn(place, number) for number, place in enumerate(self.places, start=1)
        )
        self.log_variance = (
            self._drawn(config.latent, len(self.places) + 1) if self.variational else None
        )
        self.depth = 1 + [place.layer.name for place in self.places].index(latent)

    def _drawn(self, place: Place, number: int) -> _Connections:
        kind, settings = self.config.baseline, self.config.training
        assert isinstance(kind, TrainedKind)
        return _Connections(
            place,
            bias=kind.bias or place.layer.bias,
            gain=math.sqrt(2.0) if self._names[place.layer.name] == "relu" else 1.0,
            generator=stream(settings.seed, number),
            dtype=getattr(torch, settings.dtype),
        )

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
                f"{self.latent_name}.log_variance.{key}": each
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
