"""A convolution on events as one operation of PyTorch."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import fields
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from bioae.networks.layers import Conv2d, ConvTranspose2d, LayerBase, Shape
from bioae.trainers.mirror.connections import connect
from bioae.trainers.mirror.events.taps import Runs, element_order, runs
from bioae.trainers.mirror.fused.arrays import Arrays, empty
from bioae.trainers.mirror.fused.build import compiled
from bioae.trainers.mirror.fused.graph import Unsupported
from bioae.trainers.mirror.fused.population import REALS

__all__ = ["EventConnection"]

#: The fraction of neurons that send something, above which they are computed all alike.
_DENSE = 0.25

_BYTES = 64


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
    """A convolution, or a transposed one, that computes what events ask for.

    Parameters
    ----------
    layer
        Its description.
    source, target
        The shapes of the population that sends and of the one that receives (channel, y, x).
    arrays
        Where memory comes from in training.
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
    def of(
        cls, layer: LayerBase, source: Shape, target: Shape, arrays: Arrays | None = None
    ) -> EventConnection | None:
        """Return a layer's connection; None where it has no such form."""
        if isinstance(layer, Conv2d | ConvTranspose2d) and layer.groups == 1:
            return cls(layer, source, target, arrays)
        return None

    def __call__(self, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the sums of weights that arrive (batch, channel, y, x), channels innermost.

        Where most neurons send something, or nothing can be compiled, PyTorch computes them.
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
        """Return what the compiled functions are told of the connection."""
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
        """Return what is as `by_channel` has it as weights are."""
        back = [self._by_channel.index(axis) for axis in range(4)]
        weight = rows.permute(back)
        return weight[..., self._places[:, None], self._places].contiguous()

    def by_element(self, weight: Tensor, width: int) -> Tensor:
        """Return weights as (y, x, feature, channel), channels up to a multiple of a width."""
        rows = self._ordered(weight).permute(2, 3, *((1, 0) if self.layer.transposed else (0, 1)))
        return functional.pad(rows, (0, -rows.shape[-1] % width)).contiguous()

    @property
    def _by_channel(self) -> tuple[int, ...]:
        return (0, 2, 3, 1) if self.layer.transposed else (1, 2, 3, 0)

    def _ordered(self, weight: Tensor) -> Tensor:
        return weight[..., self._order[:, None], self._order]

    def _sparse(self, library: ctypes.CDLL, emitted: Tensor) -> bool:
        found: int = library.count(ctypes.byref(self.sizes(len(emitted))), _pointer(emitted))
        return found <= _DENSE * emitted.numel()


@functools.cache
def compiled_functions(real: str) -> ctypes.CDLL | None:
    """Return the functions on numbers of a type in C++; None where they cannot be compiled."""
    template = files("bioae.trainers.mirror.events") / "templates" / "events.cpp"
    text = template.read_text(encoding="utf-8")
    try:
        # A product with a spike is exact, so that contraction changes no sum of weights.
        found = compiled(f"#define REAL {real}\n{text}", contract=True)
    except Unsupported:
        return None
    found.count.restype = ctypes.c_long
    return found


class _Events(torch.autograd.Function):
    """The sums, and the gradients of what was emitted and of the weights."""

    @staticmethod
    def forward(
        ctx: Any,
        connection: EventConnection,
        arrays: Arrays | None,
        emitted: Tensor,
        weight: Tensor,
    ) -> Tensor:
        """Return what arrives."""
        library = compiled_functions(REALS[emitted.dtype])
        assert library is not None
        ctx.connection, ctx.library, ctx.arrays = connection, library, arrays
        ctx.save_for_backward(emitted, weight)
        sums = empty(arrays, (len(emitted), *connection.target), emitted, torch.channels_last)
        rows = connection.by_channel(weight)
        sizes = connection.sizes(len(emitted))
        library.arriving(ctypes.byref(sizes), *map(_pointer, (emitted, rows, sums)))
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients, of what needs one."""
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        *_, wanted, learning = ctx.needs_input_grad
        emitted, weight = ctx.saved_tensors
        to_emitted = _to_emitted(ctx, gradient, emitted, weight) if wanted else None
        to_weight = _to_weight(ctx, gradient, emitted) if learning else None
        return None, None, to_emitted, to_weight


def _to_emitted(ctx: Any, gradient: Tensor, emitted: Tensor, weight: Tensor) -> Tensor:
    rows = ctx.connection.by_element(weight, _BYTES // weight.element_size())
    sizes = ctx.connection.sizes(len(gradient))
    sizes.padded = rows.shape[-1]
    found = empty(ctx.arrays, emitted.shape, emitted, torch.channels_last)
    ctx.library.to_events(ctypes.byref(sizes), *map(_pointer, (gradient, rows, found)))
    return found


def _to_weight(ctx: Any, gradient: Tensor, emitted: Tensor) -> Tensor:
    connection, layer = ctx.connection, ctx.connection.layer
    sizes = connection.sizes(len(gradient))
    shape = connection.source[0], layer.kernel, layer.kernel, connection.target[0]
    parts = emitted.new_zeros((sizes.threads, *shape))
    ctx.library.to_weights(ctypes.byref(sizes), *map(_pointer, (emitted, gradient, parts)))
    weights: Tensor = connection.as_weight(parts.sum(0))
    return weights


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
