"""Numbers on a binary grid, whose sums are exact in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["rounded"]


def rounded(values: NDArray[Any], bits: int) -> NDArray[np.float64]:
    """Return numbers rounded to multiples of ``2**-bits``, ties to even."""
    grid = 2.0**bits
    result: NDArray[np.float64] = np.rint(values.astype(np.float64) * grid) / grid
    return result
