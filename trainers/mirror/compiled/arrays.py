"""A pool of arrays for training, because allocating memory from the system is slow."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ALIGNED = 64


def empty(
    arrays: Arrays | None, shape: Sequence[int], like: Tensor, layout: torch.memory_format
) -> Tensor:
    """Return an uninitialised tensor of the type of another, from `arrays` if there is a pool."""
    if arrays is None:
        return torch.empty(tuple(shape), dtype=like.dtype, memory_format=layout)
    return arrays.empty(shape, like.dtype, layout)


def pointers(tensors: Sequence[Tensor | None]) -> Any:
    """Return the addresses of tensors, null for None."""
    kind = ctypes.c_void_p * max(len(tensors), 1)
    return kind(*(None if tensor is None else tensor.data_ptr() for tensor in tensors))


class Arrays:
    """A pool of the memory of released tensors, for new tensors of about the same size.

    Each training step allocates the memory that the step before released. The system would reclaim
    it in between and clear it again, page by page, which takes a third of the time of a step.
    """

    def __reduce__(self) -> tuple[type[Arrays], tuple[()]]:
        # A copy of a mirror has a separate pool.
        return Arrays, ()

    def in_training(self) -> Arrays | None:
        """Return the pool if gradients are computed, else None: results might accumulate."""
        return self if torch.is_grad_enabled() else None

    def __init__(self) -> None:
        self._pool: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def empty(
        self,
        shape: Sequence[int],
        dtype: torch.dtype,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> Tensor:
        """Return an uninitialised tensor, as `torch.empty` does."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            flat = torch.from_numpy(self._take(size))[:size].view(dtype)
        if layout == torch.channels_last:
            examples, channels, *place = shape
            return flat.view(examples, *place, channels).movedim(-1, 1)
        return flat.view(*shape)

    def _take(self, size: int) -> NDArray[np.uint8]:
        free = [index for index in range(len(self._pool)) if self._free(index)]
        fitting = [index for index in free if size <= len(self._pool[index]) <= 2 * size]
        if fitting:
            return self._pool[min(fitting, key=lambda index: len(self._pool[index]))]
        if free:
            # Batches have become larger or smaller: remove arrays that no longer fit, one by one.
            del self._pool[max(free, key=lambda index: abs(len(self._pool[index]) - size))]
        self._pool.append(_aligned(size))
        return self._pool[-1]

    def _free(self, index: int) -> bool:
        # A tensor holds a reference to its array; so do the list and the call.
        return sys.getrefcount(self._pool[index]) == _UNHELD


def _aligned(size: int) -> NDArray[np.uint8]:
    memory = np.empty(size + _ALIGNED, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size]


def _references(arrays: list[NDArray[np.uint8]]) -> int:
    return sys.getrefcount(arrays[0])


#: References to an array that only a list holds: they differ between versions of Python.
_UNHELD = _references([_aligned(1)])
