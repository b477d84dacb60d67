"""The targets that a comparison tries, and its reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bioae.simulation.backend import Target

if TYPE_CHECKING:
    from bioae.trainers.parity import Parity


class Tried(NamedTuple):
    """Targets to compare, and the reason why another one is left out, if it is."""

    targets: tuple[Target, ...]
    missing: str = ""

    def __str__(self) -> str:
        tried = f"Targets tried: {', '.join(self.targets)}"
        return f"{tried} ({self.missing})" if self.missing else tried


def to_try(chosen: Target | None) -> Tried:
    """Return the chosen target; by default NumPy, and that of `simulate` if it can be compiled."""
    from bioae.errors import TargetError
    from bioae.simulation import Backend
    from bioae.simulation.targets.activation import check_target

    if chosen is not None:
        return Tried((check_target(chosen),))
    default = Backend().target
    try:
        check_target(default)
    except TargetError as error:
        return Tried(("numpy",), f"not {default}: {error.what}")
    return Tried(("numpy", default))


def summary(reports: Sequence[Parity]) -> dict[str, Any]:
    """Return the report of the first target that failed, else of the last, and all targets."""
    failed = (report for report in reports if not report.passed)
    return next(failed, reports[-1]).to_json() | {"targets": [each.target for each in reports]}
