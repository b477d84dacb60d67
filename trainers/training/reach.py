"""Checks of a training before its folder is made: names, and what each stage trains.

Names in the configuration must be those of the network's layers and arrays. Each stage trains some
of the weights and parameters, and a gradient reaches them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NoReturn

import numpy as np
import torch

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.lowering.lowering import positive_times
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.networks.network import Network
from bioae.networks.tasks import Rates
from bioae.networks.teaching import check_copies
from bioae.noise import Key
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import GradientConfig, TrainingConfig
from bioae.trainers.training.losses import measured
from bioae.trainers.training.regularisers import evaluate
from bioae.trainers.training.sections import OptimisationConfig
from bioae.trainers.training.stages import Stage


def check_names(config: TrainingConfig, stages: Sequence[Stage], mirror: NetworkMirror) -> None:
    """Reject names that no layer, weight or trained parameter has, and connections that change."""
    models = {placed.name: placed.model for placed in config.network.placed}
    sparse = [(each, weights) for each in config.network.placed for weights in each.connections]
    for placed, weights in sparse:
        raise NetworkError(
            "gradients would give weights to connections that do not exist",
            where=f"layer {placed.name!r}, synapse model {placed.synapses[weights].name!r}",
            hint="Train it without its rule, or by the rule alone, in the table [learning]",
        )
    check_copies(config.network.placed, "train")
    if isinstance(config.task, Rates):
        _check_rates(config.network, config.task.rates)
    _check_trainable(config.training, models, set(mirror.trained))
    check_weight_names(config, stages, mirror.weights, mirror.synaptic)


def _check_rates(network: NetworkConfig, rates: Mapping[str, float]) -> None:
    most = 1 / network.dt_seconds
    for placed in network.placed:
        rate = rates.get(placed.name, most)
        if (placed.name in rates and not placed.can_fire) or not 0 < rate <= most:
            raise NetworkError(
                "the population cannot fire at this rate", where=f"training.rates.{placed.name}",
                expected=f"a rate up to one spike per step, {most:g} Hz, of one with a threshold",
                found=f"{rate:g} Hz",
            )  # fmt: skip


def check_weight_names(
    config: GradientConfig,
    stages: Sequence[Stage],
    arrays: Collection[str],
    synaptic: Collection[str],
) -> None:
    """Reject names of weights that are not trained, in `learning_rates`, `frozen`, `variability`.

    `arrays` are the names of the trained arrays, such as ``LAYER.weight``, and `synaptic` those of
    the weights of connections among them.
    """
    kinds = sorted({name.rpartition(".")[2] for name in arrays})
    layers = [layer.name for layer in config.network.members]
    # Every stage may replace the keys of the run, which are checked all the same.
    tables = {"training": config.training, **{stage.where: stage.settings for stage in stages}}
    for where, settings in tables.items():
        _check(f"{where}, learning_rates", settings.learning_rates, [*kinds, *arrays])
        _check(f"{where}, frozen", settings.frozen, [*kinds, *layers, *arrays])
    variability = config.training.variability
    if variability is None:
        return
    trains = [stage.settings.trains for stage in stages]
    varied = {
        n.rpartition(".")[0] for n in synaptic if any(each(n, weight=True) for each in trains)
    }
    for name in variability.layers or layers[:1]:
        if not varied or (variability.layers and name not in varied):
            known = ", ".join(each for each in layers if each in varied)
            raise NetworkError(
                f"no stage trains weights of the layer {name!r}, which could vary",
                where="training.variability, layers",
                expected=f"one of {known}" if known else "none: no weight is trained",
            )


def _check_trainable(
    settings: OptimisationConfig, models: dict[str, NeuronModel], trained: Collection[str]
) -> None:
    kinds = {name.rpartition(".")[2] for name in trained}
    for name in settings.ever_trainable:
        if name not in kinds and any(name in model.trainable for model in models.values()):
            raise NetworkError(
                f"no layer trains {name!r}", where="training, trainable",
                hint="Name it in the layers' own `trainable`, which replaces this list there",
            )  # fmt: skip
        if name not in kinds:
            _refuse(name, models.values(), "training, trainable")
    for layer, own in settings.layers.items():
        where = f"training.layers.{layer}"
        for name in own.trainable or ():
            if f"{layer}.{name}" not in trained:
                _refuse(name, [models[layer]], f"{where}, trainable")
        own_trained = {name for name in own.bounds if f"{layer}.{name}" in trained}
        _check_bounds(own.bounds, models[layer], own_trained, where)


def _check_bounds(
    bounds: Mapping[str, tuple[str, str]], model: NeuronModel, trained: Collection[str], where: str
) -> None:
    times = positive_times(model)
    for name, (low, _) in bounds.items():
        if name in times:  # training must not move it to 0, by which the equations divide
            time_in_seconds(low, where=f"{where}, bounds.{name}", error=NetworkError)
        if name not in trained:
            raise NetworkError(
                f"the layer does not train {name!r}", where=f"{where}, bounds",
                hint="Name it in `trainable`",
            )  # fmt: skip


def _refuse(name: str, models: Iterable[NeuronModel], where: str) -> NoReturn:
    allowed = sorted({each for model in models for each in model.trainable})
    raise NetworkError(
        f"no layer's neuron model lets {name!r} be trained", where=where,
        expected=f"one of {', '.join(allowed)}" if allowed else "none: no [trainable]",
    )  # fmt: skip


def _check(where: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise NetworkError(
                f"no trained weight or parameter is called {name!r}", where=where,
                expected=f"one of {', '.join(known)}",
            )  # fmt: skip


def check_trained(
    stages: Sequence[Stage], weights: Collection[str], parameters: Collection[str]
) -> None:
    """Reject stages that train nothing, of the names of all weights and of neuron parameters."""
    if not weights:
        raise NetworkError(
            "the network has nothing to train", where="network",
            expected="a layer with weights, biases or trainable parameters",
        )  # fmt: skip
    for stage in stages:
        if not stage.trained(weights, parameters):
            raise NetworkError(
                "nothing is left to train", where=f"{stage.where}, frozen",
                found=", ".join(stage.settings.frozen),
            )  # fmt: skip


def check_reached(config: TrainingConfig, stages: Sequence[Stage], mirror: NetworkMirror) -> None:
    """Reject stages that train what no gradient reaches, and thresholds of 0.

    Each stage is tried on one presentation, so that layers which must be compiled and cannot be are
    refused too. The mirror is left as it was.
    """
    _check_scales(mirror.network)
    tried = set()
    for stage in stages:
        trained = stage.trained(mirror.weights, mirror.trained)
        key = trained, tuple((symbol, each.layers) for symbol, each in stage.regularisers.items())
        if key not in tried:
            tried.add(key)
            stage.let_train(mirror.weights, mirror.trained)
            _check_stage(config, stage, mirror)
    for weight in mirror.weights.values():
        weight.requires_grad_(True)
        weight.grad = None


def _check_scales(network: Network) -> None:
    """Reject thresholds of 0, by whose magnitude the derivative of a spike is divided."""
    for placed in network.config.placed:
        scale, values = placed.program.scale, network.parameters(placed)
        if scale is None or not scale.names <= values.keys():
            continue
        if not np.all(compile_expression(scale, array_functions(np))(values)):
            raise NetworkError(
                "the threshold of a neuron is 0, and the derivative of its spikes is divided by it",
                where=f"layer {placed.name!r}", expected=f"a value of {scale} that is not 0",
                hint="Shift the potential, so that it fires above another value",
            )  # fmt: skip


def _check_stage(config: TrainingConfig, stage: Stage, mirror: NetworkMirror) -> None:
    """Reject a stage by the gradients of the sum of all outputs and of its regularisers.

    A neuron parameter need not be reached in every layer: where the decoder reads a potential that
    is never reset, the last layer's threshold stays constant.
    """
    network = config.network
    drive = torch.ones(network.steps, 1, *network.encoded_shape)
    key = Key(stage.settings.seed, np.zeros(1, np.int64))
    activity = measured(config.task, mirror(drive, key=key), network.dt_seconds)
    connections = {name: mirror.weights[name] for name in mirror.synaptic}
    terms = evaluate(stage.regularisers, activity, connections)
    loss = torch.stack([activity.output.sum(), *terms.values()]).sum()
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    weights = {name: each for name, each in mirror.weights.items() if each.requires_grad}
    reached = {_kind(name) for name, weight in weights.items() if weight.grad is not None}
    for name, weight in weights.items():
        needed = name in mirror.gridded or name in mirror.delays
        if weight.grad is None and (needed or _kind(name) not in reached):
            rule = config.training.derivative_of(name.rpartition(".")[0])
            cut = rule.name == "membrane" or config.training.truncate is not None
            found, hint = (
                f"the derivative {rule.name!r}",
                ("The output and the regularisers do not depend on it: do not train it"),
            )
            if config.training.rates:
                found = f"rates of {', '.join(config.training.rates)}"
                hint = ("`rates` names no population that depends on it, or the derivative or "
                        "`truncate` cuts gradients off: name one, or do not train it")  # fmt: skip
            elif cut:
                hint = ("The rule 'membrane' goes straight through the leak, and `truncate` cuts "
                        "gradients off: choose other ones, or do not train it")  # fmt: skip
            raise NetworkError(
                f"no gradient reaches {name!r}", found=found, hint=hint,
                where=f"{stage.where}, {'frozen' if needed else 'trainable'}",
            )  # fmt: skip


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
