"""What is trained on what, put together from a configuration and checked before any work."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.datasets import Images
from bioae.errors import NetworkError
from bioae.noise import Key
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.losses import Loss, loss_function
from bioae.trainers.training.regularisers import REGULARISERS, Regulariser, WeightRegulariser

if TYPE_CHECKING:
    from bioae.trainers.mirror.network import Activity

__all__ = ["Batch", "Encode", "Mirror", "Problem", "build_regularisers", "torch_device"]


class Encode(Protocol):
    """Turns images into what drives the network, each by random numbers of its own."""

    def __call__(
        self, images: NDArray[np.float64], examples: NDArray[np.int64], /, *, seed: int
    ) -> NDArray[Any]:
        """Return the drive, shape (time, example, channel, y, x)."""


class Mirror(Protocol):
    """What training asks of the mirror of a network."""

    @property
    def weights(self) -> Mapping[str, torch.nn.Parameter]:
        """By ``LAYER.weight``, ``LAYER.recurrent`` and ``LAYER.PARAMETER``."""

    @property
    def synaptic(self) -> Collection[str]:
        """The names of weights that are connections, and not parameters of neurons."""

    def __call__(self, drive: Tensor, *, key: Key) -> Activity:
        """Run every step of a batch, shape (time, example, channel, y, x); `key` is the noise's."""

    def clamp_(self) -> None:
        """Project trainable neuron parameters into their bounds."""


class Batch(NamedTuple):
    """Some images, as the mirror takes them.

    Attributes
    ----------
    drive
        (time, example, channel, y, x).
    targets
        The images that it should become (example, channel, y, x).
    key
        What the noise of neurons depends on.
    """

    drive: Tensor
    targets: Tensor
    key: Key


@dataclass(frozen=True)
class Problem:
    """A network, the images to train it on, and what is to become small.

    Parameters
    ----------
    config
        The configuration it was made from.
    mirror
        The network, on the configuration's device and of its dtype.
    encode
        What turns images into the network's drive.
    train, validation
        The images to train on, and those held out.
    regularisers
        The terms of the loss beside the reconstruction.
    """

    config: TrainingConfig
    mirror: Mirror
    encode: Encode
    train: Images
    validation: Images
    regularisers: tuple[Regulariser, ...] = ()

    @property
    def loss(self) -> Loss:
        """The reconstruction loss."""
        return loss_function(self.config.training.loss)

    def batch(self, images: Images, seed: int) -> Batch:
        """Encode images, with random numbers that depend on the seed and on each one's number."""
        pixels = images.images
        drive = self.encode(pixels, images.indices, seed=seed)
        settings = self.config.training
        place = {"device": settings.device, "dtype": getattr(torch, settings.dtype)}
        return Batch(
            torch.from_numpy(drive).to(**place),
            torch.from_numpy(pixels).to(**place),
            Key(seed, images.indices),
        )


def build_regularisers(config: TrainingConfig, spiking: Iterable[str]) -> tuple[Regulariser, ...]:
    """Return the terms of a configuration.

    Parameters
    ----------
    config
        Which terms, with their coefficients and layers.
    spiking
        The names of the layers that spike, on which terms of the activity can act.

    Raises
    ------
    NetworkError
        If a term of the activity is to act on a layer that never spikes.
    """
    spiking = tuple(spiking)
    terms = []
    for symbol, values in config.regularisers.terms(config.network.latent).items():
        kind = REGULARISERS[symbol]
        silent = [name for name in values.layers or () if name not in spiking]
        if silent and not issubclass(kind, WeightRegulariser):
            raise NetworkError(
                f"the regulariser acts on {silent[0]!r}, a layer that never spikes",
                where=f"regularisers.{symbol}",
                expected=f"one of {', '.join(spiking)}",
            )
        terms.append(kind(**dict(values)))
    return tuple(terms)


def torch_device(name: str) -> torch.device:
    """Return a device that this machine has.

    Raises
    ------
    NetworkError
        If there is no such device, or nothing can be computed on it.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise NetworkError(
            "the device cannot be used",
            where="training.device",
            expected="a PyTorch device of this machine, such as cpu or cuda",
            found=f"{name!r}: {str(error).splitlines()[0]}",
            mend="For a GPU install its driver and a PyTorch for it (pytorch.org/get-started)",
        ) from error
    return device
