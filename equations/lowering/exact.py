"""Exact integration under a time limit.

Brian2 asks SymPy for the exponential of the matrix of coupled equations, which may take hours. Such
a matrix is left to another process: only that can be stopped in every thread and in every worker.
All others take less than the start of a process, and are integrated in this one.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from brian2.equations.equations import Equations
from brian2.stateupdaters.base import UnsupportedEquationsException
from brian2.stateupdaters.exact import get_linear_system, linear

from bioae.equations.model import NeuronModel
from bioae.errors import ModelError

#: The limit of processor time of an exact integration in seconds.
LIMIT = 20.0

#: The largest numbers of equations that SymPy integrates within seconds: those that depend on one
#: another in any way, those of a circle of dependencies, and all.
_COUPLED, _CIRCLE, _ALL = 3, 1, 8

#: A wall-clock limit in units of the limit of processor time, for a machine that is busy.
_PATIENCE = 10

_SOLVER = "bioae.equations.lowering.solver"


class TooSlowError(ModelError):
    """The exact integration of a model takes too long."""


class Exact:
    """Brian2's method ``exact``, under the time limit.

    `aliases`: other names of variables, see `bioae.equations.lowering.probing.group_of`.
    """

    def __init__(self, model: NeuronModel, aliases: Mapping[str, str]) -> None:
        self._model = model
        fields = {**model.model_dump(mode="json"), "name": model.name}
        self._request = json.dumps({"model": fields, "aliases": dict(aliases)}, sort_keys=True)

    def __call__(
        self, equations: Equations, variables: Any = None, method_options: Any = None
    ) -> str:
        """Return the integration step, as Brian2's state updaters do.

        Raises `TooSlowError` if it takes too long; `UnsupportedEquationsException` if the equations
        cannot be integrated exactly.
        """
        coupled = _hard(equations, variables)
        if not coupled or equations.is_stochastic or not sys.executable:
            return str(linear(equations, variables, method_options))
        get_linear_system(equations, variables)  # refuses other equations at once
        answer = _answer(self._request, LIMIT)
        if answer is None:
            raise TooSlowError(
                f"the exact integration of {coupled} equations takes more than {LIMIT:g} s",
                where=f"{self._model.name}.toml, {'method' if self._model.method else 'equations'}",
                hint='Set method = "exponential_euler" or method = "rk4"',
            )
        if "unsupported" in answer:
            raise UnsupportedEquationsException(answer["unsupported"])
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["code"]


def _hard(equations: Equations, variables: Any) -> int:
    """Return the number of equations that SymPy may take long for, or 0."""
    expressions = dict(equations.get_substituted_expressions(variables))
    names = [*expressions]
    if len(names) < 2:
        return 0
    from scipy.sparse.csgraph import connected_components

    depends = np.array([[n in expressions[name].identifiers for n in names] for name in names])
    coupled, circle = (
        int(np.bincount(connected_components(depends, connection=kind)[1]).max())
        for kind in ("weak", "strong")
    )
    if coupled > _COUPLED or circle > _CIRCLE:
        return coupled
    return len(names) if len(names) > _ALL else 0


@cache
def _answer(request: str, limit: float) -> dict[str, str] | None:
    """Return the answer of a new process, or None if it takes too long."""
    # Nothing is imported from the working directory: a stranger's files may lie there.
    path = os.pathsep.join(folder for folder in sys.path if Path(folder).is_absolute())
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", _SOLVER, str(math.ceil(limit))],
            input=request, capture_output=True, text=True, timeout=_PATIENCE * limit, check=False,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    if hasattr(signal, "SIGXCPU") and done.returncode == -signal.SIGXCPU:
        return None
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.splitlines() or ["it printed nothing"])[-1]
        return {"error": f"the exact integration failed: {reason}"}
    answer: dict[str, str] = json.loads(lines[-1])
    return answer
