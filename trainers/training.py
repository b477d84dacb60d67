"""From a training configuration to a trained network on disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bioae.datasets import Images, load
from bioae.errors import DataError
from bioae.files import check_output
from bioae.network import Network
from bioae.trainers.config import TrainingConfig, load_config
from bioae.trainers.derivatives import derivative
from bioae.trainers.loop import METRICS, MODEL, Reporter, fit
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.problem import Problem, build_regularisers, torch_device
from bioae.trainers.regularisers import ActivityRegulariser

__all__ = ["TrainingResult", "assemble", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """What a training run leaves behind.

    Attributes
    ----------
    network
        The trained network, its weights on the grid that the configuration asks for.
    history
        The metrics of each epoch, as in ``metrics.jsonl``.
    out
        The run's folder.
    """

    network: Network
    history: tuple[dict[str, Any], ...]
    out: Path

    @property
    def model(self) -> Path:
        """The artefact of the network."""
        return self.out / MODEL

    @property
    def metrics(self) -> Path:
        """The file with a line of JSON an epoch."""
        return self.out / METRICS


def train(
    config: TrainingConfig | Path | str,
    out: Path | str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | None = None,
) -> TrainingResult:
    """Train a network as a configuration says, and write it.

    The folder `out` holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl`` from
    the start, and ``model``, the artefact, at the end. An interrupted run keeps what it has done.

    Parameters
    ----------
    config
        A configuration, or the path of one.
    out
        The run's folder.
    resume
        Go on from the checkpoint in `out`; the result has the same bits as if nothing had
        stopped the run.
    overwrite
        Replace a run in `out`; other files there are left alone.
    progress
        Called after every batch.

    Raises
    ------
    NetworkError
        If the configuration does not fit, or is not that of the run to resume, or the loss stops
        being finite.
    DataError
        If the images do not fit the network.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written.
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    """
    out = _check_folder(Path(out), replace=resume or overwrite)
    if not isinstance(config, TrainingConfig):
        config = load_config(config)
    problem = assemble(config)
    history = fit(problem, out, resume=resume, progress=progress)
    network = _trained(problem)
    _save(network, out / MODEL, config, history[-1])
    return TrainingResult(network, tuple(history), out)


def assemble(config: TrainingConfig) -> Problem:
    """Load the images, draw the weights, and derive the mirror.

    Raises
    ------
    DataError
        If there are no such images, or they are not of the network's size.
    NetworkError
        If a part of the configuration names what does not exist.
    ModelError
        If a neuron model does not fit.
    """
    settings, data = config.training, config.data
    device = torch_device(settings.device)
    rule = derivative(settings.derivative.name, **settings.derivative.parameters)
    spiking = [layer.name for layer in config.network.placed if layer.model.threshold is not None]
    regularisers = build_regularisers(config, spiking)
    potentials = any(
        isinstance(each, ActivityRegulariser) and each.needs_potential for each in regularisers
    )
    mirror = NetworkMirror(
        Network.initialise(config.network, seed=settings.seed),
        derivative=rule,
        trainable=settings.trainable,
        potentials="all" if potentials else "decoded",
        dtype=getattr(torch, settings.dtype),
    )
    return Problem(
        config=config,
        mirror=mirror.to(device),
        encode=partial(config.network.encoder.encode, steps=config.network.steps),
        train=_images(config, "train", data.train),
        validation=_images(config, "test", data.validation),
        regularisers=regularisers,
    )


def _images(config: TrainingConfig, split: str, limit: int | None) -> Images:
    images = load(config.data.name, "test" if split == "test" else "train", limit)
    if images.shape != config.network.input_shape:
        raise DataError(
            "the images are not of the network's size",
            where=f"{images.name}, split {split}",
            expected=f"(channel, y, x) = {config.network.input_shape}",
            found=str(images.shape),
        )
    return images


def _trained(problem: Problem) -> Network:
    assert isinstance(problem.mirror, NetworkMirror)
    network = problem.mirror.to_network()
    bits = problem.config.training.grid_bits
    return network if bits is None else network.quantised(bits)


def _save(network: Network, path: Path, config: TrainingConfig, metrics: dict[str, Any]) -> None:
    from bioae import artefact

    training = {key: value for key, value in config.to_mapping().items() if key != "network"}
    artefact.save(network, path, training=training, metrics=metrics, overwrite=True)


def _check_folder(out: Path, *, replace: bool) -> Path:
    empty = out.is_dir() and not any(out.iterdir())
    return check_output(out, overwrite=replace or empty, kind="folder")
