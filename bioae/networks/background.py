"""Background input: noise that the neurons of a layer receive from outside the network.

It arrives like spikes, at the model's `input`, and comes from the keyed generator of a model's own
noise: the same bits on every target.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bioae.errors import NetworkError
from bioae.networks.layers import Background

if TYPE_CHECKING:
    from bioae.equations.program import Program

__all__ = ["check_background", "with_background"]


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
    if not math.isfinite(number) or (number < 0 and not isinstance(background, tuple)):
        raise NetworkError(
            "the background does not fit",
            where=where,
            expected="a standard deviation of 0 or more",
            found=str(number),
        )
    if isinstance(background, tuple):
        rate = _rate(background[1], where)
        if not 0 <= rate * dt <= 1:
            raise NetworkError(
                "the rate of background spikes does not fit",
                where=where,
                expected=f"from 0 to one per step, {1 / dt:g} Hz",
                found=background[1],
            )


def with_background(program: Program, background: Background) -> Program:
    """Return a program that receives background input in every step.

    Parameters
    ----------
    program
        The lowered neuron model.
    background
        A standard deviation, see `with_background_noise`; or a weight and a rate, see
        `with_background_spikes`.
    """
    from bioae.equations.lowering.noise import with_background_noise, with_background_spikes

    if background is None:
        return program
    if isinstance(background, tuple):
        weight, rate = background
        return with_background_spikes(program, weight, _rate(rate, "background"))
    return with_background_noise(program, background)


def _rate(text: str, where: str) -> float:
    from brian2.units import hertz

    from bioae.equations.quantities import evaluate

    return float(evaluate(text, dimensions_of=hertz, where=where, error=NetworkError))
