"""Quantities of Brian2 as text."""

from __future__ import annotations

from typing import Any

import numpy as np

#: The base units, and the kinds of quantity of Brian2.
_BASES = {
    "metre": "length", "kilogram": "mass", "second": "time", "amp": "current",
    "kelvin": "temperature", "mole": "substance", "candela": "luminosity",
}  # fmt: skip


def unit_name(quantity: Any) -> str:
    """Return the base unit of a quantity or dimension, ``"1"`` where it has none."""
    # A quantity of Brian2 exists, so that it is imported.
    from brian2 import second
    from brian2.units.fundamentalunits import get_dimensions, get_unit, standard_unit_register

    dimensions = get_dimensions(quantity)
    if dimensions.is_dimensionless:
        return "1"
    # get_unit alone returns whichever unit of these dimensions the session has made first.
    standard = standard_unit_register.units_for_dimensions
    if 1.0 not in standard[dimensions] and 1.0 in standard[dimensions * second.dim]:
        return f"{standard[dimensions * second.dim][1.0]!r} / second"
    return repr(get_unit(dimensions))


def unit_in_equations(quantity: Any) -> str:
    """Return the base unit of a quantity or dimension without brackets, as equations need it."""
    name = unit_name(quantity)
    if "(" not in name:
        return name
    from brian2.units.fundamentalunits import get_dimensions

    powers = {base: get_dimensions(quantity).get_dimension(kind) for base, kind in _BASES.items()}
    # Brian2 with NumPy before 2.3 takes `amp**1` for a quantity.
    return "*".join(
        base if power == 1 else f"{base}**{power:g}" for base, power in powers.items() if power
    )


def readable(value: Any) -> Any:
    """Return a number or a quantity of Brian2 as text, such as ``"20*ms"``.

    The text has the same value, in the unit in which it is shortest. Anything else, and arrays, are
    returned unchanged.
    """
    numeric = isinstance(value, int | float | np.number) or hasattr(value, "dim")
    if not numeric or isinstance(value, bool) or np.ndim(value):
        return value
    number, base = float(value), unit_name(value)
    if base == "1":
        return repr(np.asarray(value).item())
    from brian2.core.namespace import DEFAULT_UNITS
    from brian2.units.fundamentalunits import standard_unit_register

    units = standard_unit_register.units_for_dimensions.get(value.dim, {}).values()
    texts = [f"{number!r}*({base})"]
    for unit in units:
        amount = f"{number / float(unit):.15g}"
        if str(unit) in DEFAULT_UNITS and float(amount) * float(unit) == number:
            texts.append(f"{amount}*{unit}")
    return min(texts, key=len)


def multiple(factor: float, text: str) -> str:
    """Return the text of a multiple, to three digits: of 2 and ``"0.5*mV"`` it is ``"1*mV"``."""
    number, times, unit = text.partition("*")
    try:
        return f"{factor * float(number):.3g}{times}{unit}"
    except ValueError:
        return f"{factor:.3g}*{text}" if text.isidentifier() else f"{factor:.3g}*({text})"
