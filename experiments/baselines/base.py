"""Interface of baselines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets import Data
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.simulation.presentations import Presentations, values_of

__all__ = ["Arrays", "Baseline"]

Arrays = dict[str, NDArray[Any]]

#: Examples that are computed at once.
_PART = 500


class Baseline(ABC):
    """A prediction of a network's outputs by other means than spikes.

    Parameters
    ----------
    network
        The description of the network that it is compared with, which gives the
        shapes of examples and outputs.
    """

    def __init__(self, network: NetworkConfig) -> None:
        self.network = network

    def predict(self, data: Data | ArrayLike) -> NDArray[np.float64]:
        """Predict the outputs of examples.

        Parameters
        ----------
        data
            A data set; or an array of images in [0, 1], (example, channel, y, x) or
            (example, y, x), or of signals (example, time, channel).

        Returns
        -------
        NDArray
            (example, *output_shape), of the shape that the task gives: reconstructed images,
            an output for each class, numbers, or numbers at each step.

        Raises
        ------
        DataError
            If the data do not fit.
        """
        parts = [self._predict(part) for part in self._parts(data)]
        return np.concatenate(parts).reshape(-1, *self.network.output_shape)

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
        NetworkError
            If the task of the network is another one than reconstruction.
        """
        self._check_reconstructs()
        return self.predict(images)

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
        NetworkError
            If the task of the network is another one than reconstruction, or the network of a
            trained baseline names no latent layer.
        """
        self._check_reconstructs()
        return np.concatenate([self._latent(part) for part in self._parts(images)])

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return what was learned from the training data, by name."""

    @abstractmethod
    def _predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict the outputs (example, ...), in any shape, of images or signals."""

    @abstractmethod
    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the latent numbers (example, number)."""

    def _parts(self, data: Data | ArrayLike) -> Iterator[NDArray[np.float64]]:
        checked = Presentations.of(self.network, data).data
        for start in range(0, len(checked), _PART):
            yield values_of(self.network, checked[start : start + _PART])

    def _check_reconstructs(self) -> None:
        task = self.network.task.kind
        if task != "reconstruction":
            raise NetworkError(
                "the baseline does not reconstruct",
                where="network.task",
                expected="the task 'reconstruction'",
                found=repr(task),
                hint="Its outputs are those of `predict`",
            )
