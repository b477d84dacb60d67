"""Train a network from a configuration: assemble the problem, run the loop, write the artefact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioae.datasets import Data, load
from bioae.errors import NetworkError, OutputError
from bioae.files import check_output, remove
from bioae.inputs import as_path
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.noise import Key
from bioae.simulation.presentations import check_fit
from bioae.trainers.mirror.derivatives import derivative
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import TrainingConfig, load_config
from bioae.trainers.training.loop import METRICS, MODEL, Reporter, fit
from bioae.trainers.training.objective import (
    REGULARISERS,
    ActivityRegulariser,
    Regulariser,
    WeightRegulariser,
)
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.starting import START, starting_network

__all__ = ["TrainingResult", "assemble", "build_regularisers", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training run.

    Attributes
    ----------
    network
        The trained network, its weights rounded to the configured grid.
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
        """The file of metrics, one line of JSON per epoch."""
        return self.out / METRICS


def train(
    config: TrainingConfig | Path | str,
    out: Path | str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | None = None,
) -> TrainingResult:
    """Train a network from a configuration, and write it.

    The folder `out` holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl`` from
    the start, and ``model``, the artefact, at the end. If the run starts from a trained network
    (``[training] init``), ``start`` is that network as training begins. An interrupted run keeps
    its progress.

    Parameters
    ----------
    config
        A configuration, or the path of one.
    out
        The run's folder.
    resume
        Continue from the checkpoint in `out`; the result is bit for bit that of an uninterrupted
        run.
    overwrite
        Replace a run in `out`; other files there are left unchanged.
    progress
        Called after every batch.

    Raises
    ------
    NetworkError
        If the configuration does not fit, or differs from that of the run to resume, or the loss
        is no longer finite.
    DataError
        If the images do not fit the network.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written.
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    """
    out = _check_folder(as_path(out, OutputError, "output"), replace=resume or overwrite)
    if not isinstance(config, TrainingConfig):
        config = load_config(config)
    stored = out / START
    start = starting_network(config, stored if resume and stored.exists() else None)
    config = config if config.training.init is None else config.with_network(start.config)
    problem = assemble(config, start)
    if not resume:
        _store_start(start if config.training.init else None, stored)
    history = fit(problem, out, resume=resume, progress=progress)
    network = problem.mirror.to_network()
    if config.training.grid_bits is not None:
        network = network.quantised(config.training.grid_bits)
    training = {key: value for key, value in config.to_mapping().items() if key != "network"}
    artefact.save(network, out / MODEL, training=training, metrics=history[-1], overwrite=True)
    return TrainingResult(network, tuple(history), out)


def assemble(config: TrainingConfig, start: Network | None = None) -> Problem:
    """Load the images, draw the weights, and derive the mirror.

    Parameters
    ----------
    config
        The run's configuration.
    start
        The network to start from, with the configuration's description; weights are drawn by
        default.

    Raises
    ------
    DataError
        If there are no such images, or their size is not the network's.
    NetworkError
        If a name in the configuration does not exist.
    ModelError
        If a neuron model does not fit.
    """
    settings, data = config.training, config.data
    device = _torch_device(settings.device)
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
    _check_names(config, mirror)
    mirror = mirror.to(device)
    if settings.compile is True:
        # Layers are compiled on first use: those that cannot be are refused before any training.
        silence = torch.zeros(config.network.steps, 1, *config.network.encoded_shape)
        mirror(silence, key=Key(settings.seed, np.zeros(1, np.int64)))
    return Problem(
        config=config,
        mirror=mirror,
        train=_images(config, "train", data.train),
        validation=_images(config, "test", data.validation),
        regularisers=regularisers,
    )


def build_regularisers(config: TrainingConfig, spiking: Iterable[str]) -> tuple[Regulariser, ...]:
    """Return the regularisers of a configuration.

    Parameters
    ----------
    config
        The terms, with their coefficients and layers.
    spiking
        The names of the layers that spike, on which terms of the activity can act.

    Raises
    ------
    NetworkError
        If a term of the activity acts on a layer that never spikes.
    """
    spiking = tuple(spiking)
    terms = []
    for symbol, values in config.regularisers.terms(config.network.latent).items():
        kind = REGULARISERS[symbol]
        silent = [name for name in values.layers or () if name not in spiking]
        if silent and not issubclass(kind, WeightRegulariser):
            raise NetworkError(
                f"the regulariser acts on {silent[0]!r}, a layer that never spikes",
                where=f"regularisers.{symbol}",
                expected=f"one of {', '.join(spiking)}",
            )
        terms.append(kind(**dict(values)))
    return tuple(terms)


def _torch_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise NetworkError(
            "the device cannot be used",
            where="training.device",
            expected="a PyTorch device of this machine, such as cpu or cuda",
            found=f"{name!r}: {str(error).splitlines()[0]}",
            mend="For a GPU install its driver and a PyTorch for it (pytorch.org/get-started)",
        ) from error
    return device


def _images(config: TrainingConfig, split: str, limit: int | None) -> Data:
    images = load(config.data.name, "test" if split == "test" else "train", limit)
    check_fit(config.network, images)
    if config.network.task.target != "images":  # refused before any training
        config.network.task.target_of(images, config.network.steps)
    return images


def _check_names(config: TrainingConfig, mirror: NetworkMirror) -> None:
    """Refuse names of parameters that no layer trains."""
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
                f"no trained weight or parameter is called {name!r}",
                where="training, learning_rates",
                expected=f"one of {', '.join([*sorted(kinds), *arrays])}",
            )


def _store_start(start: Network | None, path: Path) -> None:
    if start is not None:
        artefact.save(start, path, overwrite=True)
    else:
        remove(path)  # of the run that this one replaces


def _check_folder(out: Path, *, replace: bool) -> Path:
    empty = out.is_dir() and not any(out.iterdir())
    return check_output(out, overwrite=replace or empty, kind="folder")
