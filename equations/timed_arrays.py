"""Timed arrays of a model: their values, the equations without them, and intervals in steps."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np
from brian2.equations.equations import PARAMETER, Equations, SingleEquation

from bioae.equations.arrays.timed import Timed
from bioae.equations.limits import LARGEST_VALUE
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import constants, evaluate, time_in_seconds
from bioae.errors import ModelError
from bioae.unit_text import unit_in_equations

#: The relative error that rounding may cause in a number of steps.
_ROUNDING = 1e-9

#: Marks a name that was found as a function of time.
_MARK = "bioae_timed_"


def timed_arrays(model: NeuronModel) -> dict[str, Timed]:
    """Return the timed arrays of a model.

    Raises `ModelError` if a unit or an interval does not fit.
    """
    arrays = {}
    for name, each in model.timed_arrays.items():
        where = f"{model.name}.toml, [timed_arrays.{name}]"
        if name in constants():
            raise ModelError("this name is a unit or a constant", where=where, found=name)
        unit = float(evaluate(each.unit, where=f"{where} unit", error=ModelError))
        interval = time_in_seconds(each.dt, where=f"{where} dt", error=ModelError)
        numbers = unit * np.array(each.values, np.float64)
        wrong = numbers[~(np.abs(numbers) <= LARGEST_VALUE)]  # or NaN
        if len(wrong):
            raise ModelError(
                "a value is too large", where=where,
                expected=f"at most {LARGEST_VALUE:.1g} in base units, which fits 32 bits",
                found=f"{wrong[0]:g}",
            )  # fmt: skip
        values = numbers.tolist()
        rows = [tuple(row) for row in values] if numbers.ndim > 1 else values
        arrays[name] = Timed(tuple(rows), interval)
    return arrays


def without_timed_arrays(model: NeuronModel) -> NeuronModel:
    """Return the model with a constant in place of each timed array: its value in a step.

    Raises `ModelError` if a timed array is used in another way than as a function of ``t``, or of
    ``t, i``.
    """
    if not model.timed_arrays:
        return model
    per_neuron = {n for n, each in timed_arrays(model).items() if each.neurons is not None}
    units = {
        name: unit_in_equations(evaluate(each.unit, where=f"{model.name}.toml", error=ModelError))
        for name, each in model.timed_arrays.items()
    }
    declared = [
        f"{name} : {unit} ({'constant' if name in per_neuron else 'shared, constant'})"
        for name, unit in units.items()
    ]
    fields: dict[str, Any] = {
        name: _replaced(model, text, name)
        for name in ("threshold", "reset", "refractory", "run_regularly")
        if (text := getattr(model, name)) is not None
    }
    equations = _replaced(model, model.equations, "equations")
    fields["equations"] = "\n".join([equations, *declared])
    fields["initial"] = {
        name: _replaced(model, text, f"[initial] {name}") for name, text in model.initial.items()
    }
    fields["events"] = {
        name: event.model_copy(
            update={key: _replaced(model, text, f"[events.{name}] {key}") for key, text in event}
        )
        for name, event in model.events.items()
    }
    if model.surrogate is not None:
        texts = {k: _replaced(model, text, f"[surrogate] {k}") for k, text in model.surrogate}
        fields["surrogate"] = model.surrogate.model_copy(update=texts)
    return model.model_copy(update={**fields, "timed_arrays": {}})


def _replaced(model: NeuronModel, text: str, key: str) -> str:
    for name, each in model.timed_arrays.items():
        call = "t, i" if isinstance(each.values[0], list) else "t"
        pattern = r"\s*".join(["", r"\(", *re.findall(r"\w|,", call), r"\)"])
        text = re.sub(rf"\b{name}{pattern}", f" {_MARK}{name} ", text)
        if re.search(rf"(?<![A-Za-z0-9_]){name}\b", re.sub(r"#.*", "", text)):
            raise ModelError(
                "a timed array is a function of the time since the presentation's start",
                where=f"{model.name}.toml, {key}", expected=f"{name}({call})",
                found=f"{name} without ({call})",
            )  # fmt: skip
        text = text.replace(f" {_MARK}{name} ", f"({name})")
    return text


def varying(equations: Equations, timed: Collection[str]) -> Equations:
    """Return equations in which timed arrays are variables, which code may set."""
    return Equations(
        [
            SingleEquation(PARAMETER, each.varname, each.dim, flags=[*{"shared"} & {*each.flags}])
            if each.varname in timed
            else each
            for each in equations.values()
        ]
    )


def check_interval(model: NeuronModel, dt: float) -> None:
    """Reject an interval of a model that is not a multiple of the time step (in seconds).

    Raises `ModelError` if it is not.
    """
    intervals = {"run_every": model.run_every} if model.run_every is not None else {}
    intervals |= {f"[timed_arrays.{n}] dt": each.dt for n, each in model.timed_arrays.items()}
    for key, text in intervals.items():
        where = f"{model.name}.toml, {key}"
        steps = time_in_seconds(text, where=where, error=ModelError) / dt
        if round(steps) < 1 or abs(steps - round(steps)) > _ROUNDING * steps:
            what = "statements run" if key == "run_every" else "values change"
            raise ModelError(
                f"{what} at a multiple of the time step", where=where,
                expected=f"a multiple of {dt * 1e3:g} ms", found=text,
            )  # fmt: skip
