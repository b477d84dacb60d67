"""Delays, background input and spread of a layer: texts with units, checked and converted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from bioae.checks import number
from bioae.equations.model import NeuronModel
from bioae.errors import NetworkError
from bioae.networks.layer_base import Background, Delay, Spread

Steps = NDArray[np.int64]

#: The largest background, in network weights.
_LARGEST = 1e6

#: The largest coefficient of variation of a parameter.
_LARGEST_VARIATION = 10

#: The rounding error of a multiple of dt, in steps.
_ROUNDING = 1e-6


def check_delay(delay: Delay, *, dt: float, steps: int, where: str) -> None:
    """Check that a delay is a time, not negative, and shorter than a presentation of some steps."""
    if isinstance(delay, tuple):
        _between(delay, dt=dt, where=where)
    for text in (delay,) if isinstance(delay, str) else delay or ():
        in_steps(text, dt=dt, steps=steps, where=where)


def in_steps(delays: ArrayLike | str, *, dt: float, steps: int, where: str) -> Steps:
    """Return delays in steps, each rounded to the nearest.

    They are given in seconds (any shape), or as a time with its unit.
    """
    seconds = np.asarray(_seconds(delays, where) if isinstance(delays, str) else delays, float)
    wrong = ~((seconds >= 0) & (np.rint(seconds / dt) < steps))
    if wrong.any():
        raise NetworkError(
            "the delay does not fit", where=where,
            expected=f"not negative, and less than a presentation's {steps * dt * 1e3:g} ms",
            found=f"{seconds[wrong].flat[0] * 1e3:g} ms",
        )  # fmt: skip
    return np.rint(seconds / dt).astype(np.int64)


def draw_delays(
    delay: tuple[str, str], shape: tuple[int, ...], generator: Generator, *, dt: float, where: str
) -> NDArray[np.float64]:
    """Draw delays in seconds, uniformly among the multiples of dt between two times."""
    first, last = _between(delay, dt=dt, where=where)
    steps = generator.integers(first, last, shape, endpoint=True)
    return np.asarray(steps * dt, dtype=np.float64)


def between(delay: tuple[str, str], *, dt: float, steps: int, where: str) -> tuple[int, int]:
    """Return the first and last multiple of dt between two times of a presentation, in steps."""
    check_delay(delay, dt=dt, steps=steps, where=where)
    return _between(delay, dt=dt, where=where)


def check_background(background: Background, *, dt: float, where: str) -> None:
    """Check that background input can be drawn in steps of `dt` seconds."""
    if background is None:
        return
    number = background[0] if isinstance(background, tuple) else background
    least = -_LARGEST if isinstance(background, tuple) else 0
    if not least <= number <= _LARGEST:
        raise NetworkError(
            "the background does not fit", where=where,
            expected=f"a standard deviation of 0 or more, or a weight, of at most {_LARGEST:g}",
            found=str(number),
        )  # fmt: skip
    if isinstance(background, tuple) and not 0 <= rate_in_hz(background[1], where) * dt <= 1:
        raise NetworkError(
            "the rate of background spikes does not fit", where=where,
            expected=f"from 0 to one per step, {1 / dt:g} Hz", found=background[1],
        )  # fmt: skip


def rate_in_hz(text: str, where: str = "background") -> float:
    """Return a rate, such as ``"20*Hz"``, in Hz."""
    from brian2.units import hertz

    from bioae.equations.quantities import evaluate

    return float(evaluate(text, dimensions_of=hertz, where=where, error=NetworkError))


def check_variation(variation: Any, name: str, where: str | None = None) -> None:
    """Check that a coefficient of variation of a parameter is a number from 0 to 10."""
    subject = f"the spread of {name!r}"
    number(
        variation,
        subject if where is None else f"{where}, {subject}",
        least=0,
        most=_LARGEST_VARIATION,
        error=NetworkError,
    )


def check_spread(model: NeuronModel, name: str, spread: Spread, *, where: str) -> None:
    """Check that a model has a parameter, and that its initial spread in a layer fits."""
    if name not in model.parameters:
        raise NetworkError(
            f"neuron model {model.name!r} has no parameter {name!r}", where=f"{where}, spread",
            expected=f"one of {', '.join(sorted(model.parameters)) or 'none'}",
        )  # fmt: skip
    if isinstance(spread, tuple):
        spread_ends(model, name, spread, where=where)
    else:
        check_variation(spread, name, where)


def spread_ends(
    model: NeuronModel, name: str, spread: tuple[str, str], *, where: str
) -> tuple[float, float]:
    """Return the ends of a uniform distribution of a parameter, in base units."""
    from bioae.equations.declarations import parameter_values, trained_bounds
    from bioae.equations.quantities import evaluate

    values, where = parameter_values(model), f"{where}, spread of {name!r}"
    low, high = (
        float(evaluate(text, values, dimensions_of=values[name], where=where, error=NetworkError))
        for text in spread
    )
    least, most = trained_bounds(model, name) if name in model.trainable else (-np.inf, np.inf)
    if not least <= low <= high <= most or not np.isfinite(high - low):
        raise NetworkError(
            "the ends do not fit", where=where,
            expected="the smaller one first"
            + (f", within {' to '.join(model.trainable[name])}" if name in model.trainable else ""),
            found=", ".join(spread),
        )  # fmt: skip
    return low, high


def _between(delay: tuple[str, str], *, dt: float, where: str) -> tuple[int, int]:
    """Return the first and last multiple of dt between two times, in steps."""
    low, high = (_seconds(text, where) / dt for text in delay)
    first, last = math.ceil(low - _ROUNDING), math.floor(high + _ROUNDING)
    if first > last:
        raise NetworkError(
            "there is no delay between the two", where=where,
            expected=f"the shorter one first, and a multiple of dt = {dt * 1e3:g} ms between them",
            found=", ".join(delay),
        )  # fmt: skip
    return first, last


def _seconds(text: str, where: str) -> float:
    from brian2.units import second

    from bioae.equations.quantities import evaluate

    return float(evaluate(text, dimensions_of=second, where=where, error=NetworkError))
