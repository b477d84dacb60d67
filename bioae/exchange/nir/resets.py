"""The resets of spiking neurons that an import may ask for."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["RESETS", "Reset"]

#: To ``v_reset``, as NIR defines it; or by subtraction of the threshold, at once or after the leak
#: of the next step.
Reset = Literal["zero", "subtract", "subtract_delayed"]
RESETS: tuple[str, ...] = get_args(Reset)
