"""Names in a training configuration that must be those of a network's layers and arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NoReturn

from bioae.equations.lowering.lowering import positive_times
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.networks.tasks import Rates
from bioae.networks.teaching import check_copies
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import GradientConfig, TrainingConfig
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
