"""Artificial neural variability: weights that vary from one update to the next.

Neural variable risk minimisation (Xie, He, Fu, Sato, Tao, Sugiyama 2020, arXiv:2011.06220) adds
e(t) - e(t-1) to the weights after update t, with independent noise e(t), so that gradients are
taken at weights with noise and the noise does not add up. At the end of an epoch it is removed.

The same in another form: the optimiser moves clean weights w(t), and the gradient of update t + 1
is taken at w(t) + e(t). The clean weights are the state of the run. They are what is evaluated,
averaged, projected into bounds, decayed and stored, and rounding errors of the increments do not
add up. Noise follows from the run's seed, the epoch and the batch, and is drawn again on resuming.

It differs from the authors' optimiser in three points: their first gradient of an epoch is without
noise; they vary biases and all other parameters, too; their weight decay acts on weights with
noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.random import stream
from bioae.trainers.training.tables import VariabilityConfig


def noise(
    settings: VariabilityConfig,
    shape: Collection[int],
    *,
    seed: int,
    epoch: int,
    batch: int,
    name: str,
) -> NDArray[np.float64]:
    """Draw the noise of an array in one update.

    It has the normal distribution of standard deviation b, the scale; the Laplace distribution of
    density exp(-|x| / b) / 2b and standard deviation sqrt(2) b; or the uniform one between -b and
    b, of standard deviation b / sqrt(3). Each array, such as ``LAYER.weight``, has a stream of
    `bioae.random` for every update, by the finished epochs and the finished batches of the next.
    """
    digest = hashlib.sha256(f"variability of {name}, {epoch}, {batch}".encode()).digest()
    generator = stream(seed, int.from_bytes(digest[:8], "little"))
    size = tuple(shape)
    if settings.distribution == "normal":
        return generator.normal(0, settings.scale, size)
    if settings.distribution == "laplace":
        return generator.laplace(0, settings.scale, size)
    return generator.uniform(-settings.scale, settings.scale, size)


class WeightNoise:
    """Noise on the weights of connections that are currently trained.

    `weights`, `synaptic`: all weights, biases and neuron parameters; the names of those that are
    weights of connections; `absent`: the places of arrays without a connection, by name: nothing
    varies there.
    """

    def __init__(
        self,
        weights: Mapping[str, nn.Parameter],
        synaptic: Collection[str],
        settings: VariabilityConfig,
        seed: int,
        absent: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._absent = absent
        self._weights = {
            name: weights[name]
            for name in synaptic
            if settings.layers is None or name.rpartition(".")[0] in settings.layers
        }

    @property
    def accumulates(self) -> bool:
        """True if noise stays in the weights."""
        return self._settings.accumulate

    @torch.no_grad()
    def add(self, epoch: int, batch: int) -> list[tuple[Tensor, Tensor]]:
        """Add the noise of an update to the weights that are trained, see `noise`.

        Returns the weights, each with a copy that has no noise, for `restore`.
        """
        trained = {name: each for name, each in self._weights.items() if each.requires_grad}
        clean: list[tuple[Tensor, Tensor]] = [
            (weight, weight.detach().clone()) for weight in trained.values()
        ]
        for name, weight in trained.items():
            drawn = noise(
                self._settings, weight.shape, seed=self._seed, epoch=epoch, batch=batch, name=name
            )
            varied = torch.from_numpy(drawn).to(weight)
            if name in self._absent:
                varied.masked_fill_(self._absent[name].to(weight.device), 0.0)
            weight.add_(varied)
        return clean

    @staticmethod
    @torch.no_grad()
    def restore(clean: Collection[tuple[Tensor, Tensor]]) -> None:
        """Set the weights back to their values before `add`, bit for bit."""
        for weight, before in clean:
            weight.copy_(before)
