"""Event-driven connections: sums and weight gradients from the active sources only.

Most neurons are silent most of the time.
"""

from __future__ import annotations

import ctypes
import functools
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from bioae.trainers.mirror.compiled.arrays import Arrays, empty
from bioae.trainers.mirror.compiled.build import REALS, compile_cpp, template
from bioae.trainers.mirror.compiled.unsupported import Unsupported

#: The fraction of active sources above which PyTorch computes the dense sums.
_DENSE = 0.25


class EventConnection(ABC):
    """A connection that follows the active sources; `arrays` is the memory in training.

    With `gated` the output of a silent source gets no gradient: its derivative would discard it.
    """

    #: A file of the folder ``templates``, with the functions ``count``, ``arriving``,
    #: ``to_weights`` and ``to_active``.
    template: ClassVar[str]
    layout: ClassVar[torch.memory_format] = torch.contiguous_format

    def __init__(self, arrays: Arrays | None = None, *, gated: bool = False) -> None:
        self._arrays, self.gated = arrays, gated

    def __call__(self, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the sums of weights that arrive (batch, ...), in the connection's layout.

        PyTorch computes them if many neurons are active, or if there is no compiler.
        """
        emitted = emitted.contiguous(memory_format=self.layout)
        real = REALS.get(emitted.dtype) if emitted.device.type == "cpu" else None
        library = event_functions(self.template, real) if real else None
        if library is None or not self._sparse(library, emitted, weight):
            return self._dense(emitted, weight)
        call = _Call(self, library, self._arrays and self._arrays.in_training())
        sums: Tensor = _Events.apply(call, emitted, weight)  # type: ignore[no-untyped-call]
        return sums

    def _sparse(self, library: ctypes.CDLL, emitted: Tensor, weight: Tensor) -> bool:
        sizes = ctypes.byref(self._sizes(emitted, weight))
        active: int = library.count(sizes, pointer(emitted))
        return active <= _DENSE * emitted.numel()

    @abstractmethod
    def _dense(self, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the same sums, computed by PyTorch."""

    @abstractmethod
    def _sizes(self, emitted: Tensor, weight: Tensor) -> Any:
        """Return the sizes for the compiled functions, with a field ``threads``."""

    @abstractmethod
    def _sums_of(self, weight: Tensor) -> tuple[int, ...]:
        """Return the shape of the sums of an example."""

    @abstractmethod
    def _by_source(self, weight: Tensor) -> Tensor:
        """Return weights in the order in which a source adds them."""

    @abstractmethod
    def _as_weight(self, rows: Tensor) -> Tensor:
        """Return numbers in the order of `_by_source` in that of weights."""

    @abstractmethod
    def _to_emitted(self, call: Any, gradient: Tensor, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of the sources' output; `call` has the library and the memory."""


class DenseEvents(EventConnection):
    """As `torch.nn.functional.linear`, of output (batch, source) and weights (target, source)."""

    template = "dense_events.cpp"

    def _dense(self, emitted: Tensor, weight: Tensor) -> Tensor:
        return functional.linear(emitted, weight)

    def _sizes(self, emitted: Tensor, weight: Tensor) -> Any:
        return _Sizes(len(emitted), weight.shape[1], weight.shape[0], torch.get_num_threads())

    def _sums_of(self, weight: Tensor) -> tuple[int, ...]:
        return (len(weight),)

    def _by_source(self, weight: Tensor) -> Tensor:
        return weight.T.contiguous()

    def _as_weight(self, rows: Tensor) -> Tensor:
        return rows.T

    def _to_emitted(self, call: Any, gradient: Tensor, emitted: Tensor, weight: Tensor) -> Tensor:
        return gradient @ weight


class _Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("batch", "sources", "targets", "threads")]


@functools.cache
def event_functions(name: str, real: str) -> ctypes.CDLL | None:
    """Return the C++ functions of a template, or None if they cannot be compiled."""
    try:
        # Products with spikes, and of weights and events on the grid, are exact, and contraction
        # does not change their sums. Others are rounded once per term in place of twice.
        library = compile_cpp(f"#define REAL {real}\n{template(__package__, name)}", contract=True)
    except Unsupported:
        return None
    library.count.restype = ctypes.c_long
    return library


class _Call(NamedTuple):
    connection: EventConnection
    library: ctypes.CDLL
    arrays: Arrays | None


class _Events(torch.autograd.Function):
    """The sums of weights, and the gradients of the sources and of the weights."""

    @staticmethod
    def forward(ctx: Any, call: _Call, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the sums of weights."""
        ctx.call, (connection, library, arrays) = call, call
        ctx.save_for_backward(emitted, weight)
        shape = (len(emitted), *connection._sums_of(weight))
        sums, rows = empty(arrays, shape, emitted, connection.layout), connection._by_source(weight)
        sizes = ctypes.byref(connection._sizes(emitted, weight))
        library.arriving(sizes, *map(pointer, (emitted, rows, sums)))
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that are needed."""
        (connection, _, arrays), (emitted, weight) = ctx.call, ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=connection.layout)
        *_, needs_emitted, needs_weight = ctx.needs_input_grad
        to_emitted = to_weight = None
        sizes, rows = connection._sizes(emitted, weight), connection._by_source(weight)
        if needs_emitted and connection.gated:
            to_emitted = empty(arrays, emitted.shape, emitted, connection.layout).zero_()
            values = map(pointer, (emitted, gradient, rows, to_emitted))
            ctx.call.library.to_active(ctypes.byref(sizes), *values)
        elif needs_emitted:
            to_emitted = connection._to_emitted(ctx.call, gradient, emitted, weight)
        if needs_weight:
            parts = emitted.new_zeros((sizes.threads, *rows.shape))
            values = map(pointer, (emitted, gradient, parts))
            ctx.call.library.to_weights(ctypes.byref(sizes), *values)
            to_weight = connection._as_weight(parts.sum(0))
        return None, to_emitted, to_weight


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return the address of a tensor's numbers."""
    return ctypes.c_void_p(tensor.data_ptr())
