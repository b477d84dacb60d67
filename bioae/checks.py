"""Checks of arguments: whole numbers, numbers, choices and types, each rejected in one line.

All raise `InputError`, or the class `error`, with the argument's `name`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bioae.errors import InputError, shortened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST = 2**63 - 1


def whole(
    value: Any,
    name: str,
    *,
    least: int = 0,
    most: int = _MOST,
    expected: str | None = None,
    error: type[InputError] = InputError,
) -> int:
    """Return a whole number within bounds; neither text, a fraction nor a Boolean is one.

    `expected` describes the type in errors.
    """
    try:
        truth = isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"
        integer = None if truth else operator.index(value)
    except TypeError:
        integer = None
    if integer is None or not least <= integer <= most:
        bounds = f"a whole number from {least} to {most}"
        if integer is None:
            bounds = expected or (f"a whole number, {least} or more" if most == _MOST else bounds)
        elif most == _MOST:
            bounds = f"{least} or more" if integer < least else "a number of 64 bits"
        found = shortened(repr(value if integer is None else integer))
        raise error(f"{name} does not fit", expected=bounds, found=found)
    return integer


def number(
    value: Any,
    name: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    error: type[InputError] = InputError,
) -> float:
    """Return a finite number that is at least `least`, more than `above` and at most `most`."""
    as_float = real(value, name, error=error)
    if not (math.isfinite(as_float) and least <= as_float <= most and as_float > above):
        expected = _bounds(least, above, most, "a number")
        raise error(f"{name} does not fit", expected=expected, found=shortened(repr(value)))
    return as_float


def _bounds(least: float, above: float, most: float, kind: str) -> str:
    bounds = [
        text
        for bound, text in (
            (least, f"of {least:g} or more"),
            (above, f"above {above:g}"),
            (most, f"of at most {most:g}"),
        )
        if math.isfinite(bound)
    ]
    return " ".join([kind, " and ".join(bounds)]).strip()


def real(value: Any, name: str, *, error: type[InputError] = InputError) -> float:
    """Return a number of any value; neither text, a Boolean nor a quantity is one."""
    dtype, unit = getattr(value, "dtype", None), getattr(value, "dim", None)
    numeric = isinstance(value, int | float)
    if dtype is not None:
        numeric = getattr(dtype, "kind", "") in tuple("iuf") and not getattr(value, "ndim", 0)
    bare = getattr(unit, "is_dimensionless", True)  # float() would drop a unit of Brian2
    try:
        if numeric and bare and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    expected = "a number" if bare else "a number without a unit"
    raise error(f"{name} does not fit", expected=expected, found=shortened(repr(value)))


def array(
    values: Any,
    what: str,
    *,
    expected: str = "an array of numbers",
    least: float = -math.inf,
    most: float = math.inf,
    error: type[InputError] = InputError,
) -> NDArray[np.float64]:
    """Return an array of finite numbers, within bounds as for `number`, or of Booleans.

    `what` is the problem in errors, such as ``"strain does not fit"``.
    """
    import numpy as np

    numbers = floats(values, what, expected=expected, error=error)
    fits = np.isfinite(numbers) & (numbers >= least) & (numbers <= most)
    if not fits.all():
        wrong = numbers[~fits][0]
        raise error(what, expected=_bounds(least, -math.inf, most, "numbers"), found=f"{wrong:g}")
    return numbers


def floats(
    values: Any,
    what: str,
    *,
    expected: str = "an array of numbers",
    error: type[InputError] = InputError,
) -> NDArray[np.float64]:
    """Return an array of numbers, NaN and infinite ones included; see `array`."""
    import numpy as np

    try:
        raw = np.asarray(values)
        # Whole numbers of more than 64 bits are objects.
        known = raw.dtype.kind in "buif" or all(isinstance(each, int | float) for each in raw.flat)
        numbers = raw.astype(np.float64) if known else None
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None:
        raise error(what, expected=expected, found=shortened(repr(values)))
    return numbers


def any_array(values: Any) -> NDArray[Any]:
    """Return an array; that of None, which no check accepts, where NumPy makes none of a list."""
    import numpy as np

    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError):  # unequal lengths, trees, or numbers too long
        return np.asarray(None)


def one_of(
    value: Any, name: str, options: Sequence[str], *, error: type[InputError] = InputError
) -> None:
    """Reject a text that is not one of some options."""
    if not isinstance(value, str) or value not in options:
        raise error(
            f"{name} does not fit", expected=" or ".join(options), found=shortened(repr(value))
        )


def instance(
    value: Any,
    name: str,
    kind: Any,
    *,
    hint: str | None = None,
    error: type[InputError] = InputError,
) -> None:
    """Reject an object that is not of a class, or of one of several."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise error(
            f"{name} does not fit",
            expected=" or ".join(each.__name__ for each in kinds),
            # An array shows its first numbers only.
            found=type(value).__name__ if hasattr(value, "shape") else shortened(repr(value)),
            hint=hint,
        )
