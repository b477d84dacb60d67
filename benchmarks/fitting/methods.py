"""The methods of each case with their settings, and a fit in a separate process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fitting.cases import Case, load_cases
from benchmarks.fitting.gradients import Gradients, descend
from benchmarks.fitting.ours import Search, search
from benchmarks.fitting.rivals import Evolution, evolve

#: 22 rounds are those of brian2modelfitting's example.
_TRACES = {
    "bioae": Search(),
    "bioae, 2 starts": Search(starts=2),
    "evolution, 22 rounds": Evolution(22, 20),
    "evolution, 22 rounds, Cython": Evolution(22, 20, compiled=False),
    "evolution, 200 rounds": Evolution(200, 20),
    "Jaxley": Gradients(),
}
#: 10,000 evaluations of differential evolution.
_SPIKES = {
    "bioae": Search(starts=6),
    "bioae, 2 ms": Search(starts=6, delta=0),
    "bioae, 4 ms": Search(starts=6, delta=1),
    "evolution, 2 ms": Evolution(100, 100, delta=0),
    "evolution, 4 ms": Evolution(100, 100, delta=1),
}
_FIT: dict[type, Callable[..., dict[str, Any]]] = {
    Search: search, Evolution: evolve, Gradients: descend,
}  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """A fit of a case in `folder`, to run in a new process."""

    folder: Path
    case: str
    method: str
    seed: int

    def __call__(self) -> Callable[[], dict[str, Any]]:
        """Return the function that fits."""
        case = load_cases(self.folder)[self.case]
        return partial(self._measured, case, methods(case)[self.method])

    def _measured(self, case: Case, settings: Any) -> dict[str, Any]:
        row = _FIT[type(settings)](case, self.seed, settings)
        return {**row, "settings": asdict(settings)}


def methods(case: Case) -> Mapping[str, Any]:
    """Return the methods of a case by name, with their settings."""
    if case.recording.voltage is not None:
        return _TRACES
    # At the receptor's rate a window of 4 ms leaves little that is not chance.
    return {n: each for n, each in _SPIKES.items() if not (case.signal and n.endswith("4 ms"))}
