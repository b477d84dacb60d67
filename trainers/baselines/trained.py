"""Conventional networks that are trained, as baselines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.errors import NetworkError
from bioae.trainers.baselines.autoencoder import AutoencoderModule
from bioae.trainers.baselines.base import Arrays, Baseline
from bioae.trainers.baselines.config import BaselineConfig
from bioae.trainers.baselines.kinds import FeedforwardKind, RecurrentKind
from bioae.trainers.baselines.layers import Activations, ConventionalModule, FeedforwardModule
from bioae.trainers.baselines.recurrent import RecurrentModule

__all__ = ["Trained", "conventional_module"]


def conventional_module(
    config: BaselineConfig, arrays: Mapping[str, Tensor] | None = None
) -> ConventionalModule:
    """Return the conventional network of a configuration, of a kind that is trained.

    Parameters
    ----------
    config, arrays
        See `ConventionalModule`.
    """
    if isinstance(config.baseline, FeedforwardKind):
        return FeedforwardModule(config, arrays)
    if isinstance(config.baseline, RecurrentKind):
        return RecurrentModule(config, arrays)
    return AutoencoderModule(config, arrays)


class Trained(Baseline):
    """A trained conventional network; a variational auto-encoder decodes the latent mean.

    Parameters
    ----------
    module
        Its layers.
    """

    def __init__(self, module: ConventionalModule) -> None:
        super().__init__(module.config.network)
        self.module = module

    def arrays(self) -> Arrays:
        """Return its weights and biases."""
        return {name: each.detach().cpu().numpy() for name, each in self.module.arrays.items()}

    def _predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _numpy(self._run(values).output)

    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            latent = self.module.config.latent.layer.name
        except ValueError as error:
            raise NetworkError(str(error)) from error
        return _numpy(self._run(images).layers[latent].flatten(1))

    @torch.no_grad()
    def _run(self, values: NDArray[np.float64]) -> Activations:
        outputs: Activations = self.module(self.module.inputs(values))
        return outputs


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return values.cpu().double().numpy()
