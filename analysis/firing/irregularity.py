"""How irregular the intervals between a neuron's spikes are, (neuron,).

Each measure is a mean over the intervals, or over pairs of successive ones, pooled over the
presentations; intervals and pairs never cross from one to the next. Of a single presentation it is
what `elephant.statistics` computes of its trains. `sums` is what `interval_sums` returned for the
layer, if several measures shall share one pass over the spikes.

Time is a grid: a neuron that spikes in each step with probability p has a CV of sqrt(1 - p) and
not of 1, and the intervals that a presentation cuts off are the long ones.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.interval_moments import IntervalSums, sums_of
from bioae.analysis.results.arrays import along, ratio
from bioae.analysis.results.layers import described, layer_data
from bioae.errors import ResultError

__all__ = ["isi_cv", "isi_cv2", "lv", "lvr"]


def isi_cv(tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None) -> xr.DataArray:
    """Return the coefficient of variation of the intervals, (neuron,).

    Their standard deviation (over n, not n - 1) over their mean: 0 for a clock, 1 for a Poisson
    process. NaN where a neuron has fewer than two intervals.
    """
    sums = sums or sums_of(tree, layer, "total", "squares")
    counted = np.maximum(sums.intervals, 1)
    # Around a whole number close to the mean the squares are exact, and 0 for a clock.
    centre, rest = np.divmod(sums.total, counted)
    around = sums.squares - 2 * centre * sums.total + centre**2 * sums.intervals
    variance = around / counted - (rest / counted) ** 2
    cv = ratio(np.sqrt(np.maximum(variance, 0)), sums.total / counted)
    return _per_neuron(tree, layer, np.where(sums.intervals > 1, cv, np.nan), "isi_cv", "ISI CV")


def isi_cv2(tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None) -> xr.DataArray:
    """Return CV2, the mean of 2 abs(I - J) / (I + J) over successive intervals, (neuron,).

    Unlike the CV it is blind to slow changes of the rate. NaN where no two intervals follow each
    other. Holt, Softky, Koch & Douglas (1996), J. Neurophysiol. 75:1806.
    """
    sums = sums or sums_of(tree, layer, "difference")
    cv2 = 2 * ratio(sums.difference, sums.pairs)
    return _per_neuron(tree, layer, cv2, "isi_cv2", "CV2")


def lv(tree: xr.DataTree, layer: str, *, sums: IntervalSums | None = None) -> xr.DataArray:
    """Return the local variation, the mean of 3 (I - J)² / (I + J)² over pairs, (neuron,).

    0 for a clock, 1 for a Poisson process; NaN where no two intervals follow each other.
    Shinomoto, Shima & Tanji (2003), Neural Comput. 15:2823.
    """
    sums = sums or sums_of(tree, layer, "squared_difference")
    variation = 3 * ratio(sums.squared_difference, sums.pairs)
    return _per_neuron(tree, layer, variation, "lv", "local variation")


def lvr(
    tree: xr.DataTree,
    layer: str,
    *,
    refractoriness_ms: float = 5.0,
    sums: IntervalSums | None = None,
) -> xr.DataArray:
    """Return the revised local variation, (neuron,).

    The mean of 3 (1 - 4 I J / (I + J)²) (1 + 4 R / (I + J)) over successive intervals: the local
    variation, made up for the regularity that a refractory period lends to high rates. NaN where
    no two intervals follow each other. Shinomoto et al. (2009), PLoS Comput. Biol. 5:e1000433.

    Parameters
    ----------
    refractoriness_ms
        The constant R. The 5 ms are those of the paper, found on cortical neurons.

    Raises
    ------
    ResultError
        If R is negative or not finite.
    """
    if not 0 <= refractoriness_ms < np.inf:
        raise ResultError(
            "the refractoriness constant must not be negative",
            where="refractoriness_ms",
            found=str(refractoriness_ms),
        )
    sums = sums or sums_of(tree, layer, "squared_difference", "per_length")
    constant = 4 * refractoriness_ms / float(tree.attrs["dt_ms"])
    total = sums.squared_difference + constant * sums.per_length
    revised = 3 * ratio(total, sums.pairs)
    return _per_neuron(tree, layer, revised, "lvr", "revised local variation")


def _per_neuron(
    tree: xr.DataTree, layer: str, values: NDArray[np.float64], name: str, long_name: str
) -> xr.DataArray:
    return described(along(layer_data(tree, layer), values, "neuron"), name, long_name, "1")
