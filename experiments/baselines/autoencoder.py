"""Conventional auto-encoders, variational ones among them, in PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bioae.noise import Key, draw, population_number
from experiments.baselines.config import AutoencoderKind, VariationalKind
from experiments.baselines.layers import Activations, ConventionalModule


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of a Gaussian from the standard one, in nats.

    It is summed over independent dimensions, and averaged over the batch (Kingma, Welling 2014,
    arXiv:1312.6114, appendix B).

    `mean`, `log_variance`: of each dimension (example, ...).
    """
    terms = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * terms.flatten(1).sum(1).mean()


def largest(values: Tensor, number: int) -> Tensor:
    """Return values (example, unit) with 0 for all but the largest `number` of an example."""
    return torch.zeros_like(values).scatter(1, *reversed(values.topk(number)))


def quantised(values: Tensor, levels: int) -> Tensor:
    """Round values from 0 to 1 to evenly spaced levels; the gradient passes as if it did not.

    As finite scalar quantisation (Mentzer et al. 2024, arXiv:2309.15505).
    """
    return values + ((values * (levels - 1)).round() / (levels - 1) - values).detach()


class AutoencoderModule(ConventionalModule):
    """The layers of a network's description as a conventional auto-encoder.

    Every layer is rectified but the latent and the last one, whose activation functions the
    configuration gives. In a variational auto-encoder the latent layer is the mean of a Gaussian,
    and a second set of weights from the same input gives the logarithm of its variance: the arrays
    ``LATENT.log_variance_weight`` and ``LATENT.log_variance_bias``.

    `config`: see `ConventionalModule`.
    """

    def _set_up(self) -> None:
        self.latent_name = self.config.latent.layer.name
        self.depth = 1 + [place.layer.name for place in self.places].index(self.latent_name)
        variational = isinstance(self.config.baseline, VariationalKind)
        generator = self._generator(len(self.places) + 1)
        self.log_variance = self._layer(self.config.latent, generator) if variational else None

    def _activations(self) -> dict[str, str]:
        kind = self.config.baseline
        latent = "linear"
        if isinstance(kind, AutoencoderKind):
            latent = kind.latent if kind.levels is None else "sigmoid"
        return super()._activations() | {self.config.latent.layer.name: latent}

    def _activate(self, name: str, sums: Tensor) -> Tensor:
        values, kind = super()._activate(name, sums), self.config.baseline
        if name == self.latent_name and isinstance(kind, AutoencoderKind):
            if kind.active is not None:
                values = largest(values, kind.active)
            if kind.levels is not None:
                values = quantised(values, kind.levels)
        return values

    @property
    def arrays(self) -> dict[str, nn.Parameter]:
        """The trained tensors by name, those of the log-variance at the end."""
        named = super().arrays
        if self.log_variance is not None:
            named |= {
                f"{self.latent_name}.log_variance_{key}": each
                for key, each in self.log_variance.named_parameters()
            }
        return named

    def forward(self, inputs: Tensor, key: Key | None = None) -> Activations:
        """Encode and decode images.

        `inputs`: images (example, channel, y, x); `key`: the seed and the numbers of the examples,
        of which a variational auto-encoder draws latent numbers; without it they are the mean.
        """
        if self.log_variance is None:
            return super().forward(inputs)
        activations = {}
        mean = log_variance = None
        emitted = inputs
        for place, layer in zip(self.places, self.layers, strict=True):
            name = place.layer.name
            value = self._activate(name, layer(emitted))
            if name == self.latent_name:
                mean, log_variance = value, self.log_variance(emitted)
                if key is not None:
                    value = mean + torch.exp(0.5 * log_variance) * self._normal(key, mean)
            activations[name] = emitted = value
        output = emitted.reshape(-1, *self.config.network.output_shape)
        return Activations(activations, output, mean, log_variance)

    def _normal(self, key: Key, like: Tensor) -> Tensor:
        numbers = draw(
            "normal", key, step=0, call=0, population=population_number(self.depth),
            count=math.prod(like.shape[1:]),
        )  # fmt: skip
        return torch.from_numpy(numbers).to(like).reshape(like.shape)
