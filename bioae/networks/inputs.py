"""Delays and background input of a layer: texts with units, checked and converted to numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from bioae.errors import NetworkError
from bioae.networks.layers import Background, Delay

__all__ = [
    "Steps",
    "background_rate",
    "check_background",
    "check_delay",
    "draw_delays",
    "in_steps",
]

Steps = NDArray[np.int64]

#: The largest background, in network weights.
_LARGEST = 1e6

#: The rounding error of a multiple of dt, in steps.
_ROUNDING = 1e-6


def check_delay(delay: Delay, *, dt: float, steps: int, where: str) -> None:
    """Check that a delay is a time, not negative, and shorter than a presentation.

    Parameters
    ----------
    delay
        The delay as text, or None.
    dt
        The time step in seconds.
    steps
        Steps of a presentation.
    where
        The layer and key, named in errors.

    Raises
    ------
    NetworkError
        If it is not, or a pair has no multiple of dt between its ends.
    """
    if isinstance(delay, tuple):
        _between(delay, dt=dt, where=where)
    for text in (delay,) if isinstance(delay, str) else delay or ():
        in_steps(text, dt=dt, steps=steps, where=where)


def in_steps(delays: ArrayLike | str, *, dt: float, steps: int, where: str) -> Steps:
    """Return delays in steps, each rounded to the nearest.

    Parameters
    ----------
    delays
        In seconds (any shape), or a time as text.
    dt, steps, where
        As for `check_delay`.

    Raises
    ------
    NetworkError
        If one is negative, not finite, or not shorter than a presentation.
    """
    seconds = np.asarray(_seconds(delays, where) if isinstance(delays, str) else delays, float)
    wrong = ~((seconds >= 0) & (np.rint(seconds / dt) < steps))
    if wrong.any():
        raise NetworkError(
            "the delay does not fit",
            where=where,
            expected=f"not negative, and less than a presentation's {steps * dt * 1e3:g} ms",
            found=f"{seconds[wrong].flat[0] * 1e3:g} ms",
        )
    return np.rint(seconds / dt).astype(np.int64)


def draw_delays(
    delay: tuple[str, str], shape: tuple[int, ...], generator: Generator, *, dt: float, where: str
) -> NDArray[np.float64]:
    """Draw delays of single connections, uniformly among the multiples of dt between two times.

    Parameters
    ----------
    delay
        The two times.
    shape
        The shape of the connection's weights.
    generator
        The source of random numbers.
    dt, where
        As for `check_delay`.

    Returns
    -------
    NDArray
        Delays in seconds, of that shape.
    """
    first, last = _between(delay, dt=dt, where=where)
    steps = generator.integers(first, last, shape, endpoint=True)
    return np.asarray(steps * dt, dtype=np.float64)


def check_background(background: Background, *, dt: float, where: str) -> None:
    """Check that background input can be drawn in steps of `dt` seconds.

    Raises
    ------
    NetworkError
        If the standard deviation is negative, a number is not finite, or there would be more than
        one background spike per step.
    """
    if background is None:
        return
    number = background[0] if isinstance(background, tuple) else background
    least = -_LARGEST if isinstance(background, tuple) else 0
    if not least <= number <= _LARGEST:
        raise NetworkError(
            "the background does not fit",
            where=where,
            expected=f"a standard deviation of 0 or more, or a weight, of at most {_LARGEST:g}",
            found=str(number),
        )
    if isinstance(background, tuple) and not 0 <= background_rate(background[1], where) * dt <= 1:
        raise NetworkError(
            "the rate of background spikes does not fit",
            where=where,
            expected=f"from 0 to one per step, {1 / dt:g} Hz",
            found=background[1],
        )


def background_rate(text: str, where: str = "background") -> float:
    """Return the rate of background spikes in Hz."""
    from brian2.units import hertz

    from bioae.equations.quantities import evaluate

    return float(evaluate(text, dimensions_of=hertz, where=where, error=NetworkError))


def _between(delay: tuple[str, str], *, dt: float, where: str) -> tuple[int, int]:
    """Return the first and last multiple of dt between two times, in steps."""
    low, high = (_seconds(text, where) / dt for text in delay)
    first, last = math.ceil(low - _ROUNDING), math.floor(high + _ROUNDING)
    if first > last:
        raise NetworkError(
            "there is no delay between the two",
            where=where,
            expected=f"the shorter one first, and a multiple of dt = {dt * 1e3:g} ms between them",
            found=", ".join(delay),
        )
    return first, last


def _seconds(text: str, where: str) -> float:
    from brian2.units import second

    from bioae.equations.quantities import evaluate

    return float(evaluate(text, dimensions_of=second, where=where, error=NetworkError))
