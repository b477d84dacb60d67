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
from torch import Tensor

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
    low = -settings.scale if settings.distribution == "uniform" else 0
    draw = getattr(generator, settings.distribution)
    drawn: NDArray[np.float64] = draw(low, settings.scale, tuple(shape))
    return drawn


def varied(
    weights: Mapping[str, Tensor],
    settings: VariabilityConfig,
    *,
    absent: Mapping[str, Tensor] = MappingProxyType({}),
    seed: int,
    epoch: int,
    batch: int,
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the weights that vary in an update, and their values with noise, see `noise`.

    `weights` are those of connections, of which those that are trained vary; `absent` are the
    places without a connection, by name: nothing varies there.
    """
    trained = {
        name: weight
        for name, weight in weights.items()
        if weight.requires_grad
        and (settings.layers is None or name.rpartition(".")[0] in settings.layers)
    }
    values = []
    for name, weight in trained.items():
        drawn = noise(settings, weight.shape, seed=seed, epoch=epoch, batch=batch, name=name)
        added = torch.from_numpy(drawn).to(weight)
        if name in absent:
            added.masked_fill_(absent[name].to(weight.device), 0.0)
        values.append(weight.detach() + added)
    return [*trained.values()], values
