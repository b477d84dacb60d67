"""Arrays that are used again: the system takes its time to give memory to a process."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Arrays", "empty"]

_ALIGNED = 64


def empty(
    arrays: Arrays | None, shape: Sequence[int], like: Tensor, layout: torch.memory_format
) -> Tensor:
    """Return a tensor of any values, of the type of another, out of `arrays` if there are any."""
    if arrays is None:
        return torch.empty(tuple(shape), dtype=like.dtype, memory_format=layout)
    return arrays.empty(shape, like.dtype, layout)


class Arrays:
    """Memory of tensors that nobody holds any more, kept for the next of about that size.

    A step of training allocates what the step before has freed. The system would take it back in
    between and clear it anew, page by page, which is a third of the time of a step.
    """

    def __reduce__(self) -> tuple[type[Arrays], tuple[()]]:
        # A copy of a mirror has memory of its own.
        return Arrays, ()

    def in_training(self) -> Arrays | None:
        """Return itself where gradients are computed: elsewhere tensors may pile up."""
        return self if torch.is_grad_enabled() else None

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def empty(
        self,
        shape: Sequence[int],
        dtype: torch.dtype,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> Tensor:
        """Return a tensor of any values, as `torch.empty` does."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            flat = torch.from_numpy(self._take(size))[:size].view(dtype)
        if layout == torch.channels_last:
            examples, channels, *place = shape
            return flat.view(examples, *place, channels).movedim(-1, 1)
        return flat.view(*shape)

    def _take(self, size: int) -> NDArray[np.uint8]:
        free = [place for place in range(len(self._kept)) if self._free(place)]
        fitting = [place for place in free if size <= len(self._kept[place]) <= 2 * size]
        if fitting:
            return self._kept[min(fitting, key=lambda place: len(self._kept[place]))]
        if free:
            # Batches have become larger or smaller: what fits nothing goes, one by one.
            del self._kept[max(free, key=lambda place: abs(len(self._kept[place]) - size))]
        self._kept.append(_aligned(size))
        return self._kept[-1]

    def _free(self, place: int) -> bool:
        # A tensor holds the array whose memory it has; the list holds it too, and the call.
        return sys.getrefcount(self._kept[place]) == _UNHELD


def _aligned(size: int) -> NDArray[np.uint8]:
    memory = np.empty(size + _ALIGNED, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNED
    return memory[start : start + size]


def _references(arrays: list[NDArray[np.uint8]]) -> int:
    return sys.getrefcount(arrays[0])


#: References to an array that a list alone holds: they differ between versions of Python.
_UNHELD = _references([_aligned(1)])
