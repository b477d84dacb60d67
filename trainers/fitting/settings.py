"""The options of a fit, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypedDict

import numpy as np
from brian2 import second
from brian2.units import Quantity

from bioae.checks import instance, number, whole
from bioae.equations.quantities import evaluate
from bioae.errors import InputError, shortened
from bioae.unit_text import readable


class FitOptions(TypedDict, total=False):
    """Further options of a fit, see `bioae.fit`."""

    known: Mapping[str, Any]
    weights: tuple[float, float]
    voltage_noise: Quantity | str | None
    leave_out: Iterable[Sequence[Any]]
    lapse: float
    coupled: bool
    coincidence: Quantity | str | None
    candidates: int | None
    evaluations: int


@dataclass(frozen=True)
class Settings:
    """The options of a fit, see `bioae.fit`, with their defaults."""

    known: Mapping[str, Any]
    weights: tuple[float, float]
    voltage_noise: Any
    #: The times in seconds that do not count.
    windows: tuple[tuple[float, float], ...]
    lapse: float
    coupled: bool
    coincidence: float | None
    candidates: int
    evaluations: int
    starts: int
    seed: int

    @classmethod
    def read(cls, options: FitOptions, *, starts: int, seed: int) -> Self:
        """Return checked options, or raise an InputError."""
        count = whole(starts, "starts", least=1)
        candidates, window = options.get("candidates"), options.get("coincidence")
        known, coupled = options.get("known", {}), options.get("coupled", True)
        instance(known, "known", Mapping, hint='Such as known={"gain": 2*nA}')
        instance(coupled, "coupled", bool)
        return cls(
            known=known, weights=_weights(options.get("weights", (1.0, 1.0))),
            voltage_noise=options.get("voltage_noise"),
            windows=_windows(options.get("leave_out", ())),
            lapse=number(options.get("lapse", 0.01), "lapse", least=0, most=0.5),
            coupled=coupled,
            coincidence=None if window is None else number_in(window, second, "coincidence"),
            candidates=8 * count if candidates is None else whole(
                candidates, "candidates", least=count
            ),
            evaluations=whole(options.get("evaluations", 100), "evaluations", least=1),
            starts=count, seed=whole(seed, "seed"),
        )  # fmt: skip


def number_in(value: Any, unit: Any, where: str) -> float:
    """Return a number or quantity, perhaps as text, in base units."""
    text = readable(value) if isinstance(value, Quantity | int | float | np.number) else value
    return float(evaluate(str(text), dimensions_of=unit, where=where))


def _weights(given: Any) -> tuple[float, float]:
    try:
        spikes, voltage = given
        pair = number(spikes, "weight", least=0), number(voltage, "weight", least=0)
    except (TypeError, ValueError) as error:
        raise InputError(
            "weights are those of the spikes and of the voltage", where="weights",
            expected="two numbers, 0 or more, such as (1, 1)", found=shortened(repr(given)),
        ) from error  # fmt: skip
    return pair


def _windows(given: Any) -> tuple[tuple[float, float], ...]:
    try:
        windows = [(_time(begin), _time(end)) for begin, end in given]
    except (TypeError, ValueError) as error:
        raise InputError(
            "windows are pairs of times", where="leave_out",
            expected="a list such as [(0*ms, 20*ms)]", found=shortened(repr(given)),
        ) from error  # fmt: skip
    for begin, end in windows:
        if not 0 <= begin < end:
            raise InputError(
                "a window ends before it begins", where="leave_out",
                expected="(begin, end)", found=f"{begin:g} s, {end:g} s",
            )  # fmt: skip
    return tuple(windows)


def _time(value: Any) -> float:
    return number_in(value, second, "leave_out")
