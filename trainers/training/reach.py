"""Weights and parameters that each stage of a run trains: some, and all reached by a gradient.

Both are checked before the run's folder is made, for all stages.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.errors import NetworkError
from bioae.networks.network import Network
from bioae.noise import Key
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.losses import measured
from bioae.trainers.training.regularisers import evaluate
from bioae.trainers.training.stages import Stage


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
