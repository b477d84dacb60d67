"""How far a reconstruction is from its image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from bioae.errors import NetworkError

__all__ = [
    "LOSSES",
    "Loss",
    "loss_function",
    "mean_squared_error",
    "squared_error",
    "sum_squared_error",
]

#: Takes reconstruction and images, (example, channel, y, x) each, and returns a number.
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the sum of squared errors of each image, shape (example,).

    Parameters
    ----------
    reconstruction, images
        Shape (example, channel, y, x), pixels in [0, 1].
    """
    return (reconstruction - images).square().flatten(1).sum(1)


def sum_squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the sum of squared errors of an image, as the mean over the batch.

    Source: the reconstruction loss of Hübotter, Lanillos, Tomczak 2021, arXiv:2109.11045.
    """
    return squared_error(reconstruction, images).mean()


def mean_squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the squared error of a pixel, as the mean over pixels and batch.

    It is `sum_squared_error` divided by the number of pixels: beside it, each regulariser weighs
    that many times more.
    """
    return (reconstruction - images).square().mean()


#: Every loss by its name.
LOSSES: dict[str, Loss] = {
    "sum_squared_error": sum_squared_error,
    "mean_squared_error": mean_squared_error,
}


def loss_function(name: str) -> Loss:
    """Return the loss of that name.

    Raises
    ------
    NetworkError
        If there is no such loss.
    """
    if name not in LOSSES:
        raise NetworkError("unknown loss", expected=f"one of {', '.join(LOSSES)}", found=repr(name))
    return LOSSES[name]
