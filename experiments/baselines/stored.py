"""Trained networks as baselines; baselines on disk, ``config.toml`` and ``weights.safetensors``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from torch import Tensor

from bioae.documents import read_toml
from bioae.errors import ArtefactError, NetworkError
from bioae.files import atomic_output
from bioae.inputs import check_input, read_input
from experiments.baselines.autoencoder import AutoencoderModule
from experiments.baselines.base import Arrays, Baseline
from experiments.baselines.config import BaselineConfig
from experiments.baselines.kinds import FeedforwardKind, RecurrentKind, TrainedKind
from experiments.baselines.layers import Activations, ConventionalModule, FeedforwardModule
from experiments.baselines.predictors import Linear
from experiments.baselines.recurrent import RecurrentModule

__all__ = ["Trained", "conventional_module", "load_baseline", "save_baseline", "set_initial"]

_CONFIG, _WEIGHTS = "config.toml", "weights.safetensors"


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


def save_baseline(baseline: Baseline, config: BaselineConfig, path: Path) -> None:
    """Write a baseline atomically, in place of one that is there.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    arrays = {name: np.ascontiguousarray(each) for name, each in baseline.arrays().items()}
    with atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
        (temporary / _CONFIG).write_text(config.to_toml(), encoding="utf-8")
        (temporary / _WEIGHTS).write_bytes(save_tensors(arrays))


def load_baseline(path: Path | str) -> Baseline:
    """Read a baseline from the folder ``model`` of a run.

    Raises
    ------
    ArtefactError
        If there is none, or it is truncated, or its arrays do not fit its description.
    NetworkError
        If the description does not fit together.
    """
    path = check_input(path, ArtefactError, "baseline")
    values = read_toml(path / _CONFIG, "baseline", error=ArtefactError)
    config = BaselineConfig.from_mapping(values, where=str(path / _CONFIG))
    arrays = _arrays(path / _WEIGHTS)
    _check_shapes(arrays, config.array_shapes, path / _WEIGHTS)
    if not isinstance(config.baseline, TrainedKind):
        return Linear(config.network, arrays["mean"], arrays["components"])
    tensors = {name: torch.from_numpy(each) for name, each in arrays.items()}
    return Trained(conventional_module(config, tensors))


@torch.no_grad()
def set_initial(module: ConventionalModule, path: Path) -> None:
    """Let a network start from the arrays of a file; those that it lacks keep their values.

    Parameters
    ----------
    module
        The network.
    path
        A file of safetensors, whose arrays have names of ``module.arrays``.

    Raises
    ------
    ArtefactError
        If there is no such file, or an array does not fit the network.
    """
    arrays = _arrays(check_input(path, ArtefactError, "file of initial arrays"))
    named = module.arrays
    if not arrays:
        raise ArtefactError(
            "the file holds no array",
            where=str(path),
            expected=f"some of {', '.join(named)}",
        )
    _check_shapes(
        arrays, {name: tuple(named[name].shape) for name in arrays if name in named}, path
    )
    for name, array in arrays.items():
        values = torch.from_numpy(array).to(named[name].dtype)
        if not values.isfinite().all():
            raise ArtefactError(
                f"the array {name!r} has values that are not finite as {values.dtype}",
                where=str(path),
            )
        named[name].copy_(values)


def _arrays(path: Path) -> Arrays:
    try:
        return load_tensors(read_input(path, None))
    except KeyError as error:
        raise ArtefactError(
            "the arrays have a type that cannot be read",
            where=str(path),
            expected="F64 or F32",
            found=str(error.args[0]),
        ) from error
    except (SafetensorError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            "the arrays of the baseline are missing or damaged", where=str(path), found=str(error)
        ) from error


def _check_shapes(arrays: Arrays, shapes: dict[str, tuple[int, ...]], path: Path) -> None:
    for name in sorted({*arrays, *shapes}):
        array: NDArray[Any] | None = arrays.get(name)
        shape = None if array is None else array.shape
        if shape != shapes.get(name):
            raise ArtefactError(
                f"the array {name!r} does not fit the baseline",
                where=str(path),
                expected=str(shapes.get(name, "no such array")),
                found="none" if shape is None else str(shape),
            )
        if array is not None and array.dtype.kind not in "iufb":
            raise ArtefactError(
                f"the array {name!r} does not fit the baseline",
                where=str(path),
                expected="real numbers",
                found=str(array.dtype),
            )
        if array is not None and not np.isfinite(array).all():
            raise ArtefactError(
                f"the array {name!r} has values that are not finite", where=str(path)
            )
