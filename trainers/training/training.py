"""Assembly of a run by gradients: data, weights, mirror, and checks of all stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioae.equations.declarations import trained_bounds
from bioae.errors import NetworkError
from bioae.networks.network import Network
from bioae.runs.splits import Given, splits
from bioae.trainers.mirror.derivatives import derivative
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer_parameters import LayerOptions, with_bounds
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.descent import first_batches, reproducible, torch_device
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.reach import check_names, check_reached, check_trained
from bioae.trainers.training.regularisers import POTENTIAL_TERMS
from bioae.trainers.training.sections import OptimisationConfig
from bioae.trainers.training.starting import starting_network
from bioae.trainers.training.tables import DerivativeConfig
from bioae.trainers.training.trainer import GradientTrainer


def gradient_trainer(
    config: TrainingConfig,
    *,
    start: Network | None = None,
    stored: Path | None = None,
    given: Given | None = None,
) -> GradientTrainer:
    """Return the trainer of a configuration, see `starting_network` and `assemble`.

    `start` is a network to start from in place of drawn weights, `stored` the stored start of a run
    that is resumed; `given` data take the place of those of the configuration.
    """
    fine_tuned = start is not None or config.training.init is not None
    if start is None or stored is not None:
        start = starting_network(config, stored)
    else:
        start = Network(start.config.self_contained(), start.weights)
    if fine_tuned and config.training.initialise == "calibrated":
        raise NetworkError("only drawn weights are calibrated", where="training.initialise")
    if fine_tuned:
        config = config.with_network(start.config)
    problem = assemble(config, start, given)
    return GradientTrainer(problem, start if fine_tuned else None)


def assemble(
    config: TrainingConfig, start: Network | None = None, given: Given | None = None
) -> Problem:
    """Load the data, draw the weights, derive the mirror, and check that all stages can run.

    `start`, with the configuration's description, and `given` take the place of drawn weights and
    of the configuration's data.
    """
    settings = config.training
    device = torch_device(settings.device)
    start = start or Network.initialise(config.network, seed=settings.seed)
    mirror = _mirror(config, start)
    stages = config.stages
    check_names(config, stages, mirror)
    check_trained(stages, mirror.weights, mirror.trained)
    mirror = mirror.to(device)
    data = splits(config.data, config.network, settings.seed, given, config.task)
    if given is not None:
        config = config.model_copy(update={"data": config.data.of(data.train.name)})
    problem = Problem(config, mirror, data)
    with reproducible(settings.threads or torch.get_num_threads()):
        check_reached(config, stages, mirror)
        if settings.initialise == "calibrated":
            problem.calibrate(first_batches(problem, stages[0]))
    return problem


def with_settings(problem: Problem, start: Network, **settings: Any) -> Problem:
    """Return a problem with other weights and other settings of training, on the same data."""
    mapping = problem.config.to_mapping()
    mapping["training"] |= settings
    config = TrainingConfig.from_mapping(mapping)
    mirror = _mirror(config, start).to(torch_device(config.training.device))
    return replace(problem, config=config, mirror=mirror)


def _mirror(config: TrainingConfig, start: Network) -> NetworkMirror:
    settings = config.training
    symbols = {symbol for stage in config.stages for symbol in stage.regularisers}
    layers = {
        name: LayerOptions(
            _backward(layer.derivative or settings.derivative, settings),
            settings.ever_trainable if layer.trainable is None else layer.trainable,
            settings.own,
            layer.bounds,
            settings.delays,
        )
        for name, layer in settings.layers.items()
    }
    backward = _backward(settings.derivative, settings)
    return NetworkMirror(
        _within_bounds(start, config),
        LayerOptions(backward, settings.ever_trainable, settings.own, delays=settings.delays),
        layers=layers,
        potentials="last" if symbols & POTENTIAL_TERMS else "decoded",
        distances=_measured(config, start),
        dtype=getattr(torch, settings.dtype),
        compile=settings.compile,
    )


def _measured(config: TrainingConfig, network: Network) -> list[str]:
    """Return the layers of which a regulariser needs the distance to threshold."""
    terms = [term for stage in config.stages if (term := stage.regularisers.get("silent"))]
    firing = [placed for placed in network.config.placed if placed.can_fire]
    layers = [each for each in firing if any(term.acts_on(each.name) for term in terms)]
    for each in layers:
        states, distance = each.program.states, each.program.distance
        assert distance is not None
        if not any(states[n].dtype == "float" for n in distance.names & states.keys()):
            raise NetworkError(
                "a silent neuron has a distance only to a threshold of its variables",
                where=f"regularisers.silent, layer {each.name}", found=each.model.threshold,
                hint="Name the other layers in its `layers`",
            )  # fmt: skip
    return [each.name for each in layers]


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
        config.straight_through,
        config.detach_refractory,
        settings.truncate,
        settings.recompute,
    )
