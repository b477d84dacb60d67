"""Predictors that are fitted in one step: zero, the mean image, principal components."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bioae.errors import DataError
from bioae.networks.config import NetworkConfig
from experiments.baselines.base import Arrays, Baseline

__all__ = ["Linear", "principal_components"]


class Linear(Baseline):
    """The mean image and its components: ``mean + (image - mean) C^T C`` with orthonormal rows C.

    Without components it is the mean image, and zero if that is zero.

    Parameters
    ----------
    network
        See `Baseline`.
    mean
        The mean image (pixel).
    components
        The components (component, pixel).
    """

    def __init__(
        self, network: NetworkConfig, mean: NDArray[np.float64], components: NDArray[np.float64]
    ) -> None:
        super().__init__(network)
        self.mean = mean
        self.components = components

    @classmethod
    def zero(cls, network: NetworkConfig) -> Linear:
        """Return the prediction of zero everywhere."""
        pixels = math.prod(network.input_shape)
        return cls(network, np.zeros(pixels), np.zeros((0, pixels)))

    @classmethod
    def fitted(cls, network: NetworkConfig, images: NDArray[np.float64], components: int) -> Linear:
        """Return the principal components of training images (example, channel, y, x).

        Raises
        ------
        DataError
            If there are fewer images than components.
        """
        flat = images.reshape(len(images), -1)
        if not components:
            return cls(network, flat.mean(0), np.zeros((0, flat.shape[1])))
        return cls(network, *principal_components(flat, components))

    def arrays(self) -> Arrays:
        """Return ``mean`` and ``components``."""
        return {"mean": self.mean, "components": self.components}

    def _predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.mean + self._latent(values) @ self.components

    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        return (images.reshape(len(images), -1) - self.mean) @ self.components.T


def principal_components(
    samples: NDArray[np.float64], components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of samples (sample, feature), and their first principal components.

    Raises
    ------
    DataError
        If there are fewer samples than components.
    """
    from sklearn.decomposition import PCA

    if components > len(samples):
        raise DataError(
            "there are fewer training images than principal components",
            where="baseline.components",
            expected=f"at most {len(samples)}",
            found=str(components),
        )
    # The faster one of two exact methods, for many samples or for few.
    solver = "covariance_eigh" if len(samples) >= samples.shape[1] else "full"
    fit = PCA(components, svd_solver=solver).fit(samples)
    return np.asarray(fit.mean_, np.float64), np.asarray(fit.components_, np.float64)
