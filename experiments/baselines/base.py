"""Interface of baselines, and predictors that are fitted in one step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets import Data
from bioae.errors import DataError
from bioae.networks.config import NetworkConfig
from bioae.simulation.presentations import Presentations, values_of

Arrays = dict[str, NDArray[Any]]

#: Examples that are computed at once.
_PART = 500


class Baseline(ABC):
    """A prediction of a network's outputs by other means than spikes.

    `network`: the description of the network that it is compared with, which gives the shapes of
    examples and outputs.
    """

    def __init__(self, network: NetworkConfig) -> None:
        self.network = network

    def predict(self, data: Data | ArrayLike) -> NDArray[np.float64]:
        """Predict the outputs of examples (example, *output_shape).

        `data`: a data set; or an array of images in [0, 1], (example, channel, y, x) or (example,
        y, x), or of signals (example, time, channel).
        """
        parts = [self._predict(part) for part in self._parts(data)]
        return np.concatenate(parts).reshape(-1, *self.network.output_shape)

    def latent(self, images: Data | ArrayLike) -> NDArray[np.float64]:
        """Return the latent numbers of images, from which they are reconstructed.

        Returns (example, number), of C order where the latent layer is an image; without numbers
        where a baseline ignores the image.
        """
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


class Linear(Baseline):
    """The mean image and its components: ``mean + (image - mean) C^T C`` with orthonormal rows C.

    Without components it is the mean image, and zero if that is zero.

    `network`: see `Baseline`; `mean`, `components`: the mean image (pixel), and the components
    (component, pixel).
    """

    def __init__(
        self, network: NetworkConfig, mean: NDArray[np.float64], components: NDArray[np.float64]
    ) -> None:
        super().__init__(network)
        pixels = math.prod(network.input_shape)
        self.mean, self.components = mean.reshape(pixels), components.reshape(-1, pixels)

    @classmethod
    def zero(cls, network: NetworkConfig) -> Linear:
        """Return the prediction of zero everywhere."""
        pixels = math.prod(network.input_shape)
        return cls(network, np.zeros(pixels), np.zeros((0, pixels)))

    @classmethod
    def fitted(cls, network: NetworkConfig, images: NDArray[np.float64], components: int) -> Linear:
        """Return the principal components of training images (example, channel, y, x).

        Raises `DataError` if there are fewer images than components.
        """
        from sklearn.decomposition import PCA

        flat = images.reshape(len(images), -1)
        if not components:
            return cls(network, flat.mean(0), np.zeros((0, flat.shape[1])))
        if components > len(flat):
            raise DataError(
                "there are fewer training images than principal components",
                where="baseline",
                expected=f"at most {len(flat)}",
                found=str(components),
            )
        # The faster one of two exact methods, for many images or for few.
        solver = "covariance_eigh" if len(flat) >= flat.shape[1] else "full"
        fit = PCA(components, svd_solver=solver).fit(flat)
        return cls(network, fit.mean_.astype(np.float64), fit.components_.astype(np.float64))

    def arrays(self) -> Arrays:
        """Return ``mean`` and ``components``."""
        return {"mean": self.mean, "components": self.components}

    def _predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.mean + self._latent(values) @ self.components

    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        return (images.reshape(len(images), -1) - self.mean) @ self.components.T
