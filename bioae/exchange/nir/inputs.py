"""The input of a network that is imported: its shape, and its encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from bioae.checks import whole
from bioae.errors import InputError, NetworkError, describe, shortened
from bioae.exchange.nir.graphs import Ordered
from bioae.exchange.nir.library import Graph, nir_error
from bioae.networks.encoder_base import EncoderBase
from bioae.networks.encoders import Encoder, Frames

#: The scale of encoders by their names: a graph receives the values of pixels as they are.
_SCALES: Mapping[str, Mapping[str, float]] = {
    "bernoulli": {"rate": 1.0}, "constant_current": {"gain": 1.0}, "population": {"gain": 1.0},
}  # fmt: skip

Shape = tuple[int, ...]


class GraphInput(NamedTuple):
    """The input of a network, in the graph and in the network."""

    shape: Shape
    input_shape: Shape
    encoder: EncoderBase

    @property
    def image(self) -> Shape | None:
        """The shape of the input neurons (channel, y, x); None if they are not an image."""
        encoded = self.encoder.output_shape(self.input_shape)
        return encoded if len(encoded) == 3 else None


def table(value: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a name, or a table itself."""
    if not isinstance(value, str | Mapping):
        raise NetworkError(
            "this is neither a name nor a table of keys", found=shortened(repr(value))
        )
    return {"kind": value} if isinstance(value, str) else dict(value)


def encoder_of(value: str | Mapping[str, Any] | EncoderBase) -> EncoderBase:
    """Return the encoder of a name, a table or itself."""
    if isinstance(value, EncoderBase):
        return value
    keys = table(value)
    if isinstance(value, str):
        keys |= _SCALES.get(value, {})
    try:
        encoder: EncoderBase = TypeAdapter(Encoder).validate_python(keys)
    except ValidationError as error:
        raise NetworkError(**describe(error), where="encoder") from None
    return encoder


def input_of(order: Ordered, encoder: EncoderBase, input_shape: Sequence[int] | None) -> GraphInput:
    """Return the input of a network; an axis of examples in the graph's shape is left out.

    `input_shape` is the shape of images or signals, if it is not the graph's.
    """
    shape = _shape(*order.source)
    size = math.prod(shape)
    if input_shape is not None:
        if np.ndim(input_shape) != 1:  # an array of numbers is a shape, too
            raise InputError("input_shape is not a shape", expected="such as (1, 28, 28)",
                             found=shortened(repr(input_shape)))  # fmt: skip
        data = tuple(whole(each, "input_shape", least=1, most=10**6) for each in input_shape)
    else:
        ways = (way for stage in order.stages for way in stage.ways if way.source is None)
        first = [way.operations[0][1] for way in ways if way.operations]
        data = _as_image(shape, line=any(type(node).__name__ == "Conv1d" for node in first))
        if not encoder.of_images:
            if isinstance(encoder, Frames) and encoder.shape is None and len(shape) > 1:
                encoder = encoder.model_copy(update={"shape": data})
            data = (size,)
    many = math.prod(encoder.output_shape(data)) // max(math.prod(data), 1)
    if input_shape is None and many > 1 and data[0] % many == 0:
        data = (data[0] // many, *data[1:])
    if len(data) not in (1, 3) or math.prod(encoder.output_shape(data)) != size:
        raise InputError(
            "the shape of the input does not fit the graph", where="input_shape", found=str(data),
            expected=f"(channel, y, x) or (channel,) that the encoder turns into {size} values",
        )  # fmt: skip
    return GraphInput(shape, data, encoder)


def _shape(name: str, node: Graph) -> Shape:
    """Return the shape of the input of a graph."""
    stored = node.input_type.get("input") if isinstance(node.input_type, dict) else None
    values = np.ravel(np.asarray(stored))
    if values.dtype.kind not in "iuf" or not values.size:
        raise nir_error(name, "the shape of the input is missing", found=stored)
    while len(values) > 3 and values[0] == 1:
        values = values[1:]
    fits = len(values) <= 3 and (values == np.rint(values)).all() and (values >= 1).all()
    if not fits or np.prod(values.astype(float)) >= 2**31:
        raise nir_error(name, "the shape of the input does not fit",
                        expected="at most (channel, y, x)", found=stored)  # fmt: skip
    return tuple(int(each) for each in values)


def _as_image(shape: Shape, *, line: bool) -> Shape:
    """Return (channel, y, x) of the same order of pixels."""
    if len(shape) == 3:
        return shape
    if len(shape) == 2 and line:
        return (shape[0], 1, shape[1])
    if len(shape) == 2 and shape[0] > 1:
        return (1, *shape)
    size = shape[-1]  # also after an axis of examples
    side = math.isqrt(size)
    return (1, side, side) if side**2 == size else (1, 1, size)
