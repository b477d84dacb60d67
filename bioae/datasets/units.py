"""Values with units, of Brian2 or of Neo, which `numpy.asarray` drops; neither is imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.errors import DataError

__all__ = ["has_unit", "in_ms"]


def has_unit(values: Any) -> bool:
    """Return whether values, or the first of nested lists of them, have a unit."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
    if hasattr(values, "rescale"):
        return str(getattr(values, "dimensionality", "")) != "dimensionless"
    return not getattr(getattr(values, "dim", None), "is_dimensionless", True)


def in_ms(times: Any, where: str) -> ArrayLike:
    """Return times in milliseconds as bare numbers; those without a unit stay as they are.

    Parameters
    ----------
    times
        A quantity of Brian2 or of Neo, a list of them, or numbers.
    where
        The name that an error gives.

    Raises
    ------
    DataError
        If the unit is not one of time.
    """
    if not has_unit(times):
        bare: ArrayLike = times
        return bare
    if isinstance(times, list | tuple):
        return [np.asarray(in_ms(each, where)).item() for each in times]
    try:
        return _rescaled(times)
    except ValueError as error:
        raise DataError(
            "the times have no unit of time", where=where, expected="ms or s", found=f"{error}"
        ) from error


def _rescaled(times: Any) -> NDArray[np.float64]:
    if hasattr(times, "rescale"):
        return np.asarray(times.rescale("ms").magnitude, np.float64)
    # A quantity of Brian2 exists, so that it is imported.
    from brian2 import get_unit, have_same_dimensions, ms, second

    if not have_same_dimensions(times, second):
        raise ValueError(f"{get_unit(times.dim)}")
    return np.asarray(times / ms, np.float64)
