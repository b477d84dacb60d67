"""What a comparison of the mirror with Brian2 found, and whether that is what is owed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["AGREEMENT", "Parity"]

#: The agreement of free runs that is owed where rounding is not amplified.
AGREEMENT = 0.999


@dataclass(frozen=True)
class Parity:
    """How far the mirror and Brian2 agree.

    Attributes
    ----------
    model, target
        What ran, and where.
    steps, neurons, examples
        The size of the comparison: steps of a presentation, neurons of all layers, presentations.
    spikes
        Brian2's spikes.
    active_fraction
        The fraction of neurons that fired at all: says that the comparison was not empty.
    differing
        (neuron, step) pairs on which the two disagree.
    identical
        The fraction of such pairs that agree.
    spike_agreement
        Spikes that both have, of those that either has; 1 where neither has any.
    one_step
        The fraction of such pairs that agree when each step starts from Brian2's state; those that
        are `excused` count as agreeing.
    excused
        Pairs that disagree so, but lie within a few units in the last place of the threshold.
    max_state_error
        The largest difference of a state variable, in base units.
    exact
        Whether agreement to the last spike is owed: weights on the grid, and no function of the
        state that libraries compute differently.
    self_agreement
        As `spike_agreement`, of Brian2 with itself after a perturbation in the last bits of
        weights and initial states; None where it was not needed.
    silent
        Whether the model never fires: then states count in place of spikes, a pair of `differing`
        is one at which some state differs, and `active_fraction` that of the neurons which moved.
    """

    model: str
    target: str
    steps: int
    neurons: int
    examples: int
    spikes: int
    active_fraction: float
    differing: int
    identical: float
    spike_agreement: float
    one_step: float
    excused: int
    max_state_error: float
    exact: bool
    self_agreement: float | None = None
    silent: bool = False

    @property
    def chaotic(self) -> bool | None:
        """Whether Brian2 does not agree with itself once perturbed; None if it was not asked."""
        return None if self.self_agreement is None else self.self_agreement < AGREEMENT

    @property
    def passed(self) -> bool:
        """Whether the comparison shows what is owed."""
        if self.silent:
            return self.active_fraction > 0 and self.differing == 0
        if not self.spikes:
            return False
        if self.exact:
            return self.differing == 0
        return self.one_step == 1.0 and (self.spike_agreement >= AGREEMENT or bool(self.chaotic))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self) | {"chaotic": self.chaotic, "passed": self.passed}
