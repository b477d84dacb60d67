"""Signals and spike trains of a recording: checks of the values, and other time steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.units.fundamentalunits import Quantity, get_unit
from numpy.typing import NDArray

from bioae.checks import floats
from bioae.errors import DataError
from bioae.units import has_unit

Signal = NDArray[np.float64]
#: The fraction of a step that rounding may cost a spike time: as in Brian2's spike generators.
_ROUNDING = 1e-3


def signal(values: Any, where: str, *, gaps: bool = False) -> tuple[Signal, Quantity]:
    """Return a signal (trial, time) in base units, and its base unit.

    With `gaps`, NaN is allowed in some places.

    Raises `DataError` if the values are no such numbers, or are quantities of other libraries than
    Brian2.
    """
    what, expected = "the values do not fit", "numbers or a quantity, (time) or (trial, time)"
    if has_unit(values) and not _is_brian2(values):
        raise DataError(
            "the unit is not one of Brian2", where=where, found=type(values).__name__,
            hint="bioae.Recording.from_neo reads recordings of Neo",
        )  # fmt: skip
    try:
        quantity = Quantity(values)
    except Exception as error:  # Brian2's units raise many kinds
        raise DataError(what, where=where, expected=expected, found=str(error)) from error
    numbers = floats(np.asarray(quantity), f"{where}: {what}", expected=expected, error=DataError)
    if numbers.ndim not in (1, 2) or not numbers.size:
        raise DataError(what, where=where, expected=expected, found=f"shape {numbers.shape}")
    wrong = np.isinf(numbers) if gaps else ~np.isfinite(numbers)
    if wrong.any() or np.isnan(numbers).all():
        place = np.argwhere(wrong if wrong.any() else np.isnan(numbers))[0]
        raise DataError(
            what, where=where, expected="finite numbers" + (", or NaN in gaps" if gaps else ""),
            found=f"{numbers[tuple(place)]:g} in step {place[-1]}",
        )  # fmt: skip
    return np.atleast_2d(numbers), get_unit(quantity.dim)


def spike_steps(train: Signal, dt: float, steps: int) -> NDArray[np.int64]:
    """Return the step of each spike; one at the end of the recording is in the last step."""
    return np.minimum(np.floor(train / dt + _ROUNDING).astype(np.int64), steps - 1)


def checked_train(train: Signal, dt: float, steps: int, where: str) -> Signal:
    """Return a train within the recording, with at most one spike per step, or raise DataError."""
    outside = (train < -_ROUNDING * dt) | (train > (steps + _ROUNDING) * dt)
    inside = np.clip(train, 0, steps * dt)
    if outside.any():
        raise DataError(
            "a spike is outside the recording", where=where, expected=f"0 to {steps * dt:g} s",
            found=f"{train[outside][0]:g} s", hint="Times without a unit are in seconds",
        )  # fmt: skip
    shared = np.flatnonzero(np.diff(spike_steps(inside, dt, steps)) == 0)
    if shared.size:
        first, second = train[shared[0] : shared[0] + 2]
        interval = 0.999 * np.diff(train).min()  # below it in the digits of the hint
        raise DataError(
            "two spikes are in one step" if interval else "a spike is there twice", where=where,
            expected=f"at most one spike in {dt * 1e3:g} ms",
            found=f"spikes at {first:.9g} s and {second:.9g} s",
            hint=f"A dt of at most {interval * 1e3:.4g} ms separates them" if interval
            else "Of a raster, the times of spikes are np.flatnonzero(raster) * dt",
        )  # fmt: skip
    return inside


def held(values: Signal, old: float, new: float, steps: int) -> Signal:
    """Return an input at another step: its mean over a longer one, its value in a shorter one."""
    edges = _places(steps + 1, old, new)
    if new <= old:
        return values[:, np.minimum(edges[:-1].astype(np.int64), values.shape[1] - 1)]
    width = round(new / old)
    if np.isclose(width * old, new, rtol=1e-9):
        means: Signal = values[:, : steps * width].reshape(len(values), steps, width).mean(2)
        return means
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    grid = np.arange(total.shape[1])
    return np.stack([np.diff(np.interp(edges, grid, row)) * (old / new) for row in total])


def interpolated(values: Signal, old: float, new: float, steps: int) -> Signal:
    """Return samples at other times, linearly interpolated; NaN after the last sample.

    With shorter steps only those nearest to a sample have a value: the others would be no data.
    """
    places, grid = _places(steps, old, new), np.arange(values.shape[1])
    rows = np.stack([np.interp(places, grid, row, right=np.nan) for row in values])
    away = (places - np.floor(places + 0.5)) * (old / new)  # in new steps
    known = (new > old) | ((away > -0.501) & (away < 0.499))
    return np.where(known, rows, np.nan)


def _places(count: int, old: float, new: float) -> Signal:
    """Return the times of new samples, in old ones; rounded, so that equal times are equal."""
    return np.round(np.arange(count) * (new / old), 6)


def _is_brian2(values: Any) -> bool:
    if isinstance(values, list | tuple):
        return all(_is_brian2(each) or not has_unit(each) for each in values)
    return isinstance(values, Quantity)
