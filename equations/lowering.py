"""From a neuron model to its `Program`: the statements that Brian2 itself derives from it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any

from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
)
from brian2.groups.neurongroup import NeuronGroup
from brian2.units import ms
from brian2.utils.logger import catch_logs
from brian2.utils.stringtools import get_identifiers

from bioae.equations.checks import check_model, check_trainable
from bioae.equations.complaints import complaint
from bioae.equations.declarations import (
    brian2_equations,
    in_order,
    parameter_values,
)
from bioae.equations.hoisting import Hoist
from bioae.equations.model import RESERVED_PREFIX, NeuronModel, Surrogate
from bioae.equations.noise import Draws
from bioae.equations.program import Parameter, Program, State, Statement, Statements
from bioae.equations.quantities import constants, evaluate, unit_name
from bioae.equations.syntax import is_condition, names_in, parse_statements
from bioae.errors import ModelError

# The package brian2.devices hides this module behind an object of the same name.
brian2_device: Any = import_module("brian2.devices.device")

__all__ = ["brian2_equations", "lower", "parameter_values"]

_ALWAYS_CONSTANT = frozenset({"dt", "i", "N"})


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


class _Lowering:
    """Asks a throw-away `NeuronGroup` for its abstract code, and hoists its constants."""

    def __init__(self, model: NeuronModel) -> None:
        self.model = model
        self.where = f"{model.name}.toml"
        self.values = parameter_values(model)
        declared = brian2_equations(model)
        self._check_noise(declared)
        check_model(model, declared, self.values)
        self.draws = Draws()
        self.group = self._probe()
        # Last: a parameter of the wrong unit is better told of by the equations that name it.
        check_trainable(model, declared, self.values)
        self.equations: Equations = self.group.equations
        self.hoist = Hoist(self._constant_names(), self._literals(), self._subexpressions())

    def program(self) -> Program:
        refractoriness, update = self._updates()
        parts: dict[str, Any] = {
            "refractoriness": refractoriness,
            "update": update,
            "prepare": self._prepare(),
            **self._firing(),
            "on_spike": self._on_spike(),
            "reset": self._reset(),
            "receive": self._receive(),
        }
        initial = {name: self._start(name, text) for name, text in self.model.initial_state.items()}
        self._check_settling()
        return Program(
            model=self.model,
            states=self._states(),
            parameters=self._parameters(),
            initial=self._in_order(initial),
            constants=self.hoist.constants,
            draws=self.draws.found,
            **parts,
        )

    # Asking Brian2

    def _probe(self) -> NeuronGroup:
        model = self.model
        with self._brian2("equations"), catch_logs():
            group = _Probe(
                1,
                brian2_equations(model),
                threshold=model.threshold,
                reset=self._reset_code() if model.threshold is not None else None,
                refractory=model.refractory or False,
                namespace={},
                dt=1 * ms,
                name="bioae_probe*",
                **({"method": model.method} if model.method else {}),
            )
            group.before_run({})
        return group

    def _updates(self) -> tuple[Statements, Statements]:
        updater = self.group.state_updater
        with self._brian2("refractory"):
            refractoriness = updater._get_refractory_code({})
        with self._brian2("method" if self.model.method else "equations"), catch_logs():
            updater.update_abstract_code({})
        integration = updater.abstract_code.removeprefix(refractoriness)
        update = self._statements(integration, "equations")
        self._check_integrated(update)
        return self._statements(refractoriness, "refractory"), update

    def _check_integrated(self, update: Statements) -> None:
        read = set().union(*(names_in(statement.value) for statement in update))
        for name, equation in self.equations.items():
            # Brian2 takes a variable E for Euler's number, when it solves its equation.
            if equation.type == DIFFERENTIAL_EQUATION and name not in read:
                raise ModelError(
                    f"Brian2 takes the variable {name!r} for a constant",
                    where=f"{self.where}, equations",
                    mend='Choose another name, or a method such as "euler"',
                )

    def _firing(self) -> dict[str, str | None]:
        if self.model.threshold is None:
            return dict.fromkeys(("threshold", "distance", "scale"))
        with self._brian2("threshold"):
            self.group.thresholder["spike"].update_abstract_code({})
        # Named first: the distance to threshold is read with the numbers that were drawn for it.
        threshold = self._named(self.model.threshold, "threshold")
        named = self.model.model_copy(update={"threshold": threshold})
        surrogate = named.distance_to_threshold()
        assert surrogate is not None  # there is a threshold
        if get_identifiers(surrogate.scale) & self.draws.found.keys():
            raise ModelError(
                "the scale of the distance to threshold is random",
                where=f"{self.where}, threshold",
                found=self.model.threshold,
                mend="Give both in [surrogate], as distance and scale",
            )
        return {
            "threshold": self._expression(threshold, "threshold"),
            "distance": self._expression(surrogate.distance, "[surrogate] distance"),
            "scale": self._expression(self._positive(surrogate), "[surrogate] scale"),
        }

    def _positive(self, surrogate: Surrogate) -> str:
        """Return the scale of the distance to threshold, made positive where it is a constant."""
        scale, given = surrogate.scale, self.model.surrogate is not None
        if names_in(scale) - self.values.keys() - constants().keys():
            return scale
        where = f"{self.where}, {'[surrogate] scale' if given else 'threshold'}"
        for text in (scale,) if given else (scale, self.model.weight):
            value = evaluate(text, self.values, where=where, error=ModelError)
            same_unit = value.dim == evaluate(scale, self.values, where=where).dim
            if value > 0 and same_unit:
                return text
            if value < 0 and same_unit and not given:
                return f"abs({text})"
        raise ModelError(
            "the scale of the distance to threshold must be positive",
            where=where,
            found=scale,
            mend="Give [surrogate] with a typical distance as its scale",
        )

    def _reset_code(self) -> str:
        code = parse_statements(self.model.reset or "", where=f"{self.where}, reset")
        return "\n".join(f"{target} = {ast.unparse(value)}" for target, value in code)

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
        weight = evaluate(
            self.model.weight, self.values, where=f"{self.where}, weight", error=ModelError
        )
        arrived = f"{RESERVED_PREFIX}input"
        if float(weight) != 1.0:
            arrived = f"{arrived}*{self._expression(self.model.weight, 'weight')}"
        return (Statement(target, f"{target} + {arrived}", self._guarded(target)),)

    # Checking

    def _check_noise(self, equations: Equations) -> None:
        every = [self.model.threshold, self.model.reset, self.model.refractory]
        every += self.model.initial_state.values()
        called = equations.identifiers.union(*(get_identifiers(part or "") for part in every))
        if "poisson" in called:
            raise ModelError(
                "poisson() is not supported",
                where=self.where,
                expected="xi, rand() or randn()",
                mend="Let several rand() < p, or a normal number, stand for it",
            )
        if get_identifiers(self.model.refractory or "") & {"rand", "randn"}:
            raise ModelError(
                "a refractory period cannot be random",
                where=f"{self.where}, refractory",
                found=self.model.refractory,
                mend="Draw it in `reset`, into a variable that `refractory` names",
            )

    def _check_settling(self) -> None:
        if self.model.settle is not None and self.draws.found:
            raise ModelError(
                "a model with noise does not settle",
                where=f"{self.where}, [initial] settle",
                mend="Give initial values instead; they may be random",
            )

    # Reading code

    def _statements(self, code: str, key: str, *, may_guard: bool = True) -> Statements:
        statements = []
        for target, value in parse_statements(code, where=f"{self.where}, {key}"):
            text = self._named(self._as_stored(target, value), key, target)
            guarded = may_guard and self._guarded(target)
            statements.append(Statement(target, self._expression(text, key), guarded))
        return tuple(statements)

    def _as_stored(self, target: str, value: ast.expr) -> str:
        """Return a value as a variable of the target's type keeps it."""
        text = ast.unparse(value)
        kind = self._states()[target].dtype if target in self._states() else "float"
        if kind == "integer" and not isinstance(value, ast.Constant):
            return f"int({text})"
        if kind == "boolean" and not is_condition(value):
            return f"({text}) != 0"
        return text

    def _named(self, text: str, key: str, target: str | None = None) -> str:
        """Return the expression with names for the random numbers in it."""
        try:
            named = self.draws(text)
        except TypeError as error:
            raise ModelError(str(error), where=f"{self.where}, {key}") from error
        if named != text and target in self._states() and self._states()[target].shared:
            raise ModelError(
                f"the shared variable {target!r} cannot be random",
                where=f"{self.where}, {key}",
                expected="noise in variables of the neurons alone",
            )
        return named

    def _start(self, target: str, text: str) -> str:
        key = f"[initial] {target}"
        named = self._named(text, key, target)
        if named != text:
            named = self._as_stored(target, ast.parse(named, mode="eval").body)
        return self._expression(named, key)

    def _expression(self, text: str, key: str) -> str:
        try:
            return self.hoist(" ".join(text.split()))
        except TypeError as error:
            raise ModelError(str(error), where=f"{self.where}, {key}") from error

    def _guarded(self, target: str) -> bool:
        return (
            self.model.refractory is not None
            and target in self.equations
            and "unless refractory" in self.equations[target].flags
        )

    # The variables

    def _in_order(self, initial: dict[str, str]) -> dict[str, str]:
        needed = {name: names_in(text) & initial.keys() for name, text in initial.items()}
        return {name: initial[name] for name in in_order(needed, where=f"{self.where}, [initial]")}

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
            raise ModelError(complaint(error), where=f"{self.where}, {key}") from error
        finally:
            brian2_device.active_device = active


class _Probe(NeuronGroup):  # type: ignore[misc]
    """A group that is asked and never run, which Brian2 would warn of."""

    def __del__(self) -> None:
        """Say nothing."""
