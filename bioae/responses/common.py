"""What all responses have in common: times in steps, drives by the step or the millisecond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bioae.equations.lowering.lower import lower
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import constants, evaluate, time_in_seconds
from bioae.errors import InputError, ModelError

__all__ = [
    "SMALLER",
    "Parameters",
    "Per",
    "check_fires",
    "drive_attributes",
    "drive_scale",
    "steps_of",
    "time_axis",
    "time_step",
]

#: Whether a drive is counted by the step or by the millisecond.
Per: TypeAlias = Literal["step", "ms"]
Parameters: TypeAlias = Mapping[str, float]

_SECOND = constants()["second"]
_DEFAULT_DT = "0.1*ms"

#: How to mend states that overflow.
SMALLER = "Use a smaller dt, or a smaller drive"


def time_step(model: NeuronModel, dt: str | None = None) -> float:
    """Return the time step in seconds: as given, or the model's own, or 0.1 ms."""
    own: str | None = getattr(model, "dt", None)
    return time_in_seconds(dt or own or _DEFAULT_DT, where="dt")


def check_fires(model: NeuronModel) -> None:
    """Refuse a model without a threshold."""
    if lower(model).threshold is None:
        raise ModelError(
            f"the neuron model {model.name!r} never fires", expected="a model with a threshold"
        )


def steps_of(text: str, dt: float, name: str, *, least: int = 1) -> int:
    """Return a time in steps, to the nearest."""
    seconds = float(evaluate(text, dimensions_of=_SECOND, where=name))
    steps = seconds / dt
    if not least - 0.5 <= steps < np.inf:
        raise InputError(
            "this time does not fit", where=name, expected=f"{least} steps or more", found=text
        )
    return max(round(steps), least)


def drive_scale(per: Per, dt: float) -> float:
    """Return what a drive is multiplied by to be that of one step."""
    return dt * 1e3 if per == "ms" else 1.0


def drive_attributes(per: Per) -> dict[str, str]:
    """Return the attributes of a drive in a result."""
    unit = "1/ms" if per == "ms" else "1"
    return {"long_name": f"network weight per {per}", "units": unit}


def time_axis(steps: int, dt: float) -> tuple[str, NDArray[Any], dict[str, str]]:
    """Return a coordinate of time in milliseconds, from 0."""
    return "time", np.arange(steps) * dt * 1e3, {"long_name": "time", "units": "ms"}
