"""Arrays of a network: their names and shapes, their checks, and a table that cannot be changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bioae.errors import NetworkError
from bioae.networks.layer_base import Shape
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.projections import SIGNS, PlacedProjection

Arrays = Mapping[str, NDArray[Any]]

#: The largest magnitude, so that sums stay finite in 32 bits.
_LARGEST = 1e30


def check_arrays(layers: Iterable[PlacedLayer], arrays: Arrays) -> None:
    """Check that a network has the arrays that its layers need, and that all of them fit."""
    known = {placed.name: placed for placed in layers}
    required: dict[str, Shape] = {}
    for placed in known.values():
        required |= placed.array_shapes
    for name in sorted(required.keys() - arrays.keys()):
        raise NetworkError(f"the weights {name!r} are missing", expected=str(required[name]))
    for name, values in arrays.items():
        # Models are lowered for the shapes of parameters, which few networks need.
        layer = known.get(str(name).partition(".")[0])
        allowed = (required[name],) if name in required else _parameter_shapes(layer, name)
        _check_array(name, values, allowed)
    for placed in known.values():
        _check_projections(placed, arrays)
        _check_connections(placed, arrays)
        _check_divisors(placed, arrays)


def _parameter_shapes(placed: PlacedLayer | None, name: str) -> tuple[Shape, ...]:
    if placed is None:
        return ()
    shapes = {**placed.parameter_shapes, **placed.readout_shapes}
    shapes |= {each: (shape,) for each, shape in placed.start_shapes.items()}
    shapes |= {each: (slot.shape,) for each, slot in placed.slots.items() if slot.kind != "neuron"}
    return shapes.get(name, ())


def _check_array(name: str, values: NDArray[Any], allowed: tuple[Shape, ...]) -> None:
    if not allowed:
        raise NetworkError(f"the network has no array {name!r}")
    if np.shape(values) not in allowed:
        raise NetworkError(
            f"the array {name!r} has the wrong shape",
            expected=" or ".join(str(shape) for shape in allowed),
            found=str(np.shape(values)),
        )
    largest = np.abs(values).max(initial=0)
    if not np.isfinite(largest):
        raise NetworkError(f"the array {name!r} has values that are not finite")
    if largest > _LARGEST:
        raise NetworkError(
            f"the array {name!r} has values that are too large",
            expected=f"magnitudes of at most {_LARGEST:g}",
            found=f"{largest:g}",
        )


def _check_projections(placed: PlacedLayer, arrays: Arrays) -> None:
    for each in placed.projections:
        if each.index_shapes:
            _check_indices(each, arrays)
        name = each.name
        if each.sign is not None and (SIGNS[each.sign] * np.asarray(arrays[name]) < 0).any():
            raise NetworkError(
                f"the array {name!r} has weights of the other sign", expected=f"{each.sign} weights"
            )
        if not (each.autapses or each.layer.listed) and arrays[name].diagonal().any():
            raise NetworkError(
                f"the array {name!r} contains autapses",
                expected="a diagonal of zeros",
                hint="Set autapses = true in the layer, or the diagonal to 0",
            )


def _check_indices(projection: PlacedProjection, arrays: Arrays) -> None:
    """Reject listed synapses of neurons that do not exist, and autapses where there are none."""
    ends = (projection.source_shape, projection.shape)
    for (name, _), shape in zip(projection.index_shapes.items(), ends, strict=True):
        values, size = np.asarray(arrays[name]), math.prod(shape)
        wrong = values[(values != np.floor(values)) | (values < 0) | (values >= size)]
        if len(wrong):
            raise NetworkError(
                f"the array {name!r} does not fit",
                expected=f"whole numbers from 0 to {size - 1}",
                found=f"{wrong[0]:g}",
            )
    source, target = projection.indices(arrays)
    if not projection.autapses and (source == target).any():
        raise NetworkError(
            f"the synapses of {projection.name!r} contain autapses",
            hint="Set autapses = true in the projection, or leave them out",
        )


def _check_divisors(placed: PlacedLayer, arrays: Arrays) -> None:
    """Reject own parameters of neurons that are times, not positive, and divided by."""
    layer = f"{placed.name}."
    names = {each for each in arrays if each.startswith(layer)} - placed.array_shapes.keys()
    if not names:
        return
    from bioae.equations.lowering.lowering import positive_times

    for prefix, model in ((layer, placed.model), (f"{layer}readout.", placed.readout)):
        for name in sorted({prefix + time for time in positive_times(model)} & names):
            if (arrays[name] <= 0).any():
                raise NetworkError(
                    f"the equations divide by the array {name!r}",
                    expected="positive times",
                    found=str(arrays[name].min()),
                )


def _check_connections(placed: PlacedLayer, arrays: Arrays) -> None:
    """Reject connections that do not fit the rule or the weights; some may be missing."""
    for name, array in placed.connections.items():
        if array not in arrays:
            continue
        where = f"synapse model {placed.synapses[name].name!r}"
        values, fan_in = np.asarray(arrays[array]), placed.structure(name).fan_in
        connected = values == 1
        wrong = values[~np.isin(values, (0, 1))]
        counts = connected.sum(1)
        odd = int((counts != fan_in).argmax())
        if len(wrong) or counts[odd] != fan_in:
            raise NetworkError(
                f"the connections {array!r} do not fit",
                where=where,
                expected=f"1 for {fan_in} sources of each target, and 0 for others",
                found=f"{wrong[0]:g}" if len(wrong) else f"{counts[odd]} sources of target {odd}",
            )
        if (connected & ~placed.potential_connections(name)).any():
            raise NetworkError(
                f"the connections {array!r} contain autapses",
                where=where,
                hint="Set autapses = true in the layer, or the diagonal to 0",
            )
        absent = np.asarray(arrays[name])[~connected]
        if absent.any():
            raise NetworkError(
                f"connections that do not exist have weights in {name!r}",
                where=where,
                expected=f"0 where {array!r} is 0",
                found=f"{absent[absent != 0][0]:g}",
            )


class FrozenArrays(dict[str, NDArray[Any]]):
    """Arrays by name that cannot be changed: the hash of a network is computed once."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        for name, values in arrays.items():
            # Arrays that somebody else can change are copied.
            own = np.asarray(values)
            own = own.copy(order="K") if own.flags.writeable else own
            own.flags.writeable = False
            super().__setitem__(name, own)

    def __reduce__(self) -> tuple[type[FrozenArrays], tuple[dict[str, NDArray[Any]]]]:
        return FrozenArrays, (dict(self),)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise NetworkError(
            "the arrays of a network cannot be changed",
            where="weights",
            hint="Make another network: network.with_weights({NAME: values})",
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse
