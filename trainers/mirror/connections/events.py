"""Event-driven convolutions: the runs of kernel elements that a spike adds.

The gradient of the spikes is computed for all neurons.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bioae.networks.layer_base import Shape
from bioae.networks.layers import Conv2d, ConvTranspose2d
from bioae.trainers.mirror.compiled.arrays import Arrays, empty
from bioae.trainers.mirror.connections.dense_events import EventConnection, pointer
from bioae.trainers.mirror.connections.functional import connect

#: Of a vector of the processor.
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
    layer: Conv2d | ConvTranspose2d, sources: int, targets: int, *, single: bool = False
) -> Runs:
    """Return the runs along one axis, of `single` elements if so.

    Elements are numbered in the order of `element_order`.
    """
    if layer.transposed:
        target, source, element = layer.taps(targets, sources)
    else:
        source, target, element = layer.taps(sources, targets)
    sort = np.lexsort((target, source))
    source, target = source[sort], target[sort]
    element = np.argsort(element_order(layer))[element[sort]]
    follows = (np.diff(source) == 0) & (np.diff(element) == 1) & (np.diff(target) == 1)
    begins = np.flatnonzero(np.r_[len(source) > 0, ~follows | single])
    start = np.searchsorted(source[begins], np.arange(sources + 1))
    length = np.diff(begins, append=len(source))
    return Runs(*(np.ascontiguousarray(each, np.int64)
                  for each in (start, element[begins], target[begins], length)))  # fmt: skip


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


class ConvolutionEvents(EventConnection):
    """An event-driven convolution, perhaps transposed, of populations of (channel, y, x).

    Sums have channels innermost. ``templates/events.cpp`` walks the runs of kernel elements.
    """

    template = "events.cpp"
    layout = torch.channels_last

    def __init__(
        self,
        layer: Conv2d | ConvTranspose2d,
        source: Shape,
        target: Shape,
        arrays: Arrays | None = None,
        *,
        gated: bool = False,
    ) -> None:
        super().__init__(arrays, gated=gated)
        self._layer, self._source, self._target = layer, source, target
        self._vertical = runs(layer, source[1], target[1], single=True)
        self._horizontal = runs(layer, source[2], target[2])
        self._order = torch.from_numpy(element_order(layer))
        self._places = torch.argsort(self._order)

    def _dense(self, emitted: Tensor, weight: Tensor) -> Tensor:
        return connect(self._layer, emitted, weight)

    def _sizes(self, emitted: Tensor, weight: Tensor) -> Any:
        return _Sizes(
            len(emitted), torch.get_num_threads(), self._layer.kernel,
            self._source[1], self._source[2], self._source[0],
            self._target[1], self._target[2], self._target[0],
            *(_Runs(*each.addresses()) for each in (self._vertical, self._horizontal)),
        )  # fmt: skip

    def _sums_of(self, weight: Tensor) -> tuple[int, ...]:
        return self._target

    def _by_source(self, weight: Tensor) -> Tensor:
        return self._ordered(weight).permute(self._axes).contiguous()

    def _as_weight(self, rows: Tensor) -> Tensor:
        weight = rows.permute([self._axes.index(axis) for axis in range(4)])
        return weight[..., self._places[:, None], self._places].contiguous()

    def _to_emitted(self, call: Any, gradient: Tensor, emitted: Tensor, weight: Tensor) -> Tensor:
        # (y, x, feature, channel), channels padded to whole vectors.
        rows = self._ordered(weight).permute(2, 3, *((1, 0) if self._layer.transposed else (0, 1)))
        width = _BYTES // weight.element_size()
        rows = functional.pad(rows, (0, -rows.shape[-1] % width)).contiguous()
        sizes = self._sizes(gradient, weight)
        sizes.padded = rows.shape[-1]
        result = empty(call.arrays, emitted.shape, emitted, self.layout)
        call.library.to_events(ctypes.byref(sizes), *map(pointer, (gradient, rows, result)))
        return result

    @property
    def _axes(self) -> tuple[int, ...]:
        """The axes of weights as (channel, y, x, feature)."""
        return (0, 2, 3, 1) if self._layer.transposed else (1, 2, 3, 0)

    def _ordered(self, weight: Tensor) -> Tensor:
        return weight[..., self._order[:, None], self._order]
