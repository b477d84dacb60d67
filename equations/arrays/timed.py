"""Values of a timed array, by the step within a presentation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Timed:
    """The values of a timed array.

    Attributes
    ----------
    values
        Numbers in base units, from the presentation's start on; the last one holds from then on.
        Rows of numbers are those of each neuron.
    interval
        The time in seconds for which each holds.
    """

    values: tuple[float, ...] | tuple[tuple[float, ...], ...]
    interval: float

    @property
    def neurons(self) -> int | None:
        """The number of neurons that have values each; None: all have the same."""
        first = self.values[0]
        return len(first) if isinstance(first, tuple) else None

    @property
    def first(self) -> float:
        """The first value, of the first neuron."""
        return float(self._array.flat[0])

    @cached_property
    def _array(self) -> NDArray[np.float64]:
        return np.asarray(self.values)

    def in_steps(self, steps: int, dt: float) -> NDArray[np.float64]:
        """Return the values in the first steps of a presentation, (step) or (step, neuron)."""
        return self.at(np.arange(steps, dtype=np.float64), dt)

    def at(self, step: Any, dt: float) -> NDArray[np.float64]:
        """Return the values in some steps: the first one before the presentation's start.

        Those of each neuron are along a further axis, the last one.
        """
        each = round(self.interval / dt)
        index = np.clip(np.floor(np.asarray(step) / each), 0, len(self.values) - 1)
        return self._array[index.astype(np.int64)]
