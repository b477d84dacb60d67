"""Programs of neuron models in NumPy, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bioae.equations import Program
from bioae.equations.arrays.start import constant_values, default_parameters, initial_state


def begun(
    program: Program, *, dt: float = 1e-3, n: int = 1, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all values that some neurons start with."""
    size: dict[str, Any] = {"dt": dt, "n": n}
    own = {**default_parameters(program), **(parameters or {})}
    return {
        **own, **constant_values(program, own, **size), **initial_state(program, own, **size),
        "dt": np.asarray(dt), "N": np.asarray(float(n)), "i": np.arange(n, dtype=float),
        "t": np.asarray(0.0),
    }  # fmt: skip
