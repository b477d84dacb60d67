"""Stored numbers of a model's page: its f-I curve and its response to a step of drive."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from brian2.equations.equations import SUBEXPRESSION
from numpy.typing import NDArray

from bioae.equations import NeuronModel, lower
from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import default_parameters
from bioae.equations.declarations import brian2_equations
from bioae.equations.expressions import Expression
from bioae.equations.quantities import constants, unit_name
from bioae.files import write_text
from bioae.responses import rate_curve, step_response, time_step
from model_pages.description import Symbol, symbols

COMMAND = "python docs/make_models.py"

#: Firing rate during the step of drive, in Hz, if the neuron can reach it.
SHOWN_RATE = 30.0
#: Duration of each drive of an f-I curve.
COUNTED = "2.2*second"
#: Durations of the drive off, on, and off again, in ms.
OFF_ON_OFF = (50, 300, 150)
#: A trace is stored as the extremes of this number of intervals, which keeps every spike.
STRETCHES = 200

# Keys that do not change the behaviour.
_NOT_BEHAVIOUR = {"description", "reference", "trainable", "surrogate"}


def digest(model: NeuronModel) -> str:
    """Return the hash of everything that determines the behaviour of a model."""
    behaviour = model.model_dump(mode="json", exclude=_NOT_BEHAVIOUR, exclude_defaults=True)
    return hashlib.sha256(json.dumps(behaviour, sort_keys=True).encode()).hexdigest()


def measure(model: NeuronModel) -> dict[str, Any]:
    """Return a model's f-I curve and its response to a step of drive, as plain data."""
    drive, numbers = 1.0, {}
    if model.threshold is not None:
        curve = rate_curve(model, duration=COUNTED, per="ms")
        numbers["rate"] = {"drive_per_ms": _short(curve["drive"]), "rate_hz": _short(curve)}
        fast = np.asarray(curve) >= min(SHOWN_RATE, float(curve.max()))
        drive = float(curve["drive"][int(fast.argmax())])
    before, during, after = (f"{duration}*ms" for duration in OFF_ON_OFF)
    response = step_response(model, drive, before=before, during=during, after=after, per="ms")
    response = response.assign(_abbreviations(model, response))
    names = [row.name for row in symbols(model) if row.kind == "state" or _is_named(row, model)]
    versions = {name: importlib.metadata.version(name) for name in ("bioae", "brian2", "numpy")}
    return {
        "command": COMMAND,
        "versions": versions,
        "model_sha256": digest(model),
        "dt_ms": time_step(model) * 1e3,
        **numbers,
        "step": {
            "drive_per_ms": drive,
            "off_on_off_ms": list(OFF_ON_OFF),
            **_traces(response, names),
        },
    }


def _abbreviations(model: NeuronModel, response: xr.Dataset) -> dict[str, Any]:
    """Return the subexpressions that the threshold names."""
    program = lower(model)
    equations = brian2_equations(program.model)
    if model.threshold is None or program.draws:
        return {}
    values: dict[str, Any] = {name: np.asarray(float(v)) for name, v in constants().items()}
    values |= default_parameters(program)
    for name in response:
        values[str(name).removeprefix("state_")] = np.asarray(response[name])
    functions = array_functions(np)

    def evaluated(name: str) -> Any:
        expression = Expression(str(equations[name].expr))
        arguments = {n: values[n] if n in values else evaluated(n) for n in expression.names}
        return compile_expression(expression, functions)(arguments)

    return {
        f"state_{name}": ("time", evaluated(name), {"units": unit_name(equations[name].dim)})
        for name in sorted(Expression(model.threshold).names)
        if name in equations
        and name not in values
        and equations[name].type == SUBEXPRESSION
        and equations[name].var_type == "float"
    }


def _is_named(row: Symbol, model: NeuronModel) -> bool:
    return row.kind == "subexpression" and row.name in Expression(model.threshold or "0").names


def _traces(response: xr.Dataset, names: list[str]) -> dict[str, Any]:
    time = np.asarray(response["time"])
    stretch = max(len(time) // STRETCHES, 1)
    length = len(time) // stretch * stretch
    # Two values per interval, at its beginning and its middle.
    times = time[:length].reshape(-1, stretch)[:, [0, stretch // 2]].ravel()
    return {
        "spikes_ms": _short(time[np.asarray(response["spike"])]),
        "time_ms": _short(times),
        "states": {
            name: {
                "unit": response[f"state_{name}"].attrs["units"],
                "values": _short(
                    _extremes(np.asarray(response[f"state_{name}"])[:length], stretch)
                ),
            }
            for name in names
            if f"state_{name}" in response
        },
    }


def _extremes(trace: NDArray[np.float64], stretch: int) -> NDArray[np.float64]:
    """Return the smallest and the largest value of each interval of a trace, in their order."""
    parts = trace.reshape(-1, stretch)
    places = np.sort([parts.argmin(axis=1), parts.argmax(axis=1)], axis=0)
    return np.take_along_axis(parts, places.T, axis=1).ravel()


def _short(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in np.asarray(values, dtype=np.float64)]


def read(path: Path) -> dict[str, Any]:
    """Return stored numbers."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def write(path: Path, numbers: dict[str, Any]) -> None:
    """Store numbers, one list per line."""
    lists: dict[str, str] = {}

    def marked(value: Any) -> Any:
        if isinstance(value, list):
            mark = f"list {len(lists)}"
            lists[f'"{mark}"'] = json.dumps(value)
            return mark
        if isinstance(value, dict):
            return {key: marked(inner) for key, inner in value.items()}
        return value

    text = json.dumps(marked(numbers), indent=2)
    for mark, written in lists.items():
        text = text.replace(mark, written, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text + "\n", overwrite=True)
