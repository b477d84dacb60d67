"""Event-driven convolutions: sums and weight gradients from the spikes only.

Most neurons are silent most of the time. The gradient of the spikes is computed for all neurons.
``templates/events.cpp`` walks the runs of kernel elements that are listed here.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from bioae.networks.layer_base import LayerBase, Shape
from bioae.networks.layers import Conv2d, ConvTranspose2d
from bioae.trainers.mirror.compiled.arrays import Arrays, empty
from bioae.trainers.mirror.compiled.build import REALS
from bioae.trainers.mirror.connections.dense_events import event_functions, pointer
from bioae.trainers.mirror.connections.functional import connect

#: The fraction of active neurons above which PyTorch computes the dense sums.
_DENSE = 0.25

_BYTES = 64

_Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of kernel elements from a source position to adjacent target positions, on one axis."""

    #: The first run of each source position (source + 1).
    start: _Index
    #: The first element of each run, and its target position (run).
    element: _Index
    target: _Index
    #: The number of consecutive elements and targets (run).
    length: _Index

    def addresses(self) -> list[int]:
        """Return the addresses of the arrays, in the order of their names."""
        return [getattr(self, field.name).ctypes.data for field in fields(self)]


def element_order(layer: Conv2d | ConvTranspose2d) -> _Index:
    """Return the elements of one axis of a kernel in the order that makes runs longest.

    From one position, a convolution reaches its targets in the order of decreasing elements, and
    skips elements according to its stride.
    """
    elements = np.arange(layer.kernel)
    if layer.transposed:
        return elements
    order: _Index = np.lexsort((-elements, elements * layer.dilation % layer.stride))
    return order


def runs(
    layer: Conv2d | ConvTranspose2d, sources: int, targets: int, *, longest: int | None = None
) -> Runs:
    """Return the runs along one axis, of at most `longest` elements.

    Elements are numbered in the order of `element_order`.
    """
    if layer.transposed:
        target, source, element = layer.taps(targets, sources)
    else:
        source, target, element = layer.taps(sources, targets)
    place = np.argsort(element_order(layer))[element]
    sort = np.lexsort((target, source))
    rows: list[list[int]] = []
    for s, e, t in np.stack([source, place, target], axis=1)[sort].tolist():
        if rows:
            last, first, to, length = rows[-1]
            follows = (s, e, t) == (last, first + length, to + length)
            if follows and length != longest:
                rows[-1][-1] += 1
                continue
        rows.append([s, e, t, 1])
    table = np.array(rows, dtype=np.int64).reshape(-1, 4).T.copy()
    start = np.searchsorted(table[0], np.arange(sources + 1)).astype(np.int64)
    return Runs(start, table[1], table[2], table[3])


class _Runs(ctypes.Structure):
    _fields_ = [(field.name, ctypes.c_void_p) for field in fields(Runs)]


class _Sizes(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_long) for name in ("examples", "threads", "kernel")),
        *((name, ctypes.c_long) for name in ("height", "width", "channels")),
        *((name, ctypes.c_long) for name in ("rows", "columns", "features")),
        ("vertical", _Runs),
        ("horizontal", _Runs),
        ("padded", ctypes.c_long),
    ]


class EventConnection:
    """An event-driven convolution, perhaps transposed, of populations of (channel, y, x).

    `arrays` is the source of memory in training.
    """

    def __init__(
        self,
        layer: Conv2d | ConvTranspose2d,
        source: Shape,
        target: Shape,
        arrays: Arrays | None = None,
    ) -> None:
        self._arrays = arrays
        self.layer, self.source, self.target = layer, source, target
        self._vertical = runs(layer, source[1], target[1], longest=1)
        self._horizontal = runs(layer, source[2], target[2])
        self._order = torch.from_numpy(element_order(layer))
        self._places = torch.argsort(self._order)

    @classmethod
    def for_layer(
        cls, layer: LayerBase, source: Shape, target: Shape, arrays: Arrays | None = None
    ) -> EventConnection | None:
        """Return a layer's event-driven connection, or None if it has none."""
        if isinstance(layer, Conv2d | ConvTranspose2d) and layer.groups == 1:
            return cls(layer, source, target, arrays)
        return None

    def __call__(self, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the sums of weights that arrive (batch, channel, y, x), channels innermost.

        PyTorch computes them if many neurons are active, or if there is no compiler.
        """
        emitted = emitted.contiguous(memory_format=torch.channels_last)
        real = REALS.get(emitted.dtype) if emitted.device.type == "cpu" else None
        library = compiled_functions(real) if real else None
        if library is None or not self._sparse(library, emitted):
            return connect(self.layer, emitted, weight)
        arrays = self._arrays and self._arrays.in_training()
        sums: Tensor = _Events.apply(self, arrays, emitted, weight)  # type: ignore[no-untyped-call]
        return sums

    def sizes(self, examples: int) -> Any:
        """Return the connection's sizes for the compiled functions."""
        return _Sizes(
            examples, torch.get_num_threads(), self.layer.kernel,
            self.source[1], self.source[2], self.source[0],
            self.target[1], self.target[2], self.target[0],
            *(_Runs(*each.addresses()) for each in (self._vertical, self._horizontal)),
        )  # fmt: skip

    def by_channel(self, weight: Tensor) -> Tensor:
        """Return weights as (channel, y, x, feature)."""
        return self._ordered(weight).permute(self._by_channel).contiguous()

    def as_weight(self, rows: Tensor) -> Tensor:
        """Return rows in the form of `by_channel` as weights in PyTorch's form."""
        back = [self._by_channel.index(axis) for axis in range(4)]
        weight = rows.permute(back)
        return weight[..., self._places[:, None], self._places].contiguous()

    def by_element(self, weight: Tensor, width: int) -> Tensor:
        """Return weights as (y, x, feature, channel), channels padded to a multiple of `width`."""
        rows = self._ordered(weight).permute(2, 3, *((1, 0) if self.layer.transposed else (0, 1)))
        return functional.pad(rows, (0, -rows.shape[-1] % width)).contiguous()

    @property
    def _by_channel(self) -> tuple[int, ...]:
        return (0, 2, 3, 1) if self.layer.transposed else (1, 2, 3, 0)

    def _ordered(self, weight: Tensor) -> Tensor:
        return weight[..., self._order[:, None], self._order]

    def _sparse(self, library: ctypes.CDLL, emitted: Tensor) -> bool:
        active: int = library.count(ctypes.byref(self.sizes(len(emitted))), pointer(emitted))
        return active <= _DENSE * emitted.numel()


def compiled_functions(real: str) -> ctypes.CDLL | None:
    """Return the C++ functions for a type of numbers, or None if they cannot be compiled."""
    return event_functions("events.cpp", real)


class _Events(torch.autograd.Function):
    """The sums of weights, and the gradients of the spikes and of the weights."""

    @staticmethod
    def forward(
        ctx: Any,
        connection: EventConnection,
        arrays: Arrays | None,
        emitted: Tensor,
        weight: Tensor,
    ) -> Tensor:
        """Return the sums of weights."""
        library = compiled_functions(REALS[emitted.dtype])
        assert library is not None
        ctx.connection, ctx.library, ctx.arrays = connection, library, arrays
        ctx.save_for_backward(emitted, weight)
        sums = empty(arrays, (len(emitted), *connection.target), emitted, torch.channels_last)
        rows = connection.by_channel(weight)
        sizes = connection.sizes(len(emitted))
        library.arriving(ctypes.byref(sizes), *map(pointer, (emitted, rows, sums)))
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that are needed."""
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        *_, needs_emitted, needs_weight = ctx.needs_input_grad
        emitted, weight = ctx.saved_tensors
        to_emitted = _to_emitted(ctx, gradient, emitted, weight) if needs_emitted else None
        to_weight = _to_weight(ctx, gradient, emitted) if needs_weight else None
        return None, None, to_emitted, to_weight


def _to_emitted(ctx: Any, gradient: Tensor, emitted: Tensor, weight: Tensor) -> Tensor:
    rows = ctx.connection.by_element(weight, _BYTES // weight.element_size())
    sizes = ctx.connection.sizes(len(gradient))
    sizes.padded = rows.shape[-1]
    result = empty(ctx.arrays, emitted.shape, emitted, torch.channels_last)
    ctx.library.to_events(ctypes.byref(sizes), *map(pointer, (gradient, rows, result)))
    return result


def _to_weight(ctx: Any, gradient: Tensor, emitted: Tensor) -> Tensor:
    connection, layer = ctx.connection, ctx.connection.layer
    sizes = connection.sizes(len(gradient))
    shape = connection.source[0], layer.kernel, layer.kernel, connection.target[0]
    parts = emitted.new_zeros((sizes.threads, *shape))
    ctx.library.to_weights(ctypes.byref(sizes), *map(pointer, (emitted, gradient, parts)))
    weights: Tensor = connection.as_weight(parts.sum(0))
    return weights
