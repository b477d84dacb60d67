"""Losses of the reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from bioae.checks import one_of
from bioae.errors import NetworkError

__all__ = ["LOSSES", "Loss", "loss_function", "squared_error"]

#: Takes the reconstruction and the images, (example, channel, y, x) each, and returns a number.
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the sum of squared errors of each image, shape (example,).

    Parameters
    ----------
    reconstruction, images
        Shape (example, channel, y, x), pixels in [0, 1].
    """
    return (reconstruction - images).square().flatten(1).sum(1)


#: The losses by name: the squared error summed over the pixels of an image, averaged over the
#: batch, as in Hübotter, Lanillos, Tomczak 2021 (arXiv:2109.11045); or averaged over the pixels
#: too, which makes each regulariser weigh more by the number of pixels.
LOSSES: dict[str, Loss] = {
    "sum_squared_error": lambda reconstruction, images: squared_error(
        reconstruction, images
    ).mean(),
    "mean_squared_error": lambda reconstruction, images: (reconstruction - images).square().mean(),
}


def loss_function(name: str) -> Loss:
    """Return the loss of that name.

    Raises
    ------
    NetworkError
        If there is no such loss.
    """
    one_of(name, "the loss", tuple(LOSSES), error=NetworkError)
    return LOSSES[name]
