"""Interface of baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets import Data
from bioae.networks.config import NetworkConfig
from bioae.simulation.presentations import Presentations, values_of

__all__ = ["Arrays", "Baseline"]

Arrays = dict[str, NDArray[Any]]

#: Images that are computed at once.
_PART = 500


class Baseline(ABC):
    """A reconstruction of images by other means than a spiking network.

    Parameters
    ----------
    network
        The description of the network that it is compared with, which gives the images' shape.
    """

    def __init__(self, network: NetworkConfig) -> None:
        self.network = network

    def reconstruct(self, images: Data | ArrayLike) -> NDArray[np.float64]:
        """Reconstruct images.

        Parameters
        ----------
        images
            A data set, or an array (example, channel, y, x) or (example, y, x) in [0, 1].

        Returns
        -------
        NDArray
            (example, channel, y, x).

        Raises
        ------
        DataError
            If the images do not fit.
        """
        parts = [self._reconstruct(part) for part in self._parts(images)]
        return np.concatenate(parts).reshape(-1, *self.network.input_shape)

    def latent(self, images: Data | ArrayLike) -> NDArray[np.float64]:
        """Return the latent numbers of images, from which they are reconstructed.

        Parameters
        ----------
        images
            As for `reconstruct`.

        Returns
        -------
        NDArray
            (example, number), of C order where the latent layer is an image; without numbers where
            a baseline ignores the image.

        Raises
        ------
        DataError
            If the images do not fit.
        """
        return np.concatenate([self._latent(part) for part in self._parts(images)])

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return what was learned from the training images, by name."""

    @abstractmethod
    def _reconstruct(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reconstruct images (example, channel, y, x) in any shape (example, ...)."""

    @abstractmethod
    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the latent numbers (example, number)."""

    def _parts(self, images: Data | ArrayLike) -> Iterator[NDArray[np.float64]]:
        data = Presentations.of(self.network, images).data
        for start in range(0, len(data), _PART):
            yield values_of(self.network, data[start : start + _PART])
