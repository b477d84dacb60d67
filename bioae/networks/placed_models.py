"""Models of neurons and of synapses in their place in a network, which they fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import TARGET, SynapseModel
from bioae.errors import ModelError, NetworkError
from bioae.networks.description import NetworkDescription
from bioae.networks.graph import Population
from bioae.networks.inputs import check_background, check_spread
from bioae.networks.layer_base import ENCODER, PopulationBase, Shape
from bioae.networks.projections import PlacedProjection, Received

#: The shortest presentation in which spikes of both sides teach, in either schedule.
_FEWEST_STEPS = 3


def fitted(
    config: NetworkDescription,
    layer: PopulationBase,
    shape: Shape,
    received: Sequence[Received],
) -> tuple[NeuronModel, NeuronModel, tuple[PlacedProjection, ...]]:
    """Return a layer's models of neurons and of U, and the projections to it with their rules."""
    model, readout = _models(config, layer)
    _check_timed(model, math.prod(shape), where=f"layer {layer.name!r}")
    projections = []
    for projection, synapse, where in received:
        rule = None
        if projection.sign is not None and projection.fixed is not None:
            raise NetworkError("fixed weights have no `sign`", where=where.rpartition(",")[0])
        graded = projection.source == ENCODER and config.encoder.graded
        if config.carry_over and graded and projection.delay is not None:
            raise NetworkError(
                "graded input with a delay does not carry over", where=where.rpartition(",")[0],
                expected="no delay", found=str(projection.delay),
            )  # fmt: skip
        if synapse is not None:
            rule = config.synapse(synapse)
            _check_plastic(config, projection, model, rule, where=where)
        projections.append(replace(projection, synapse=rule))
    return model, readout, tuple(projections)


def _targets(config: NetworkDescription, name: str, model: NeuronModel) -> dict[str, str]:
    """Return what a weight of 1 adds to each target of the projections to a population."""
    targets: dict[str, str] = {}
    for each in config.projections:
        if each.to != name or each.target is None:
            continue
        weight, where = each.weight or model.targets.get(each.target), f"projection {each.key!r}"
        if weight is None:
            raise NetworkError(
                f"the unit of weights that add to {each.target!r} is missing", where=where,
                expected="such as weight = \"1*nS\"",
                hint="Give `weight` in the projection, or [targets] in the neuron model",
            )  # fmt: skip
        if targets.setdefault(each.target, weight) != weight:
            raise NetworkError(
                "projections to one variable have different units", where=f"{where}, weight",
                expected=targets[each.target], found=weight, hint="Scale the weights instead",
            )  # fmt: skip
    return targets


def _models(config: NetworkDescription, layer: PopulationBase) -> tuple[NeuronModel, NeuronModel]:
    """Return the neuron model of a layer and that of its potential U, which fit its place."""
    model = config.model(layer.neuron or config.neuron).with_parameters(layer.parameters)
    if layer.weight is not None:
        model = model.with_weight(layer.weight)
    changes: dict[str, Any] = {"targets": _targets(config, layer.name, model)}
    if isinstance(layer, Population) and layer.initial:
        changes["initial"] = {**model.initial, **layer.initial}
    model = model.model_copy(update=changes)
    where = f"layer {layer.name!r}"
    _check_dt(config, model, where=where)
    check_background(layer.background, dt=config.dt_seconds, where=f"{where}, background")
    for name, spread in layer.spread.items():
        check_spread(model, name, spread, where=where)
    if model.threshold is None:
        _check_silence(config, layer, model, where=where)
    readout = config.model(layer.readout)
    if readout.threshold is not None:
        raise NetworkError(
            "a read-out model with a threshold would be reset, and the potential U never is",
            where=f"{where}, readout", expected="a model without a threshold",
            found=layer.readout,
        )  # fmt: skip
    return model, readout.with_parameters(_common(model, readout))


def _check_plastic(
    config: NetworkDescription,
    projection: PlacedProjection,
    model: NeuronModel,
    rule: SynapseModel,
    *,
    where: str,
) -> None:
    """Reject a projection that cannot learn."""
    delay, script = projection.delay, rule.timing == "script"
    if projection.layer.shares_weights or (projection.layer.listed and not script):
        raise NetworkError(
            "only weights of all pairs of neurons learn by rules",
            where=where, expected="the kind 'dense', or a rule with timing = \"script\"",
        )  # fmt: skip
    if delay is not None and not script:
        raise NetworkError(
            "connections with a delay cannot learn", where=where, expected="no delay",
            found=str(delay),
        )  # fmt: skip
    if projection.sign is not None:
        raise NetworkError(
            "the bounds of a rule, not `sign`, hold the sign of weights that learn", where=where,
            expected="no sign", found=projection.sign,
        )  # fmt: skip
    lag = int(projection.own or config.clock == "common")
    if projection.lag != lag and not script:
        raise NetworkError(
            "only connections to the next depth, and within a population, learn by rules",
            where=where, expected=f"a lag of {lag}, see docs/timing.md",
            found=f"a lag of {projection.lag} steps from {projection.source!r}",
        )  # fmt: skip
    if config.steps < _FEWEST_STEPS:
        raise NetworkError(
            "a presentation is too short to learn from", where=where,
            expected=f"steps of at least {_FEWEST_STEPS}", found=str(config.steps),
        )  # fmt: skip
    if projection.source == ENCODER and config.encoder.graded and not script:
        raise NetworkError(
            "graded input cannot teach, since it has no spikes", where=where,
            expected="an encoder of spikes, such as bernoulli", found=config.encoder.kind,
        )  # fmt: skip
    post = rule.post
    fires = bool(rule.synapse.on_post or (post and (post.on_spike or post.psi)))
    if model.threshold is None and fires:
        raise NetworkError(
            "a layer that never fires cannot learn by its spikes", where=where,
            expected="a rule without `on_post`, and without `on_spike` and `psi` of [post]",
        )  # fmt: skip
    _check_neuron(config, rule, where=where)
    if script and model.inhibition is not None:
        raise NetworkError(
            "a rule in the order of a script adds to one variable", where=where,
            expected="a neuron model without `inhibition`", found=model.inhibition,
        )  # fmt: skip


def _check_neuron(config: NetworkDescription, rule: SynapseModel, *, where: str) -> None:
    """Reject signals and targets that the network does not have."""
    post = rule.post
    if post is not None and post.signals and config.clock != "common":
        raise NetworkError(
            "signals are sent back at once only where all windows begin together", where=where,
            expected='clock = "common" in the network', found=config.clock,
        )  # fmt: skip
    if post is not None and TARGET in post.reads and config.task.target is None:
        raise NetworkError(
            "the task has no target that a rule could read", where=where,
            expected="another task", found=config.task.kind,
        )  # fmt: skip


def _check_timed(model: NeuronModel, size: int, *, where: str) -> None:
    """Reject values of each neuron that are not those of a population's neurons."""
    for name, each in model.timed_arrays.items():
        row = each.values[0]
        if isinstance(row, list) and len(row) != size:
            raise NetworkError(
                f"the timed array {name!r} has a value for each neuron", where=where,
                expected=f"rows of {size} values", found=str(len(row)),
            )  # fmt: skip


def _check_dt(config: NetworkDescription, model: NeuronModel, *, where: str) -> None:
    from bioae.equations.quantities import time_in_seconds

    if model.run_every is not None or model.timed_arrays:
        from bioae.equations.timed_arrays import check_interval

        check_interval(model, config.dt_seconds)
    if model.dt is None:
        return
    largest = time_in_seconds(model.dt, where=f"{model.name}.toml, dt", error=ModelError)
    if config.dt_seconds > largest * (1 + 1e-9):
        raise NetworkError(
            f"the time step is too long for the neuron model {model.name!r}",
            where=where,
            expected=f"dt of at most {model.dt}",
            found=config.dt,
            hint=f'Set dt = "{model.dt}" in the network, and steps for the same time',
        )


def _check_silence(
    config: NetworkDescription, layer: PopulationBase, model: NeuronModel, *, where: str
) -> None:
    """Reject a model without threshold where something receives the layer's spikes."""
    sources = {each.source for each in config.projections}
    sources |= {one.name for one, after in pairwise(config.layers)}
    sources |= {each.name for each in config.layers if each.recurrent}
    if layer.name in sources:
        expected = "a model with a threshold: other neurons receive the layer's spikes"
    elif layer is not (config.layers or config.populations)[-1] or config.decoder.reads_potential:
        return
    else:
        expected = f"a model with a threshold: the decoder {config.decoder.kind!r} reads spikes"
    raise NetworkError(
        f"the neuron model {model.name!r} never fires", where=where, expected=expected
    )


def _common(model: NeuronModel, readout: NeuronModel) -> dict[str, str]:
    """Return the read-out's parameters that the neuron also has, with the neuron's values."""
    texts = readout.parameters.items()
    if all(model.parameters.get(name, text) == text for name, text in texts):
        return {}
    from bioae.equations.declarations import parameter_values, random_parameters, shared_parameters
    from bioae.equations.expressions import Expression
    from bioae.equations.quantities import text_of

    shared = shared_parameters(model, readout)
    differing = [name for name, text in texts if name in shared and model.parameters[name] != text]
    values, random = parameter_values(model), random_parameters(model)
    return {
        # The text itself, unless it names other parameters of the neuron or is drawn for it.
        name: str(text_of(values[name]))
        if Expression(model.parameters[name]).names & model.parameters.keys() or name in random
        else model.parameters[name]
        for name in differing
    }
