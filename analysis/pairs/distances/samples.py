"""Two samples as arrays of defined values."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_dataset", "defined"]

Sample = NDArray[np.float64]


def defined(sample: ArrayLike) -> tuple[Sample, int]:
    """Return the values of a sample that are not NaN, and how many are."""
    values = np.asarray(sample, dtype=np.float64).ravel()
    known = values[~np.isnan(values)]
    return known, values.size - known.size


def as_dataset(
    measures: dict[str, tuple[float, str, str]], a: tuple[Sample, int], b: tuple[Sample, int]
) -> xr.Dataset:
    """Return measures of two samples beside the numbers of values that went into them.

    Parameters
    ----------
    measures
        Value, long name and units of each.
    a, b
        The samples, as from `defined`.
    """
    rows: dict[str, Any] = {
        name: ((), value, {"long_name": text, "units": units})
        for name, (value, text, units) in measures.items()
    }
    for name, (values, undefined) in (("a", a), ("b", b)):
        which = "first" if name == "a" else "second"
        text = {"long_name": f"values of the {which}", "units": "1"}
        rows[f"values_{name}"] = ((), values.size, text)
        text = {"long_name": f"undefined values of the {which}", "units": "1"}
        rows[f"undefined_{name}"] = ((), undefined, text)
    return xr.Dataset(rows)
