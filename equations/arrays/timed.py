"""Values of a timed array, by the step within a presentation."""

from __future__ import annotations

from dataclasses import dataclass
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
    interval
        The time in seconds for which each holds.
    """

    values: tuple[float, ...]
    interval: float

    def in_steps(self, steps: int, dt: float) -> NDArray[np.float64]:
        """Return the value in each of the first steps of a presentation (step)."""
        return self.at(np.arange(steps, dtype=np.float64), dt)

    def at(self, step: Any, dt: float) -> NDArray[np.float64]:
        """Return the values in some steps: the first one before the presentation's start."""
        each = round(self.interval / dt)
        index = np.clip(np.floor(np.asarray(step) / each), 0, len(self.values) - 1)
        return np.asarray(self.values)[index.astype(np.int64)]
