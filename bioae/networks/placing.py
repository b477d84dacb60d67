"""Layers and populations in their network: their projections and models, which fit their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import ModelError, NetworkError, describe
from bioae.networks.decoders import Decoder
from bioae.networks.encoders import Encoder
from bioae.networks.graph import Population, Projection, depths
from bioae.networks.inputs import check_background, check_delay, check_spread, in_steps
from bioae.networks.layer_base import ENCODER, LayerBase, PopulationBase, Shape
from bioae.networks.layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, Sparse, SumPool2d
from bioae.networks.projections import PlacedProjection

Placed = TypeVar("Placed")


class _Description(Protocol):
    """The part of a network's description on which its layers' places depend."""

    @property
    def layers(self) -> Sequence[LayerBase]: ...

    @property
    def populations(self) -> Sequence[Population]: ...

    @property
    def projections(self) -> Sequence[Projection]: ...

    @property
    def encoded_shape(self) -> Shape: ...

    @property
    def clock(self) -> str: ...

    @property
    def carry_over(self) -> bool: ...

    @property
    def neuron(self) -> str: ...

    @property
    def dt(self) -> str: ...

    @property
    def dt_seconds(self) -> float: ...

    @property
    def steps(self) -> int: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def decoder(self) -> Decoder: ...

    def model(self, name: str) -> NeuronModel: ...

    def synapse(self, name: str) -> SynapseModel: ...


#: The layers that give projections of a kind their connections.
_KINDS: dict[str, type[LayerBase]] = {
    "dense": Dense,
    "sparse": Sparse,
    "conv2d": Conv2d,
    "conv_transpose2d": ConvTranspose2d,
    "avg_pool2d": AvgPool2d,
    "sum_pool2d": SumPool2d,
}

#: The keys of connections that only some kinds have.
_GEOMETRY = (
    "kernel", "stride", "padding", "dilation", "groups", "output_padding",
    "probability", "indegree", "synapses",
)  # fmt: skip


#: The kinds whose synapses join single neurons: none joins one to itself, unless asked to.
_PAIRS = ("dense", "sparse")

#: The ends of the names of arrays that projections have besides weights.
_PARTS = ("source", "target", "delay", "connected")

#: The shortest presentation in which spikes of both sides teach, in either schedule.
_FEWEST_STEPS = 3


def places(config: _Description, make: Callable[..., Placed]) -> tuple[Placed, ...]:
    """Return the layers or populations in their places, made of the fields of a `PlacedLayer`."""
    return (_placed_graph if config.populations else _placed_chain)(config, make)


def _placed_chain(config: _Description, make: Callable[..., Placed]) -> tuple[Placed, ...]:
    placed: list[Placed] = []
    source, shape, common = ENCODER, config.encoded_shape, config.clock == "common"
    for number, layer in enumerate(config.layers, start=1):
        feed = PlacedProjection(
            f"{layer.name}.weight", source, shape, layer.output_shape(shape), layer, 2 * number,
            lag=int(common), delay=layer.delay, initial=layer.initial, gain=layer.gain,
            sign=layer.sign,
        )  # fmt: skip
        projections = [(feed, layer.synapse, f"layer {layer.name!r}, synapse")]
        source, shape = layer.name, feed.shape
        if layer.recurrent:
            initial = layer.recurrent_initial
            own = PlacedProjection(
                f"{layer.name}.recurrent", layer.name, shape, shape,
                Dense(name=layer.name, **_size(shape)), 2 * number + 1, lag=1, own=True,
                autapses=layer.autapses,
                delay=layer.recurrent_delay, gain=layer.recurrent_gain or layer.gain,
                initial=layer.initial if initial is None else initial,
            )  # fmt: skip
            where = f"layer {layer.name!r}, recurrent_synapse"
            projections.append((own, layer.recurrent_synapse, where))
        for key in ("delay", "recurrent_delay"):
            where = f"layer {layer.name!r}, {key}"
            check_delay(getattr(layer, key), dt=config.dt_seconds, steps=config.steps, where=where)
        placed.append(
            _placed(config, make, layer, (number, 0 if common else number, shape), projections)
        )
    return tuple(placed)


def _size(shape: Shape) -> dict[str, Any]:
    return {"units": shape[0]} if len(shape) == 1 else {"shape": shape}


def _placed_graph(config: _Description, make: Callable[..., Placed]) -> tuple[Placed, ...]:
    edges = [(each.source, each.to) for each in config.projections]
    names = [ENCODER, *(each.name for each in config.populations)]
    depth = dict.fromkeys(names, 0)
    if config.clock == "staggered":
        depth |= depths(names[1:], edges)
        depth |= {each.name: each.depth for each in config.populations if each.depth is not None}
    elif deeper := [each.name for each in config.populations if each.depth is not None]:
        raise NetworkError(
            "windows that begin at the same time have no `depth`",
            where=f"population {deeper[0]!r}", expected='clock = "staggered"',
        )  # fmt: skip
    signs = {each.name: each.sign for each in config.populations}
    shapes = {ENCODER: config.encoded_shape}
    shapes |= {each.name: each.neurons for each in config.populations}
    received: dict[str, list[tuple[PlacedProjection, str | None, str]]] = {n: [] for n in shapes}
    for number, each in enumerate(config.projections, start=2):
        own, where = each.source == each.to, f"projection {each.key!r}"
        check_delay(each.delay, dt=config.dt_seconds, steps=config.steps, where=f"{where}, delay")
        projection = PlacedProjection(
            each.key, each.source, shapes[each.source], shapes[each.to],
            _receiver(each, shapes[each.to]), number, lag=depth[each.source] + 1 - depth[each.to],
            own=own, autapses=each.autapses or not own or each.kind not in _PAIRS,
            target=each.target, delay=each.delay, initial=each.initial, gain=each.gain,
            sign=each.sign or signs.get(each.source),
        )  # fmt: skip
        _check_lag(config, projection, where)
        received[each.to].append((projection, each.synapse, f"{where}, synapse"))
    return tuple(
        _placed(config, make, each, (number, depth[each.name], each.neurons), received[each.name])
        for number, each in enumerate(config.populations, start=1)
    )


def _check_lag(config: _Description, projection: PlacedProjection, where: str) -> None:
    """Reject a projection whose spikes would arrive before they are fired, or never."""
    lag, delay = projection.lag, projection.delay
    first = delay[0] if isinstance(delay, tuple) else delay or 0.0
    shortest = in_steps(first, dt=config.dt_seconds, steps=config.steps, where=f"{where}, delay")
    if lag + shortest < 0:
        raise NetworkError(
            "a spike would arrive before it is fired", where=where,
            expected=f"a delay of at least {-lag} steps, since its target's window begins "
            f"{1 - lag} steps later than its source's", found=f"{shortest} steps",
        )  # fmt: skip
    if lag >= config.steps:
        raise NetworkError(
            "a spike would arrive after the presentation", where=where,
            expected=f"fewer than {config.steps} depths back", found=str(lag),
        )  # fmt: skip


def check_graph(
    populations: Sequence[Population], projections: Sequence[Projection], encoded: Shape
) -> None:
    """Check that projections fit the populations that they join (ValueError)."""
    shapes = {ENCODER: encoded, **{each.name: each.neurons for each in populations}}
    keys: set[str] = set()
    for each in projections:
        where = f"projection {each.key!r}"
        for key, name in (("from", each.source), ("to", each.to)):
            if name not in shapes or (key, name) == ("to", ENCODER):
                known = ", ".join(shapes if key == "from" else [*shapes][1:])
                raise ValueError(f"{where}: `{key}` is {name!r}, not one of {known}")
        if each.key in keys:
            raise ValueError(f"{where}: there are two of this name: give one of them a `name`")
        keys.add(each.key)
        _check_shape(each, shapes[each.source], shapes[each.to], where)
    for key in sorted(keys):
        if (part := key.rpartition("_"))[2] in _PARTS and part[0] in keys:
            raise ValueError(f"projection {key!r} has the name of an array of {part[0]!r}")


def _check_shape(projection: Projection, source: Shape, target: Shape, where: str) -> None:
    try:
        layer = _receiver(projection, target)
        found, weights = layer.output_shape(source), math.prod(layer.weight_shape(source))
    except ValidationError as error:
        raise NetworkError(**describe(error, _KINDS[projection.kind]), where=where) from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if found != target:
        raise ValueError(f"{where}: it leads to the shape {found}, and {projection.to!r} has "
                         f"{target}")  # fmt: skip
    if weights >= 2**31:
        raise ValueError(f"{where}: {weights:,} weights, which 32 bits cannot count")


def _receiver(projection: Projection, shape: Shape) -> LayerBase:
    """Return a layer of a shape that receives the connections of a projection (ValueError)."""
    kind = _KINDS[projection.kind]
    geometry = {key: getattr(projection, key) for key in _GEOMETRY}
    given: dict[str, Any] = {key: each for key, each in geometry.items() if each is not None}
    for key in given.keys() - kind.model_fields.keys():
        raise ValueError(f"`{key}` is no key of the kind {projection.kind!r}")
    if "channels" in kind.model_fields:
        given["channels"] = shape[0]
    elif "units" in kind.model_fields:
        given |= _size(shape)
    if "probability" in given and projection.source == projection.to and not projection.autapses:
        size = math.prod(shape)  # of the pairs that there are
        given["synapses"] = max(round(given.pop("probability") * size * (size - 1)), 1)
    return kind(name=projection.to, delay=projection.delay, **given)


def _placed(
    config: _Description,
    make: Callable[..., Placed],
    layer: PopulationBase,
    place: tuple[int, int, Shape],
    projections: Sequence[tuple[PlacedProjection, str | None, str]],
) -> Placed:
    """Return a layer with its number, depth and shape.

    Each projection comes with its synapse model, and the place of the key.
    """
    model, readout = _models(config, layer)
    learning = []
    for projection, synapse, where in projections:
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
        learning.append(replace(projection, synapse=rule))
    return make(layer, *place, model, readout, tuple(learning))


def _targets(config: _Description, name: str, model: NeuronModel) -> dict[str, str]:
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


def _models(config: _Description, layer: PopulationBase) -> tuple[NeuronModel, NeuronModel]:
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
    _check_inputs(config, layer, model, where=where)
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
    config: _Description, projection: PlacedProjection, model: NeuronModel, rule: SynapseModel, *,
    where: str,
) -> None:  # fmt: skip
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
    if model.threshold is None and not (script and rule.synapse.on_post is None):
        raise NetworkError("a layer that never fires cannot learn", where=where)
    if script and model.inhibition is not None:
        raise NetworkError(
            "a rule in the order of a script adds to one variable", where=where,
            expected="a neuron model without `inhibition`", found=model.inhibition,
        )  # fmt: skip


def _check_dt(config: _Description, model: NeuronModel, *, where: str) -> None:
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


def _check_inputs(
    config: _Description, layer: PopulationBase, model: NeuronModel, *, where: str
) -> None:
    dt = config.dt_seconds
    check_background(layer.background, dt=dt, where=f"{where}, background")
    for name, spread in layer.spread.items():
        check_spread(model, name, spread, where=where)


def _check_silence(
    config: _Description, layer: PopulationBase, model: NeuronModel, *, where: str
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
