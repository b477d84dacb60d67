"""Neuron models of Brian2 objects: a `NeuronGroup`, or equations with a threshold and a reset."""

from __future__ import annotations

import ast
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from brian2 import Equations, NeuronGroup, TimedArray, second
from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
from brian2.core.namespace import DEFAULT_UNITS
from brian2.equations.equations import DIFFERENTIAL_EQUATION, PARAMETER, SingleEquation
from brian2.groups.group import CodeRunner
from brian2.groups.neurongroup import Resetter, Thresholder
from brian2.groups.subgroup import Subgroup
from brian2.units import Quantity
from brian2.utils.stringtools import get_identifiers
from numpy.typing import NDArray

from bioae.checks import instance
from bioae.equations.grammar import BUILT_IN, REFRACTORINESS, without_comments
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError, shortened
from bioae.unit_text import readable, unit_in_equations, unit_name

#: The input of a network weight of 1, by the unit of the variable that receives it.
_WEIGHTS = {"1": "1", "volt": "1*mV", "siemens": "1*nS", "amp": "1*nA"}

#: The keys of a model whose texts may name constants.
_KEYS = (
    "threshold", "reset", "refractory", "run_regularly", "weight", "events",
    "parameters", "initial", "inputs", "layer_spikes",
)  # fmt: skip

#: The slots of a step in which a group's objects usually run.
_SLOTS = {Thresholder: "thresholds", Resetter: "resets", CodeRunner: "start"}


def model_of(
    source: Any,
    keys: Mapping[str, Any],
    namespace: Mapping[str, Any],
    arrays: dict[str, NDArray[np.float64]] | None = None,
) -> NeuronModel:
    """Return the neuron model of a Brian2 object, which fits; see `NeuronModel.from_brian2`.

    Values that differ from neuron to neuron are put into `arrays` in base units, by the names of
    parameters; without it the model has their mean, with a warning.
    """
    described: dict[str, Any]
    where = "from_brian2"
    instance(namespace, "the namespace", Mapping, error=ModelError)
    name = keys.get("name", getattr(source, "name", "neuron"))
    if isinstance(source, NeuronGroup):
        where, equations = str(name), source.user_equations
        described = _fields_of(source, where) | _state(source, where, arrays)
        namespace = {**namespace, **(source.namespace or {})}  # as in Brian2
    else:
        equations, described = _parsed(source), {}
    described["equations"] = (
        source if isinstance(source, str) else equations_text(equations.values())
    )
    described |= {"name": name, "description": f"Neurons {name!r} of a Brian2 script."}
    for key, value in keys.items():
        described[key] = _merged(described.get(key), readable(value))
    if "input" not in described:
        described["input"] = _only_variable(equations, where)
    if isinstance(described["input"], str) and described["input"] in equations:
        unit = unit_name(equations[described["input"]].dim)
        described.setdefault("weight", _WEIGHTS.get(unit, f"1*{unit}"))
    for key, found in _external(described, equations, namespace, where).items():
        described[key] = _merged(found, described.get(key, {}))
    model = NeuronModel(**described)
    try:
        lower(model)
    except ModelError as error:  # there is no file that it could name
        raise error.at(where + (error.where or "").removeprefix(f"{name}.toml")) from error
    return model


def _merged(table: Any, others: Any) -> Any:
    """Return the entries of both, or the others where these are no tables."""
    return {**table, **others} if isinstance(table, dict) and isinstance(others, dict) else others


def callers_namespace() -> dict[str, Any]:
    """Return the names that the code which called this package sees, as Brian2 does at a run."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "bioae":
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


def has_run(one: Any) -> bool:
    """Return whether an object of Brian2 has run: a network has it, and its time is not 0."""
    if getattr(one, "_network", None) is None:
        return False
    try:
        return bool(one.clock.t_[:] > 0)
    except NotImplementedError:  # in standalone mode times cannot be read
        return True


def _parsed(source: Any) -> Equations:
    if isinstance(source, Equations):
        return source
    if not isinstance(source, str):
        raise ModelError(
            "this is no neuron", where="from_brian2", found=type(source).__name__,
            expected="a NeuronGroup, Equations or their text",
        )  # fmt: skip
    try:
        return Equations(source)
    except Exception as error:  # Brian2's parser raises many kinds
        found = shortened(" ".join(str(error).split()))
        raise ModelError("this is no equation", where="from_brian2", found=found) from error


def equations_text(equations: Iterable[SingleEquation]) -> str:
    """Return equations as text, with names of units that need no prefix."""
    lines = []
    for each in equations:
        left = f"d{each.varname}/dt" if each.type == DIFFERENTIAL_EQUATION else each.varname
        right = "" if each.expr is None else f" = {each.expr}"
        unit = unit_in_equations(each.dim) if each.var_type == "float" else each.var_type
        flags = f" ({', '.join(each.flags)})" if each.flags else ""
        lines.append(f"{left}{right} : {unit}{flags}")
    return "\n".join(lines) + "\n"


def _only_variable(equations: Equations, where: str) -> str:
    """Return the variable that receives input, where there is one candidate."""
    names: list[str] = sorted(equations.diff_eq_names)
    if len(names) == 1:
        return names[0]
    varying = (n for n in equations.parameter_names if "constant" not in equations[n].flags)
    known = sorted(equations.diff_eq_names.union(varying))
    if not known:
        raise ModelError("there is no variable to which spikes could add", where=where)
    raise ModelError(
        "spikes may arrive at several variables", where=where, expected='input="NAME"',
        found=", ".join(known),
        hint='Call NeuronModel.from_brian2(group, input="NAME", weight=...), and use the model',
    )  # fmt: skip


def _fields_of(group: NeuronGroup, where: str) -> dict[str, Any]:
    """Return the keys of a model that a group's arguments and operations state."""
    for name, each in group.user_equations.items():
        if "linked" in each.flags:
            raise ModelError("a linked variable refers to another group", where=f"{where}.{name}")
    events = dict(group.events)
    found: dict[str, Any] = {
        "threshold": events.pop("spike", None),
        "reset": group.event_codes.get("spike"),
        "refractory": readable(group._refractory) if group._refractory is not False else None,
        "dt": readable(group.dt[:]),
        "events": {
            name: {"condition": text, "reset": group.event_codes[name]}
            for name, text in events.items()
            if name in group.event_codes
        },
    }
    if isinstance(group.method_choice, str):
        found["method"] = group.method_choice
    regular = _operations(group, where)
    if regular:
        found["run_regularly"] = "\n".join(map(_code, regular))
        if regular[0].clock.dt != group.clock.dt:
            found["run_every"] = readable(regular[0].clock.dt)
    return {key: value for key, value in found.items() if value}


def _operations(group: NeuronGroup, where: str) -> list[CodeRunner]:
    """Return what a group and its subgroups run regularly, in order, all at the usual times."""
    own = [each for each in group.contained_objects if not isinstance(each, Subgroup)]
    parts = (each for each in group.contained_objects if isinstance(each, Subgroup))
    inner = (each for part in parts for each in part.contained_objects)
    objects = sorted([*own, *inner], key=lambda each: str(each.name))  # as Brian2 does
    regular = [each for each in objects if type(each) is CodeRunner]
    for each in objects:
        custom = getattr(each, "event", "spike") != "spike"
        slot = _SLOTS.get(type(each), each.when)
        unusual = each.when != (f"after_{slot}" if custom else slot) or each.order != 0
        if unusual or (each in regular and each.clock.dt != regular[0].clock.dt):
            raise ModelError(
                "this runs at an unusual time, or at another interval",
                where=f"{where}.{each.name}", found=f"{each.when} ({each.order})",
            )  # fmt: skip
    return regular


def _code(operation: CodeRunner) -> str:
    """Return the code of an operation; neurons outside its subgroup keep their values."""
    group = operation.group
    if not isinstance(group, Subgroup):
        return str(operation.abstract_code)
    lines, inside = [], f"int(i >= {group.start})*int(i < {group.stop})"
    code = "\n".join(line.strip() for line in operation.abstract_code.splitlines())
    for statement in ast.parse(code).body:
        match statement:
            case ast.Assign([ast.Name(name)], value):
                pass
            case ast.AugAssign(ast.Name(name) as left, operator, right):
                value = ast.BinOp(left, operator, right)
            case _:
                raise ModelError("this is no assignment", where=str(operation.name), found=code)
        text = re.sub(r"\bN\b", str(len(group)), ast.unparse(value))
        text = re.sub(r"\bi\b", f"(i - {group.start})", text)
        kept = f"{inside}*({text}) + (1 - {inside})*{name}"
        lines.append(f"{name} = {kept if name in group.variables else text}")
    return "\n".join(lines)


def _state(
    group: NeuronGroup, where: str, arrays: dict[str, NDArray[np.float64]] | None
) -> dict[str, dict[str, str]]:
    """Return the present values: of constants as parameters, of other variables as initial values.

    Where they differ from neuron to neuron, it is their mean, or that of a parameter in `arrays`.
    """
    found: dict[str, dict[str, str]] = {"parameters": {}, "initial": {}}
    for name, each in group.user_equations.items():
        if each.type not in (PARAMETER, DIFFERENTIAL_EQUATION):
            continue
        try:
            values = np.asarray(group.variables[name].get_value(), np.float64)
        except NotImplementedError:
            raise ModelError(
                "values cannot be read in standalone mode", where=f"{where}.{name}",
                hint="Convert the group before set_device",
            ) from None  # fmt: skip
        constant = each.type == PARAMETER and "constant" in each.flags
        table, key = found["parameters" if constant else "initial"], name
        if np.ptp(values) and arrays is not None:
            key = name if constant else f"{name}_initial"
            found["initial"] |= {} if constant else {name: key}
            arrays[key], table = values, found["parameters"]
        elif np.ptp(values):
            line = "bioae: %s.%s differs from neuron to neuron; the model has the mean"
            logging.getLogger("bioae").warning(line, where, name)
        value = float(values.mean())
        if constant or value or key != name:
            whole = each.var_type != "float"
            table[key] = str(int(value)) if whole else readable(Quantity(value, dim=each.dim))
    return found


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts among values, and in their tables."""
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from _texts(each)


def _external(
    described: Mapping[str, Any], equations: Equations, namespace: Mapping[str, Any], where: str
) -> dict[str, dict[str, Any]]:
    """Return the constants and timed arrays of the namespace that the model's texts name."""
    texts = _texts([described.get(key) for key in _KEYS])
    used = set(equations.identifiers).union(*(get_identifiers(without_comments(t)) for t in texts))
    own = described.get("parameters")
    used -= {*equations.names, *(own if isinstance(own, dict) else ())}
    used -= {*BUILT_IN, *REFRACTORINESS, *DEFAULT_UNITS, *DEFAULT_FUNCTIONS, *DEFAULT_CONSTANTS}
    found: dict[str, dict[str, Any]] = {"parameters": {}, "timed_arrays": {}}
    for name in sorted(used & namespace.keys()):
        value = namespace[name]
        if isinstance(value, TimedArray):
            values, unit = value.values.tolist(), unit_name(value.dim)
            step = readable(value.dt * second)
            found["timed_arrays"][name] = {"values": values, "dt": step, "unit": unit}
        elif isinstance(value, Quantity | int | float | np.number) and not np.ndim(value):
            found["parameters"][name] = readable(value)
        else:
            raise ModelError(
                f"{name!r} is no constant", where=where, found=shortened(type(value).__name__),
                expected="a number, a quantity or a TimedArray",
            )  # fmt: skip
    return {key: table for key, table in found.items() if table}
