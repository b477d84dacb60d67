"""Values with units, which `numpy.asarray` drops; no library of units is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.errors import DataError

#: Names of units of time in pint, astropy and attributes of xarray, in ms.
_IN_MS = {
    **dict.fromkeys(("us", "µs", "microsecond", "microseconds"), 1e-3),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1.0),
    **dict.fromkeys(("s", "second", "seconds"), 1e3),
}
_NO_UNIT = ("", "1", "dimensionless")


def has_unit(values: Any, *, attributes: bool = False) -> bool:
    """Return whether values, or any of nested lists of them, are quantities with a unit.

    With `attributes`, one of xarray that names a unit counts, too.
    """
    if isinstance(values, list | tuple):
        return any(has_unit(each, attributes=attributes) for each in values)
    unit = _unit(values) or (_attribute(values) if attributes else "")
    return unit not in _NO_UNIT


def in_ms(times: Any, where: str) -> ArrayLike:
    """Return times in milliseconds as bare numbers; those without a unit stay as they are.

    They are quantities of Brian2, Neo, pint or astropy, an array of xarray with the attribute
    ``units``, a list of them, or numbers. Another unit, or one of some times only, raises.
    """
    if not has_unit(times, attributes=True):
        bare: ArrayLike = times
        return bare
    if isinstance(times, list | tuple):
        if not all(has_unit(each, attributes=True) for each in times):
            raise DataError(
                "some of the times have a unit, others have none", where=where,
                hint="Give all of them a unit, or none",
            )  # fmt: skip
        return [np.asarray(in_ms(each, where)).tolist() for each in times]
    try:
        return _rescaled(times)
    except ValueError as error:
        raise DataError(
            "the times have no unit of time", where=where, expected="ms or s", found=f"{error}"
        ) from error


def _unit(values: Any) -> str:
    """Return the name of the unit of values: of its dimensions, where Brian2 and Neo convert."""
    if isinstance(values, int | float | np.number):  # most items of lists
        return ""
    dimensions: Any = getattr(values, "dim", None)
    if hasattr(dimensions, "is_dimensionless"):
        return "" if dimensions.is_dimensionless else str(dimensions)
    if hasattr(values, "rescale"):
        return str(getattr(values, "dimensionality", ""))
    # Those of pint and of astropy; others may have a field or a coordinate of this name.
    for number, name in (("magnitude", "units"), ("value", "unit")):
        if all(hasattr(values, each) for each in (number, name, "to")):
            unit = getattr(values, name)
            return "" if unit is None else str(unit)
    return ""


def _attribute(values: Any) -> str:
    """Return the unit that an array of xarray has as an attribute."""
    attributes = getattr(values, "attrs", None)
    unit = attributes.get("units") if isinstance(attributes, Mapping) else None
    return unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit or "")


def _rescaled(times: Any) -> NDArray[np.float64]:
    if hasattr(times, "rescale"):
        return np.asarray(times.rescale("ms").magnitude, np.float64)
    if not hasattr(times, "dim"):
        unit = _unit(times) or _attribute(times)
        if unit not in _IN_MS:
            raise ValueError(unit)
        bare = times if hasattr(times, "attrs") else getattr(times, "magnitude", None)
        bare = getattr(times, "value", times) if bare is None else bare
        return np.asarray(bare, np.float64) * _IN_MS[unit]
    # A quantity of Brian2 exists, so that it is imported.
    from brian2 import get_unit, have_same_dimensions, ms, second

    if not have_same_dimensions(times, second):
        raise ValueError(f"{get_unit(times.dim)}")
    return np.asarray(times / ms, np.float64)
