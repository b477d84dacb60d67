"""From a training configuration to a trained network on disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioae.datasets import Images, load
from bioae.errors import DataError, NetworkError
from bioae.files import check_output
from bioae.networks.network import Network
from bioae.noise import Key
from bioae.trainers.mirror.derivatives import derivative
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import TrainingConfig, load_config
from bioae.trainers.training.loop import METRICS, MODEL, Reporter, fit
from bioae.trainers.training.problem import Problem, build_regularisers, torch_device
from bioae.trainers.training.regularisers import ActivityRegulariser
from bioae.trainers.training.starting import START, starting_network

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
    the start, and ``model``, the artefact, at the end; where it starts from a trained network
    (``[training] init``), ``start`` is that network as training begins. An interrupted run keeps
    what it has done.

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
    kept = out / START
    start = starting_network(config, kept if resume and kept.exists() else None)
    config = config if config.training.init is None else config.with_network(start.config)
    problem = assemble(config, start)
    if not resume:
        _keep_start(start if config.training.init else None, kept)
    history = fit(problem, out, resume=resume, progress=progress)
    network = _trained(problem)
    _save(network, out / MODEL, config, history[-1])
    return TrainingResult(network, tuple(history), out)


def assemble(config: TrainingConfig, start: Network | None = None) -> Problem:
    """Load the images, draw the weights, and derive the mirror.

    Parameters
    ----------
    config
        What to train.
    start
        The weights to start from, in the configuration's network; drawn by default.

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
        start or Network.initialise(config.network, seed=settings.seed),
        derivative=rule,
        detach_reset=settings.derivative.detach_reset,
        detach_refractory=settings.derivative.detach_refractory,
        truncate=settings.truncate,
        recompute=settings.recompute,
        trainable=settings.trainable,
        per_neuron=settings.own,
        potentials="last" if potentials else "decoded",
        dtype=getattr(torch, settings.dtype),
        compile=settings.compile,
    )
    _check_named(config, mirror)
    return Problem(
        config=config,
        mirror=_checked(mirror.to(device), config),
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


def _check_named(config: TrainingConfig, mirror: NetworkMirror) -> None:
    """Refuse names of what nothing in the network trains."""
    arrays = [*mirror.weights]
    kinds = {name.rpartition(".")[2] for name in arrays}
    models = [placed.model for placed in config.network.placed]
    for name in config.training.trainable:
        if name not in {key.rpartition(".")[2] for key in mirror.trained}:
            allowed = sorted({each for model in models for each in model.trainable})
            raise NetworkError(
                f"no layer's neuron model lets {name!r} be trained",
                where="training, trainable",
                expected=f"one of {', '.join(allowed)}" if allowed else "none: no [trainable]",
            )
    for name in config.training.learning_rates:
        if name not in kinds and name not in arrays:
            raise NetworkError(
                f"nothing that is trained is called {name!r}",
                where="training, learning_rates",
                expected=f"one of {', '.join([*sorted(kinds), *arrays])}",
            )


def _checked(mirror: NetworkMirror, config: TrainingConfig) -> NetworkMirror:
    """Return the mirror; what was to be compiled is, or is refused, before any work is done."""
    if config.training.compile is True:
        silence = torch.zeros(config.network.steps, 1, *config.network.input_shape)
        mirror(silence, key=Key(config.training.seed, np.zeros(1, np.int64)))
    return mirror


def _trained(problem: Problem) -> Network:
    assert isinstance(problem.mirror, NetworkMirror)
    network = problem.mirror.to_network()
    bits = problem.config.training.grid_bits
    return network if bits is None else network.quantised(bits)


def _save(network: Network, path: Path, config: TrainingConfig, metrics: dict[str, Any]) -> None:
    from bioae.networks import artefact

    training = {key: value for key, value in config.to_mapping().items() if key != "network"}
    artefact.save(network, path, training=training, metrics=metrics, overwrite=True)


def _keep_start(start: Network | None, path: Path) -> None:
    from bioae.networks import artefact

    if start is not None:
        artefact.save(start, path, overwrite=True)
    elif path.is_dir():
        shutil.rmtree(path)  # that of the run which this one replaces


def _check_folder(out: Path, *, replace: bool) -> Path:
    empty = out.is_dir() and not any(out.iterdir())
    return check_output(out, overwrite=replace or empty, kind="folder")
