"""Networks that learn, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.networks.network import Network

__all__ = ["Learned"]


@dataclass(frozen=True, eq=False)
class Learned:
    """A network after learning.

    Attributes
    ----------
    network
        The network, with the weights that it has learned.
    result
        Its activity while it learned, see `docs/result.md`.
    moments
        The state of the optimiser, by name; empty if there was none.
    presentations
        The presentations from which it has learned, in this call and those that it continued.
    """

    network: Network
    result: xr.DataTree
    moments: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    presentations: int = 0
