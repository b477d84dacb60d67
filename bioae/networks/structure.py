"""Structural plasticity: connections of a constant fan-in, and their exchange.

A set of connections is a mask (target, source) with the same number of sources for each target, the
*fan-in*. Rewiring exchanges connections for potential ones with a higher score. Masks and scores
belong here; the learning rules that scores come from do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bioae.checks import any_array, array, instance, whole
from bioae.errors import InputError

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Rewiring", "Structure", "mutual_information", "random_connections", "rewired"]


@dataclass(frozen=True)
class Structure:
    """Description of structural plasticity.

    Attributes
    ----------
    fan_in
        The number of sources of each target.
    period
        The number of presentations between rewirings.
    swaps
        The largest number of connections that one rewiring exchanges, over all targets.
    by_fan_out
        Whether scores are divided by the number of targets that share the source, see `rewired`.

    Raises
    ------
    InputError
        If a number is not a whole one within its bounds, or `by_fan_out` not a Boolean.
    """

    fan_in: int
    period: int
    swaps: int
    by_fan_out: bool = True

    def __post_init__(self) -> None:
        whole(self.fan_in, "fan_in", least=1)
        whole(self.period, "period", least=1)
        whole(self.swaps, "swaps")
        instance(self.by_fan_out, "by_fan_out", bool)

    def periods(self, before: int, after: int) -> int:
        """Count the periods that end between two numbers of presentations."""
        return after // self.period - before // self.period


@dataclass(frozen=True)
class Rewiring:
    """Connections after a rewiring.

    Attributes
    ----------
    connected
        The connections (target, source), a mask.
    swaps
        The exchanges in their order (swap, 3): the target, the source that it lost, and the one
        that took its place.
    """

    connected: NDArray[np.bool_]
    swaps: NDArray[np.int64]


def random_connections(
    targets: int, sources: int, fan_in: int, rng: Generator
) -> NDArray[np.bool_]:
    """Return random connections (target, source), with the same number of sources per target.

    Raises
    ------
    InputError
        If there are fewer sources than each target needs, or `rng` is not a generator.
    """
    instance(rng, "rng", np.random.Generator, hint="Give for instance numpy.random.default_rng(0)")
    targets, sources = whole(targets, "targets", least=1), whole(sources, "sources", least=1)
    fan_in = whole(fan_in, "fan_in", least=1, most=sources)
    return rng.permuted(np.tile(np.arange(sources) < fan_in, (targets, 1)), axis=1)


def rewired(
    connected: ArrayLike,
    scores: ArrayLike,
    swaps: int,
    *,
    by_fan_out: bool = True,
    potential: ArrayLike | None = None,
) -> Rewiring:
    """Exchange connections for potential ones of the same target that have a higher score.

    The exchange with the largest gain comes first; in a tie, that of the lowest target and sources.
    With `by_fan_out` the score of a connection is divided by the number of targets that have its
    source, itself included, and that of a potential connection by the number that would have it, so
    that targets spread over the sources. Each exchange changes these numbers for the next, and
    raises the sum of ln score over connections, less that of ln(fan-out!) over sources. Rewiring
    therefore terminates.

    Parameters
    ----------
    connected
        The connections (target, source), a mask.
    scores
        Numbers for all potential connections (target, source).
    swaps
        The most exchanges.
    by_fan_out
        Whether scores are divided; they may not be negative then.
    potential
        The possible connections (target, source), a mask; all by default.

    Returns
    -------
    Rewiring
        The new connections, with the fan-in of each target as it was, and the exchanges.

    Raises
    ------
    InputError
        If the shapes differ, connections are not booleans, a connection is not possible, or a
        score is not a finite number.
    """
    mask = _mask(connected)
    values = array(scores, "scores do not fit", least=0.0 if by_fan_out else -np.inf)
    if values.shape != mask.shape:
        raise InputError(
            "scores do not fit", expected=f"numbers {mask.shape}", found=f"numbers {values.shape}"
        )
    impossible = np.zeros_like(mask) if potential is None else ~_mask(potential)
    if impossible.shape != mask.shape or (mask & impossible).any():
        raise InputError(
            "potential connections do not fit", expected=f"booleans {mask.shape} that are true "
            "for all connections", found=f"booleans {impossible.shape}"
            if impossible.shape != mask.shape
            else f"{int((mask & impossible).sum())} connections that are not potential",
        )  # fmt: skip
    most = whole(swaps, "swaps")
    # Scores of connections to lose, negative, and of those to take; else minus infinity.
    rated = np.empty((2, *mask.shape))

    def rate(columns: slice | list[int]) -> None:
        own = mask[:, columns]
        # A source's targets after the exchange: its own for a connection, one more for others.
        shared = own.sum(0) + ~own if by_fan_out else 1
        score = values[:, columns] / shared
        rated[0][:, columns] = np.where(own, -score, -np.inf)
        rated[1][:, columns] = np.where(own | impossible[:, columns], -np.inf, score)

    rate(slice(None))
    made: list[tuple[int, int, int]] = []
    while len(made) < most:
        lose, take = rated.max(2)
        target = int((take + lose).argmax())
        if not take[target] > -lose[target]:
            break
        lost, taken = rated[:, target].argmax(1).tolist()
        mask[target, lost], mask[target, taken] = False, True
        rate([lost, taken])
        made.append((target, lost, taken))
    return Rewiring(mask, np.array(made, np.int64).reshape(-1, 3))


def mutual_information(joint: ArrayLike) -> NDArray[np.float64]:
    """Return the mutual information between each target and each source, in nats.

    Parameters
    ----------
    joint
        The probability that a target and a source are in two of their states
        (target, state of the target, source, state of the source).

    Returns
    -------
    numpy.ndarray
        Numbers of 0 or more (target, source).

    Raises
    ------
    InputError
        If there are not four dimensions, a probability is negative, or those of a pair of target
        and source do not sum to 1.
    """
    from scipy.special import entr

    expected = "probabilities (target, state, source, state) with the sum 1 for each pair"
    p = array(joint, "joint probabilities do not fit", expected=expected, least=0.0)
    sums = p.sum((1, 3)) if p.ndim == 4 else np.array([0.0])
    if not np.allclose(sums, 1.0, rtol=0.0, atol=1e-6):
        wrong = sums.flat[np.abs(sums - 1.0).argmax()]
        found = f"a sum of {wrong:g}" if p.ndim == 4 else f"numbers {p.shape}"
        raise InputError("joint probabilities do not fit", expected=expected, found=found)
    of_target, of_source = entr(p.sum(3)).sum(1), entr(p.sum(1)).sum(-1)
    information: NDArray[np.float64] = of_target + of_source - entr(p).sum((1, 3))
    return np.maximum(information, 0.0)  # rounding: of independent sides it is about -1e-16


def _mask(values: ArrayLike) -> NDArray[np.bool_]:
    """Return a copy of booleans (target, source)."""
    mask = any_array(values).copy()
    if mask.dtype != np.bool_ or mask.ndim != 2 or not mask.size:
        raise InputError(
            "connections do not fit", expected="booleans (target, source)",
            found=f"{mask.dtype} {mask.shape}",
        )  # fmt: skip
    return mask
