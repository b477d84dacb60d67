"""Trained networks as baselines; baselines on disk, ``config.toml`` and ``weights.safetensors``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as save_tensors
from torch import Tensor

from bioae.datasets import Data
from bioae.errors import ArtefactError
from bioae.files import atomic_output
from bioae.inputs import as_path, read_toml
from bioae.simulation.presentations import values_of
from experiments.baselines.autoencoder import AutoencoderModule
from experiments.baselines.base import Arrays, Baseline, Linear
from experiments.baselines.config import (
    BaselineConfig,
    FeedforwardKind,
    RecurrentKind,
    TrainedKind,
)
from experiments.baselines.layers import Activations, ConventionalModule
from experiments.baselines.recurrent import RecurrentModule

_CONFIG, _WEIGHTS = "config.toml", "weights.safetensors"


def conventional_module(config: BaselineConfig) -> ConventionalModule:
    """Return the conventional network of a configuration, see `ConventionalModule`."""
    if isinstance(config.baseline, FeedforwardKind):
        return ConventionalModule(config)
    if isinstance(config.baseline, RecurrentKind):
        return RecurrentModule(config)
    return AutoencoderModule(config)


class Conventional(Baseline):
    """A trained conventional network; a variational auto-encoder decodes the latent mean."""

    def __init__(self, module: ConventionalModule) -> None:
        super().__init__(module.config.network)
        self.module = module

    def arrays(self) -> Arrays:
        """Return its weights and biases."""
        return {name: each.detach().cpu().numpy() for name, each in self.module.arrays.items()}

    def activations(self, data: Data) -> Arrays:
        """Return the activations of layers by name, see `Activations`."""
        found = self._run(values_of(self.network, data)).layers
        return {name: _numpy(each) for name, each in found.items()}

    def _predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _numpy(self._run(values).output)

    def _latent(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        latent = self.module.config.latent.layer.name
        return _numpy(self._run(images).layers[latent].flatten(1))

    @torch.no_grad()
    def _run(self, values: NDArray[np.float64]) -> Activations:
        outputs: Activations = self.module(self.module.inputs(values))
        return outputs


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return values.cpu().double().numpy()


def save_baseline(baseline: Baseline, config: BaselineConfig, path: Path) -> None:
    """Write a baseline atomically, in place of one that is there."""
    arrays = {name: np.ascontiguousarray(each) for name, each in baseline.arrays().items()}
    with atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
        (temporary / _CONFIG).write_text(config.to_toml(), encoding="utf-8")
        (temporary / _WEIGHTS).write_bytes(save_tensors(arrays))


def load_baseline(path: Path | str) -> Baseline:
    """Read a baseline from the folder ``model`` of a run.

    Raises `ArtefactError` if there is none, or its arrays do not fit its description;
    `NetworkError` if the description does not fit together.
    """
    path = as_path(path, ArtefactError, "baseline")
    values = read_toml(path / _CONFIG, "baseline", error=ArtefactError)
    config = BaselineConfig.from_mapping(values, where=str(path / _CONFIG))
    if not isinstance(config.baseline, TrainedKind):
        return Linear(config.network, **_arrays(path / _WEIGHTS))
    module = conventional_module(config)
    if lacking := set_initial(module, path / _WEIGHTS):
        raise ArtefactError(f"the baseline has no arrays {sorted(lacking)}", where=str(path))
    return Conventional(module)


@torch.no_grad()
def set_initial(module: ConventionalModule, path: Path) -> set[str]:
    """Let a network start from the arrays of a file; those that it lacks keep their values.

    Returns the names of the arrays that it lacks.

    Raises `ArtefactError` if an array does not fit the network.
    """
    named = module.arrays
    arrays = _arrays(as_path(path, ArtefactError, "file of initial arrays"))
    for name, array in arrays.items():
        if name not in named or named[name].shape != array.shape:
            raise ArtefactError(f"the array {name!r} does not fit the baseline", where=str(path))
        named[name].copy_(torch.from_numpy(array))
    return named.keys() - arrays.keys()


def _arrays(path: Path) -> Arrays:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        what = "the arrays of the baseline are missing or damaged"
        raise ArtefactError(what, where=str(path), found=str(error)) from error
