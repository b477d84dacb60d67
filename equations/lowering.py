"""From a neuron model to its `Program`: the statements that Brian2 itself derives from it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any

from brian2.core.base import BrianObjectException
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.equations.unitcheck import check_units_statements
from brian2.groups.neurongroup import NeuronGroup
from brian2.units import Quantity, ms
from brian2.utils.logger import catch_logs
from brian2.utils.stringtools import get_identifiers

from bioae.equations.hoisting import Hoist
from bioae.equations.model import RESERVED_PREFIX, NeuronModel
from bioae.equations.program import Parameter, Program, State, Statement, Statements
from bioae.equations.quantities import constants, evaluate, unit_name
from bioae.errors import ModelError

# The package brian2.devices hides this module behind an object of the same name.
brian2_device: Any = import_module("brian2.devices.device")

__all__ = ["brian2_equations", "lower", "parameter_values"]

_ALWAYS_CONSTANT = frozenset({"dt", "i", "N"})
_STOCHASTIC = frozenset({"rand", "randn", "poisson"})


def lower(model: NeuronModel) -> Program:
    """Return the statements that Brian2 runs for a model in each time step.

    Parameters
    ----------
    model
        The neuron model.

    Raises
    ------
    ModelError
        If Brian2 refuses the model (an unknown name, wrong units, a method that cannot integrate
        the equations), or the model uses a construct that is not supported.
    """
    return _lower(model.name, model.model_dump_json())


@lru_cache(maxsize=128)
def _lower(name: str, fields: str) -> Program:
    model = NeuronModel.model_validate({**json.loads(fields), "name": name})
    return _Lowering(model).program()


def parameter_values(model: NeuronModel) -> dict[str, Quantity]:
    """Return the values of a model's parameters, which may name one another.

    Raises
    ------
    ModelError
        If one is not a Brian2 expression of constants, or they name each other in a circle.
    """
    values: dict[str, Quantity] = {}
    waiting = dict(model.parameters)
    while waiting:
        ready = [n for n, text in waiting.items() if not (get_identifiers(text) & waiting.keys())]
        if not ready:
            raise ModelError(
                f"the parameters {', '.join(sorted(waiting))} are defined by one another",
                where=f"{model.name}.toml",
            )
        for name in ready:
            where = f"{model.name}.toml, [parameters] {name}"
            values[name] = evaluate(waiting.pop(name), values, where=where, error=ModelError)
    return values


def brian2_equations(model: NeuronModel) -> Equations:
    """Return the model's equations, its constants declared as shared parameters.

    As variables they may change from run to run, and from layer to layer, without a new build.

    Raises
    ------
    ModelError
        If the equations cannot be parsed, or use a name that is reserved.
    """
    where = f"{model.name}.toml, equations"
    values = parameter_values(model)
    try:
        declared = Equations(model.equations)
        undeclared = [
            SingleEquation(PARAMETER, name, value.dim, flags=["shared", "constant"])
            for name, value in values.items()
            if name not in declared
        ]
        equations = declared + Equations(undeclared)
    except Exception as error:  # Brian2's parser raises many kinds
        raise ModelError(_reason(error), where=where) from error
    for name in equations.names:
        if name.startswith(RESERVED_PREFIX) or name == "settle":
            raise ModelError(
                f"the variable name {name!r} is reserved", where=where, mend="Choose another name"
            )
    for name, value in values.items():
        if equations[name].dim != value.dim:
            raise ModelError(
                f"the parameter {name!r} has the wrong unit",
                where=f"{model.name}.toml, [parameters]",
                expected=unit_name(equations[name].dim),
                found=unit_name(value),
            )
    return equations


class _Lowering:
    """Asks a throw-away `NeuronGroup` for its abstract code, and hoists its constants."""

    def __init__(self, model: NeuronModel) -> None:
        self.model = model
        self.where = f"{model.name}.toml"
        self.values = parameter_values(model)
        self._check_stochastic(brian2_equations(model))
        self.group = self._probe()
        self.equations: Equations = self.group.equations
        self.hoist = Hoist(self._constant_names(), self._literals(), self._subexpressions())

    def program(self) -> Program:
        self._check_input()
        self._check_initial()
        surrogate = self.model.distance_to_threshold()
        refractoriness, update = self._updates()
        parts: dict[str, Any] = {
            "prepare": self._prepare(),
            "refractoriness": refractoriness,
            "update": update,
            "threshold": self._threshold(),
            "on_spike": self._on_spike(),
            "reset": self._reset(),
            "receive": self._receive(),
            "distance": surrogate and self._expression(surrogate.distance, "[surrogate] distance"),
            "scale": surrogate and self._expression(surrogate.scale, "[surrogate] scale"),
        }
        initial = {name: self.hoist(text) for name, text in self.model.initial_state.items()}
        return Program(
            model=self.model,
            states=self._states(),
            parameters=self._parameters(),
            initial=initial,
            constants=self.hoist.constants,
            **parts,
        )

    # Asking Brian2

    def _probe(self) -> NeuronGroup:
        model = self.model
        with self._brian2("equations"), catch_logs():
            group = NeuronGroup(
                1,
                brian2_equations(model),
                threshold=model.threshold,
                reset=model.reset if model.reset is not None or model.threshold is None else "",
                refractory=model.refractory or False,
                namespace={},
                dt=1 * ms,
                name="bioae_probe*",
                **({"method": model.method} if model.method else {}),
            )
            group.before_run({})
            group._network = group.name  # or Brian2 warns that it was never run
        return group

    def _updates(self) -> tuple[Statements, Statements]:
        updater = self.group.state_updater
        with self._brian2("refractory"):
            refractoriness = updater._get_refractory_code({})
        with self._brian2("method" if self.model.method else "equations"), catch_logs():
            updater.update_abstract_code({})
        integration = updater.abstract_code.removeprefix(refractoriness)
        return (
            self._statements(refractoriness, "refractory"),
            self._statements(integration, "equations"),
        )

    def _threshold(self) -> str | None:
        if self.model.threshold is None:
            return None
        with self._brian2("threshold"):
            self.group.thresholder["spike"].update_abstract_code({})
        return self._expression(self.model.threshold, "threshold")

    def _reset(self) -> Statements:
        if not self.model.reset:
            return ()
        with self._brian2("reset"):
            self.group.resetter["spike"].update_abstract_code({})
        # A reset overrides the conditional write.
        return self._statements(self.model.reset, "reset", may_guard=False)

    def _prepare(self) -> Statements:
        updater = self.group.subexpression_updater
        return self._statements(updater.abstract_code, "equations") if updater else ()

    def _on_spike(self) -> Statements:
        if "lastspike" not in self.equations:
            return ()
        return (Statement("not_refractory", "False"), Statement("lastspike", "t"))

    def _receive(self) -> Statements:
        target = self.model.input
        where = f"{self.where}, weight"
        weight = evaluate(
            self.model.weight, self.values, dimensions_of=self.equations[target].dim,
            where=where, error=ModelError,
        )  # fmt: skip
        arrived = f"{RESERVED_PREFIX}input"
        if float(weight) != 1.0:
            arrived = f"{arrived}*{self._expression(self.model.weight, 'weight')}"
        return (Statement(target, f"{target} + {arrived}", self._guarded(target)),)

    # Checking

    def _check_stochastic(self, equations: Equations) -> None:
        code = "\n".join(
            part or "" for part in (self.model.threshold, self.model.reset, self.model.refractory)
        )
        random = (equations.identifiers | get_identifiers(code)) & _STOCHASTIC
        if equations.is_stochastic or random:
            found = sorted(random | equations.stochastic_variables)[0]
            raise ModelError("noise is not supported yet", where=self.where, found=found)

    def _check_input(self) -> None:
        target = self.model.input
        known = [n for n, eq in self.equations.items() if eq.type != SUBEXPRESSION]
        writable = [n for n in known if "constant" not in self.equations[n].flags]
        if target not in writable:
            raise ModelError(
                f"the input variable {target!r} is not a variable of the model",
                where=f"{self.where}, input",
                expected=f"one of {', '.join(sorted(writable))}",
            )

    def _check_initial(self) -> None:
        for name, text in self.model.initial_state.items():
            where = f"{self.where}, [initial] {name}"
            if name not in self._states():
                raise ModelError(
                    "this is not a variable of the model",
                    where=where,
                    expected=f"one of {', '.join(self._states())}",
                )
            self._check_units(f"{name} = {text}", where)
            called = get_identifiers(text) & _STOCHASTIC
            if called:
                raise ModelError("noise is not supported yet", where=where, found=called.pop())

    def _check_units(self, code: str, where: str) -> None:
        with self._brian2(where.removeprefix(f"{self.where}, ")):
            names = get_identifiers(code)
            unknown = {n for n in names if n.startswith("_") and n not in self.group.variables}
            variables = self.group.resolve_all(names - unknown, {}, user_identifiers=names)
            check_units_statements(code, variables)

    # Reading code

    def _statements(self, code: str, key: str, *, may_guard: bool = True) -> Statements:
        if code.strip():
            self._check_units(code, f"{self.where}, {key}")
        statements = []
        for node in ast.parse(_unindented(code)).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    text = ast.unparse(value)
                case ast.AugAssign(target=ast.Name(id=target), op=op, value=value):
                    text = ast.unparse(ast.BinOp(ast.Name(target), op, value))
                case _:
                    raise ModelError(
                        "this statement is not supported",
                        where=f"{self.where}, {key}",
                        expected="an assignment",
                        found=ast.unparse(node),
                    )
            guarded = may_guard and self._guarded(target)
            statements.append(Statement(target, self._expression(text, key), guarded))
        return tuple(statements)

    def _expression(self, text: str, key: str) -> str:
        try:
            return self.hoist(text.strip())
        except TypeError as error:
            raise ModelError(str(error), where=f"{self.where}, {key}") from error

    def _guarded(self, target: str) -> bool:
        return (
            self.model.refractory is not None
            and target in self.equations
            and "unless refractory" in self.equations[target].flags
        )

    # The variables

    def _states(self) -> dict[str, State]:
        return {
            name: State(unit_name(eq.dim), eq.var_type, "shared" in eq.flags)
            for name, eq in self.equations.items()
            if eq.type == DIFFERENTIAL_EQUATION
            or (eq.type == PARAMETER and "constant" not in eq.flags)
        }

    def _parameters(self) -> dict[str, Parameter]:
        return {
            name: Parameter(unit_name(eq.dim), per_neuron="shared" not in eq.flags)
            for name, eq in self.equations.items()
            if eq.type == PARAMETER and "constant" in eq.flags
        }

    def _constant_names(self) -> set[str]:
        return {*_ALWAYS_CONSTANT, *self._parameters()}

    def _literals(self) -> dict[str, float]:
        hidden = set(self.group.variables)
        return {name: float(value) for name, value in constants().items() if name not in hidden}

    def _subexpressions(self) -> dict[str, str]:
        return {n: str(eq.expr) for n, eq in self.equations.items() if eq.type == SUBEXPRESSION}

    @contextmanager
    def _brian2(self, key: str) -> Iterator[None]:
        """Run Brian2 on its runtime device, and say in one line what it objects to."""
        active = brian2_device.active_device
        # `set_device` would give the user's device a new default clock.
        brian2_device.active_device = brian2_device.runtime_device
        try:
            yield
        except ModelError:
            raise
        except Exception as error:  # Brian2 raises many kinds
            raise ModelError(_reason(error), where=f"{self.where}, {key}") from error
        finally:
            brian2_device.active_device = active


def _reason(error: BaseException) -> str:
    if isinstance(error, BrianObjectException) and error.__cause__ is not None:
        return _reason(error.__cause__)
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text.strip() or type(error).__name__


def _unindented(code: str) -> str:
    return "\n".join(line.strip() for line in code.replace(";", "\n").splitlines())
