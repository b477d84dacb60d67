"""Time, processor time and errors of a fit, without those of compilation."""

from __future__ import annotations

import resource
import statistics
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Wall and processor time in seconds.
Times = NDArray[np.float64]

#: Curves have a point where the error falls below this part of the last one.
_STEP = 0.995


class Clock:
    """Collects the best error of a fit after each of its steps, and the time of each.

    Processor time is that of this process and of the programs that it runs.
    """

    def __init__(self) -> None:
        self._last = _now()
        self._spent: list[Times] = []
        self._steps: list[tuple[float, int]] = []
        self._stage, self._compiling = 0, np.zeros(2)

    def tick(self, error: float, evaluations: int, *, setup: Times | float = 0.0) -> None:
        """Add a step, of which `setup` does not count."""
        self._spent.append(np.maximum(self.skip() - setup, 0.0))
        self._steps.append((error, evaluations))

    def compile_ended(self) -> None:
        """Count the time since the last step as compilation."""
        self._compiling += self.skip()

    def skip(self) -> Times:
        """Count the time since the last step as none, and return it."""
        now = _now()
        spent, self._last = now - self._last, now
        return spent

    def stage_ended(self) -> None:
        """Count as compilation what the first step of a stage took longer than its others."""
        first, *others = self._spent[self._stage :]
        if others:
            usual = [statistics.median(each) for each in zip(*others, strict=True)]
            self._spent[self._stage] = np.minimum(first, usual)
            self._compiling += first - self._spent[self._stage]
        self._stage = len(self._spent)

    def row(self) -> dict[str, Any]:
        """Return the sums, and a curve of processor time and best error."""
        curve, best, total = [], float("inf"), np.zeros(2)
        for spent, (error, _) in zip(self._spent, self._steps, strict=True):
            total = total + spent
            best = float(min(best, error))
            if not curve or best < _STEP * curve[-1][1]:
                curve.append([round(float(total[1]), 4), best])
        return {
            "error": best,
            "seconds": round(float(total[0]), 3),
            "processor_seconds": round(float(total[1]), 3),
            "compile_processor_seconds": round(float(self._compiling[1]), 2),
            "evaluations": sum(evaluations for _, evaluations in self._steps),
            "curve": curve,
        }


def _now() -> Times:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)])
