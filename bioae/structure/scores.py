"""Scores of potential connections, from what their two sides do together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bioae.checks import array
from bioae.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["mutual_information"]


def mutual_information(joint: ArrayLike) -> NDArray[np.float64]:
    """Return the mutual information of each target and each source, in nats.

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
        and source do not have the sum 1.
    """
    from scipy.special import entr

    expected = "probabilities (target, state, source, state) with the sum 1 for each pair"
    p = array(joint, "joint probabilities do not fit", expected=expected, least=0.0)
    if p.ndim != 4:
        raise InputError(
            "joint probabilities do not fit", expected=expected, found=f"numbers {p.shape}"
        )
    sums = p.sum((1, 3))
    if not np.allclose(sums, 1.0, rtol=0.0, atol=1e-6):
        wrong = sums.flat[np.abs(sums - 1.0).argmax()]
        raise InputError(
            "joint probabilities do not fit", expected=expected, found=f"a sum of {wrong:g}"
        )
    of_target, of_source = entr(p.sum(3)).sum(1), entr(p.sum(1)).sum(-1)
    found: NDArray[np.float64] = of_target + of_source - entr(p).sum((1, 3))
    return np.maximum(found, 0.0)  # rounding: of independent sides it is about -1e-16
