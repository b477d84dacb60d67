"""Background input: noise that the neurons of a layer receive from outside the network.

It arrives like spikes, at the model's `input`, and comes from the keyed generator of a model's own
noise: the same bits on every target.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bioae.errors import NetworkError

if TYPE_CHECKING:
    from bioae.equations.program import Program, Statement

__all__ = ["Background", "check_background", "with_background"]

#: The standard deviation of Gaussian noise, in network weights per square root of a millisecond;
#: or the weight and the rate of background spikes.
Background = float | tuple[float, str] | None

_CONSTANT = "bioae_background"
_DRAW = "bioae_background_draw"


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
        A number: Gaussian, of that standard deviation times ``sqrt(dt/ms)`` in each step. A weight
        and a rate: in each step a spike with probability ``rate*dt``, independent of all others.
        Where inhibition arrives apart, so does what is negative.
    """
    from bioae.equations.lowering.noise import Draw
    from bioae.equations.program import INHIBITION, INPUT

    if background is None:
        return program
    if isinstance(background, tuple):
        weight, rate = background
        constant = f"{_rate(rate, 'background')!r}*dt"
        amount = f"{weight!r}*int({_DRAW} < {_CONSTANT})"
        draw = Draw("uniform", _next_call(program))
    else:
        constant = f"{background!r}*sqrt(dt/0.001)"
        amount = f"{_CONSTANT}*{_DRAW}"
        draw = Draw("normal", _next_call(program))
    arriving = {INPUT: amount}
    if program.inhibited:
        arriving = {INPUT: _positive(amount), INHIBITION: _positive(f"-({amount})")}
    return replace(
        program,
        receive=tuple(_adding(statement, arriving) for statement in program.receive),
        constants={**program.constants, _CONSTANT: constant},
        draws={**program.draws, _DRAW: draw},
    )


def _next_call(program: Program) -> int:
    return max((draw.call for draw in program.draws.values()), default=-1) + 1


def _positive(amount: str) -> str:
    return f"clip({amount}, 0, 1e300)"


def _adding(statement: Statement, arriving: Mapping[str, str]) -> Statement:
    value = statement.value
    for name, amount in arriving.items():
        value = re.sub(rf"\b{name}\b", f"({name} + {amount})", value)
    return replace(statement, value=value)


def _rate(text: str, where: str) -> float:
    from brian2.units import hertz

    from bioae.equations.quantities import evaluate

    return float(evaluate(text, dimensions_of=hertz, where=where, error=NetworkError))
