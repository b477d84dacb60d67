"""Layers and populations in their network: their order, shapes and projections."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from bioae.errors import NetworkError, describe
from bioae.networks.description import NetworkDescription
from bioae.networks.graph import Population, Projection, depths
from bioae.networks.inputs import check_delay, in_steps
from bioae.networks.layer_base import ENCODER, LayerBase, PopulationBase, Shape
from bioae.networks.layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, Sparse, SumPool2d
from bioae.networks.projections import PlacedProjection, Received

#: A layer, its number from 1, the steps by which its window begins later than the input's, the
#: shape of its neurons, and what it receives.
Place = tuple[PopulationBase, int, int, Shape, list[Received]]

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


def places(config: NetworkDescription) -> Iterator[Place]:
    """Yield the layers or populations of a network, each with its place."""
    return (_in_graph if config.populations else _in_chain)(config)


def _in_chain(config: NetworkDescription) -> Iterator[Place]:
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
        depth = 0 if common else number
        yield layer, number, depth, shape, projections


def _size(shape: Shape) -> dict[str, Any]:
    return {"units": shape[0]} if len(shape) == 1 else {"shape": shape}


def _in_graph(config: NetworkDescription) -> Iterator[Place]:
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
    received: dict[str, list[Received]] = {n: [] for n in shapes}
    for number, each in enumerate(config.projections, start=2):
        own, where = each.source == each.to, f"projection {each.key!r}"
        check_delay(each.delay, dt=config.dt_seconds, steps=config.steps, where=f"{where}, delay")
        projection = PlacedProjection(
            each.key, each.source, shapes[each.source], shapes[each.to],
            _receiver(each, shapes[each.to]), number, lag=depth[each.source] + 1 - depth[each.to],
            own=own, autapses=each.autapses or not own or each.kind not in _PAIRS,
            target=each.target, delay=each.delay, initial=each.initial, gain=each.gain,
            sign=each.sign,
        )  # fmt: skip
        if each.synapse is None and projection.fixed is None and each.sign is None:
            projection = replace(projection, sign=signs.get(each.source))
        _check_lag(config, projection, where)
        received[each.to].append((projection, each.synapse, f"{where}, synapse"))
    for number, one in enumerate(config.populations, start=1):
        yield one, number, depth[one.name], one.neurons, received[one.name]


def _check_lag(config: NetworkDescription, projection: PlacedProjection, where: str) -> None:
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
