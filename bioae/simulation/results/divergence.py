"""Neurons whose recorded states diverged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from bioae.equations.limits import LARGEST_VALUE


def diverged(states: Mapping[str, ArrayLike], dt_ms: float, first: int = 0) -> str | None:
    """Return a line on the neurons with a state that is not finite in 32 bits, if there are any.

    `states` are the recorded variables of a layer by name, each (presentation, time, neuron), and
    `first` is the number of the first presentation.
    """
    found = []
    for name, each in states.items():
        values = np.asarray(each)
        if not values.size or (values.min() >= -LARGEST_VALUE and values.max() <= LARGEST_VALUE):
            continue
        wild = ~(np.abs(values) <= LARGEST_VALUE)
        step = int(wild.any((0, 2)).argmax())
        example, neuron = map(int, np.argwhere(wild[:, step])[0])
        found.append((step, name, int(wild.any((0, 1)).sum()), example, neuron, wild.shape[2]))
    if not found:
        return None
    step, name, count, example, neuron, size = min(found)
    return (
        f"{name} diverged in {count} of {size} neurons, first in neuron {neuron} at "
        f"{step * dt_ms:g} ms of presentation {first + example}"
    )
