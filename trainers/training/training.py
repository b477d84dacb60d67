"""Train a network from a configuration: assemble the problem, run the loop, write the artefact."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioae.equations.parameters import trained_bounds
from bioae.files import remove
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.progress import check_progress
from bioae.runs.splits import splits
from bioae.trainers.mirror.derivatives import derivative
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer import LayerOptions
from bioae.trainers.mirror.layer_parameters import with_bounds
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.checkpoint import check_exists
from bioae.trainers.training.config import TrainingConfig, load_config
from bioae.trainers.training.descent import reproducible, torch_device
from bioae.trainers.training.folder import (
    CHECKPOINT,
    METRICS,
    MODEL,
    START,
    TEST,
    alone_in,
    check_folder,
)
from bioae.trainers.training.loop import fit
from bioae.trainers.training.names import check_names
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.progress import Reporter
from bioae.trainers.training.reach import check_reached, check_trained
from bioae.trainers.training.regularisers import ActivityRegulariser
from bioae.trainers.training.sections import OptimisationConfig
from bioae.trainers.training.stages import stages_of
from bioae.trainers.training.starting import starting_network
from bioae.trainers.training.tables import DerivativeConfig

__all__ = ["TrainingResult", "assemble", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training run.

    Attributes
    ----------
    network
        The trained network, its weights rounded to the configured grid.
    history
        The metrics of each epoch, as in ``metrics.jsonl``.
    summary
        The metrics of the network, as in the artefact: of the epoch that it is of, and on the test
        split.
    out
        The run's folder.
    """

    network: Network
    history: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    out: Path

    @property
    def model(self) -> Path:
        """The artefact of the network."""
        return self.out / MODEL

    @property
    def metrics(self) -> Path:
        """The file of metrics, one line of JSON per epoch."""
        return self.out / METRICS

    @property
    def test(self) -> Path:
        """The file of the network's metrics on the test split."""
        return self.out / TEST


def train(
    config: TrainingConfig | Mapping[str, Any] | Path | str,
    out: Path | str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
) -> TrainingResult:
    """Train a network from a configuration, and write it.

    The folder `out` holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl`` from
    the start, and at the end ``test.json`` and ``model``, the artefact. If the run starts from a
    trained network (``[training] init``), ``start`` is that network as training begins. An
    interrupted run keeps its progress.

    Parameters
    ----------
    config
        A configuration, its tables, or the path of one.
    out
        The run's folder.
    resume
        Continue from the checkpoint in `out`; the result is bit for bit that of an uninterrupted
        run.
    overwrite
        Replace a run in `out`; other files there are left unchanged.
    progress
        Called after every batch; or whether to show a bar, by default on a terminal and in a
        notebook.

    Raises
    ------
    NetworkError
        If the configuration does not fit, or differs from that of the run to resume, or the loss
        is no longer finite.
    DataError
        If the data do not fit the network, or are not those of the run to resume.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written, or
        another process trains in it.
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    """
    check_progress(progress)
    out = check_folder(out, resume=resume, overwrite=overwrite)
    if resume:
        check_exists(out / CHECKPOINT)
    if not isinstance(config, TrainingConfig):
        config = load_config(config)
    with ExitStack() as stack:
        lock = alone_in(out)
        if resume:
            stack.enter_context(lock)
        stored = out / START
        start = starting_network(config, stored if resume and stored.exists() else None)
        config = config if config.training.init is None else config.with_network(start.config)
        problem = assemble(config, start)
        if not resume:
            stack.enter_context(lock)  # which makes the folder, so after all checks
            check_folder(out, overwrite=overwrite)  # another process may have trained since
            _store_start(start if config.training.init else None, stored)
        return _fitted(problem, out, resume=resume, progress=progress)


def _fitted(
    problem: Problem, out: Path, *, resume: bool, progress: Reporter | bool | None
) -> TrainingResult:
    """Train, and write the artefact."""
    history, summary = fit(problem, out, resume=resume, progress=progress)
    _warn_of_silence(summary)
    network, config = problem.mirror.to_network(), problem.config
    if config.training.grid_bits is not None:
        network = network.quantised(config.training.grid_bits)
    training = {key: value for key, value in config.to_mapping().items() if key != "network"}
    artefact.save(network, out / MODEL, training=training, metrics=summary, overwrite=True)
    return TrainingResult(network, tuple(history), summary, out)


def _warn_of_silence(summary: Mapping[str, Any]) -> None:
    """Say in one line which layers never fired: nothing that follows them saw an input."""
    silent = [name for name, layer in summary["test_layers"].items() if layer["dead_fraction"] == 1]
    if silent:
        logging.getLogger("bioae").warning(
            "bioae: no neuron of %s fired for any test image: stronger initial weights (`gain`), a "
            "neuron that needs less input, or a regulariser with a target can wake them",
            ", ".join(silent),
        )


def assemble(config: TrainingConfig, start: Network | None = None) -> Problem:
    """Load the images, draw the weights, derive the mirror, and check that all stages can run.

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
        If a name in the configuration does not exist, or a stage cannot run.
    ModelError
        If a neuron model does not fit.
    """
    settings = config.training
    device = torch_device(settings.device)
    start = start or Network.initialise(config.network, seed=settings.seed)
    mirror = _mirror(config, start)
    stages = stages_of(config)
    check_names(config, stages, mirror)
    check_trained(stages, mirror.weights, mirror.trained)
    mirror = mirror.to(device)
    problem = Problem(config, mirror, *splits(config.data, config.network, config.training.seed))
    with reproducible(settings.threads or torch.get_num_threads()):
        check_reached(config, stages, mirror)
    return problem


def _mirror(config: TrainingConfig, start: Network) -> NetworkMirror:
    settings = config.training
    terms = (term for stage in stages_of(config) for term in stage.regularisers)
    potentials = any(
        isinstance(each, ActivityRegulariser) and each.needs_potential for each in terms
    )
    layers = {
        name: LayerOptions(
            backward=_backward(layer.derivative, settings) if layer.derivative else None,
            trainable=layer.trainable,
            bounds=layer.bounds,
        )
        for name, layer in settings.layers.items()
    }
    return NetworkMirror(
        _within_bounds(start, config),
        **vars(_backward(settings.derivative, settings)),
        trainable=settings.ever_trainable,
        per_neuron=settings.own,
        layers=layers,
        potentials="last" if potentials else "decoded",
        dtype=getattr(torch, settings.dtype),
        compile=settings.compile,
    )


def _within_bounds(network: Network, config: TrainingConfig) -> Network:
    """Return a network whose trained parameters start within the bounds of `[training.layers]`.

    A value outside, drawn by `spread` or trained before, starts at the nearest bound.
    """
    changed = {}
    for placed in network.config.placed:
        settings = config.training.layers.get(placed.name)
        for name, bounds in (settings.bounds if settings else {}).items():
            array = f"{placed.name}.{name}"
            if array in network.weights:
                model = with_bounds(placed.model, {name: bounds}, f"layer {placed.name}")
                changed[array] = np.clip(network.weights[array], *trained_bounds(model, name))
    return Network(network.config, {**network.weights, **changed}) if changed else network


def _backward(config: DerivativeConfig, settings: OptimisationConfig) -> Backward:
    return Backward(
        derivative(config.name, **config.parameters),
        config.detach_reset,
        config.detach_refractory,
        settings.truncate,
        settings.recompute,
    )


def _store_start(start: Network | None, path: Path) -> None:
    if start is not None:
        artefact.save(start, path, overwrite=True)
    else:
        remove(path)  # of the run that this one replaces
