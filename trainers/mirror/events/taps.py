"""Along one side of an image: where the elements of a kernel lead from each position."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bioae.networks.layers import Conv2d, ConvTranspose2d

__all__ = ["Runs", "element_order", "runs"]

_Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """Elements of a kernel that lead from a position to positions side by side.

    Attributes
    ----------
    start
        Where the runs of a position begin (source + 1).
    element, target
        The first element of each run, and the position to which it leads (run).
    length
        How many elements follow each other, to as many positions (run).
    """

    start: _Index
    element: _Index
    target: _Index
    length: _Index

    def addresses(self) -> list[int]:
        """Return where the arrays lie, in the order of their names."""
        return [getattr(self, field.name).ctypes.data for field in fields(self)]


def element_order(layer: Conv2d | ConvTranspose2d) -> _Index:
    """Return the elements of one side of a kernel in the order in which runs are longest.

    From one position, a convolution reaches targets in the order of falling elements, of which it
    passes over as many as its stride asks for.
    """
    elements = np.arange(layer.kernel)
    if layer.transposed:
        return elements
    order: _Index = np.lexsort((-elements, elements * layer.dilation % layer.stride))
    return order


def runs(
    layer: Conv2d | ConvTranspose2d, sources: int, targets: int, *, longest: int | None = None
) -> Runs:
    """Return the runs along one side; elements are numbered as `element_order` has them.

    Parameters
    ----------
    layer
        The convolution.
    sources, targets
        How many positions the side has before it and after it.
    longest
        The most elements of a run.
    """
    if layer.transposed:
        target, source, element = layer.taps(targets, sources)
    else:
        source, target, element = layer.taps(sources, targets)
    place = np.argsort(element_order(layer))[element]
    sort = np.lexsort((target, source))
    found: list[list[int]] = []
    for s, e, t in np.stack([source, place, target], axis=1)[sort].tolist():
        if found:
            last, first, to, length = found[-1]
            follows = (s, e, t) == (last, first + length, to + length)
            if follows and length != longest:
                found[-1][-1] += 1
                continue
        found.append([s, e, t, 1])
    table = np.array(found, dtype=np.int64).reshape(-1, 4).T.copy()
    start = np.searchsorted(table[0], np.arange(sources + 1)).astype(np.int64)
    return Runs(start, table[1], table[2], table[3])
