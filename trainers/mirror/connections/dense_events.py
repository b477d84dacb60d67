"""Event-driven dense connections: sums and weight gradients from the active sources only."""

from __future__ import annotations

import ctypes
import functools
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from bioae.trainers.mirror.compiled.arrays import Arrays, empty
from bioae.trainers.mirror.compiled.build import REALS, compile_cpp
from bioae.trainers.mirror.compiled.unsupported import Unsupported

#: The fraction of active sources above which PyTorch computes the dense product.
_DENSE = 0.25


class _Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("batch", "sources", "targets", "threads")]


def event_linear(arrays: Arrays | None, emitted: Tensor, weight: Tensor) -> Tensor:
    """Return the product of `torch.nn.functional.linear`, from the active sources if they are few.

    It is that of the sources' output (batch, source) and weights (target, source).
    """
    real = REALS.get(emitted.dtype) if emitted.device.type == "cpu" else None
    library = event_functions("dense_events.cpp", real) if real else None
    emitted = emitted.contiguous()
    if library is None or not _sparse(library, emitted, weight):
        return functional.linear(emitted, weight)
    arrays = arrays and arrays.in_training()
    sums: Tensor = _Events.apply(library, arrays, emitted, weight)  # type: ignore[no-untyped-call]
    return sums


def _sizes(emitted: Tensor, weight: Tensor) -> _Sizes:
    return _Sizes(len(emitted), weight.shape[1], weight.shape[0], torch.get_num_threads())


def _sparse(library: ctypes.CDLL, emitted: Tensor, weight: Tensor) -> bool:
    active: int = library.count(ctypes.byref(_sizes(emitted, weight)), pointer(emitted))
    return active <= _DENSE * emitted.numel()


@functools.cache
def event_functions(template: str, real: str) -> ctypes.CDLL | None:
    """Return the C++ functions of a template, or None if they cannot be compiled.

    It is a file of the folder ``templates``, with a function ``count`` of active sources.
    """
    path = files("bioae.trainers.mirror.connections") / "templates" / template
    text = path.read_text(encoding="utf-8")
    try:
        # Products with spikes, and of weights and events on the grid, are exact, and contraction
        # does not change their sums. Others are rounded once per term in place of twice.
        library = compile_cpp(f"#define REAL {real}\n{text}", contract=True)
    except Unsupported:
        return None
    library.count.restype = ctypes.c_long
    return library


class _Events(torch.autograd.Function):
    """The sums of weights, and the gradients of the sources and of the weights."""

    @staticmethod
    def forward(
        ctx: Any, library: ctypes.CDLL, arrays: Arrays | None, emitted: Tensor, weight: Tensor
    ) -> Tensor:
        """Return the sums of weights."""
        ctx.library = library
        ctx.save_for_backward(emitted, weight)
        shape = len(emitted), len(weight)
        sums = empty(arrays, shape, emitted, torch.contiguous_format)
        sizes, rows = _sizes(emitted, weight), weight.T.contiguous()
        library.arriving(ctypes.byref(sizes), *map(pointer, (emitted, rows, sums)))
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients that are needed."""
        gradient = gradients[0].contiguous()
        *_, needs_emitted, needs_weight = ctx.needs_input_grad
        emitted, weight = ctx.saved_tensors
        to_weight = None
        if needs_weight:
            sizes = _sizes(emitted, weight)
            parts = emitted.new_zeros((sizes.threads, sizes.sources, sizes.targets))
            ctx.library.to_weights(ctypes.byref(sizes), *map(pointer, (emitted, gradient, parts)))
            to_weight = parts.sum(0).T
        return None, None, gradient @ weight if needs_emitted else None, to_weight


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return the address of a tensor's numbers."""
    return ctypes.c_void_p(tensor.data_ptr())
