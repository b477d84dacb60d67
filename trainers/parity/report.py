"""The result of a comparison of the mirror with Brian2, and its requirement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bioae.showing import Shown, Summary, rows_of

#: The required agreement of free runs where rounding errors are not amplified.
AGREEMENT = 0.999


@dataclass(frozen=True, repr=False)
class Parity(Shown):
    """The agreement of the mirror with Brian2.

    Attributes
    ----------
    model, target
        The model or network, and Brian2's target.
    steps, neurons, examples
        The size of the comparison: steps of a presentation, neurons of all layers, presentations.
    spikes
        Brian2's spikes.
    active_fraction
        The fraction of neurons that fired: shows that the comparison was not empty.
    differing
        The number of (neuron, step) pairs on which the two disagree.
    identical
        The fraction of all pairs that agree.
    spike_agreement
        The spikes of both over those of either; 1 if neither has any.
    one_step
        The fraction of pairs that agree if each step starts from Brian2's state; `excused` pairs
        count as agreeing.
    excused
        The number of pairs that disagree in a single step, but within a few units in the last place
        of the threshold, and of the other side's state.
    explained
        The largest number of excused pairs that the density of distances to threshold explains.
    max_state_error
        The largest difference of a state variable, in base units; in JSON null if it is infinite.
    exact
        Whether every spike and state must agree: weights on the grid, and no function of the state
        that libraries compute differently.
    self_agreement
        `spike_agreement` of Brian2 with itself after a perturbation in the last bits of weights and
        initial states; None if it was not needed.
    silent
        Whether the model never fires: then states are compared instead of spikes, `differing`
        counts pairs at which a state differs, and `active_fraction` is the fraction of neurons
        whose state changed.
    diverged
        Lines by layer on neurons with a state that is not finite in 32 bits. Such a comparison does
        not pass, whatever agrees.
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
    explained: int
    max_state_error: float
    exact: bool
    self_agreement: float | None = None
    silent: bool = False
    diverged: Mapping[str, str] = field(default_factory=dict)

    def _summary(self) -> Summary:
        fields = self.to_json()
        model, target, passed = (fields.pop(name) for name in ("model", "target", "passed"))
        heading = f"Parity of {model} on {target}: {'passed' if passed else 'FAILED'}"
        fields["diverged"] = {n: line.replace(", ", "\n") for n, line in self.diverged.items()}
        rows = rows_of({"required": self.requirement, **fields})
        return Summary(heading, [("measure", "value"), *rows])

    @property
    def requirement(self) -> str:
        """The agreement that is required, as text."""
        if self.exact:
            return "every spike and state"
        return f"each step, up to rounding; {AGREEMENT} of the spikes, unless chaotic"

    @property
    def chaotic(self) -> bool | None:
        """Return whether Brian2 disagrees with itself once perturbed; None if it was not tested."""
        return None if self.self_agreement is None else self.self_agreement < AGREEMENT

    @property
    def passed(self) -> bool:
        """Return whether the comparison meets its requirement."""
        if self.diverged:
            return False
        if self.silent:
            return self.active_fraction > 0 and self.differing == 0
        if not self.spikes:
            return False
        if self.exact:
            return self.differing == 0 and self.max_state_error == 0
        if self.excused > self.explained:
            return False
        return self.one_step == 1.0 and (self.spike_agreement >= AGREEMENT or bool(self.chaotic))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        error = self.max_state_error if math.isfinite(self.max_state_error) else None
        derived = {"max_state_error": error, "chaotic": self.chaotic, "passed": self.passed}
        return asdict(self) | derived
