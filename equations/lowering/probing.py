"""Abstract code that Brian2 derives from a model, read from a `NeuronGroup` that never runs.

All private parts of Brian2 on which lowering relies are used in this file: the updaters of a group
with their `abstract_code`, `_get_refractory_code`, `make_statements`, and the active device.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import sympy
from brian2.codegen.translation import make_statements
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.equations.equations import Equations
from brian2.groups.neurongroup import NeuronGroup
from brian2.units import ms
from brian2.utils.logger import catch_logs
from brian2.utils.stringtools import word_substitute

from bioae.equations.assignments import Assignment, parse_assignments
from bioae.equations.expressions import Expression
from bioae.equations.language import complaint
from bioae.equations.lowering.exact import Exact, TooSlowError
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import physical_constants
from bioae.errors import ModelError

# The package brian2.devices hides this module behind an object of the same name.
brian2_device: Any = import_module("brian2.devices.device")


class Probe:
    """Abstract code that Brian2 derives from a model, in the model's own names.

    Variables have another name inside Brian2 where SymPy uses theirs (``E``, ``S``, ``beta``) for
    something else, which would mislead Brian2.

    `declared`: its equations: see `bioae.equations.declarations`.

    `equations`: the equations as Brian2 completes them: with refractoriness, and with variables in
    place of subexpressions that are constant over a step.

    Raises `ModelError` if Brian2 rejects the equations.
    """

    def __init__(self, model: NeuronModel, declared: Equations) -> None:
        self._model = model
        self._declared = declared
        self._make_group({})
        taken = {name for name in declared.names if _is_taken(name)}
        misread = taken if taken and not self._understood() else set()
        aliases = {name: _alias(name, declared) for name in misread | self._overwritten()}
        if aliases:
            self._make_group(aliases)

    def _make_group(self, aliases: Mapping[str, str]) -> None:
        self._aliases = aliases
        self._names = {alias: name for name, alias in aliases.items()}
        exact = Exact(self._model, aliases)
        chosen = {None: (exact, "euler", "heun"), "exact": exact, "linear": exact}
        method: Any = chosen.get(self._model.method, self._model.method)
        with self._asking("equations"), catch_logs():
            self._group = group_of(self._model, self._declared, aliases, method=method)
        self.equations: Equations = self._group.equations.substitute(**self._names)

    def _understood(self) -> bool:
        """Return whether SymPy read every variable as one: to it, ``E`` is Euler's number."""
        try:
            update = self.update()
        except TooSlowError:
            raise
        except ModelError:
            return False
        read = set().union(*(each.value.names for each in update))
        return bool(self.equations.diff_eq_names <= read)

    def _overwritten(self) -> set[str]:
        """Return the variables whose new value has the name of another temporary of Brian2's.

        For a variable ``v``, exponential Euler computes ``_BA_v``, the new value of ``BA_v``.
        """
        names = self.equations.diff_eq_names
        if not any(name.endswith(f"_{other}") for name in names for other in names):
            return set()
        targets = [each.target for each in self.update()]
        return {name for name in names if targets.count(f"_{name}") > 1}

    def update(self) -> list[Assignment]:
        """Return the integration step, without its statements for refractoriness."""
        refractoriness, updater = self._refractoriness(), self._group.state_updater
        with self._asking("method" if self._model.method else "equations"), catch_logs():
            updater.update_abstract_code({})
        return self._assignments(updater.abstract_code.removeprefix(refractoriness))

    def refractoriness(self) -> list[Assignment]:
        """Return the statements that end refractoriness."""
        return self._assignments(self._refractoriness())

    def constant_over_dt(self) -> list[Assignment]:
        """Return the subexpressions that are computed once per step, in an order that works."""
        updater = self._group.subexpression_updater
        return self._assignments(updater.abstract_code) if updater else []

    def check_threshold(self) -> None:
        """Reject a threshold that Brian2 does not accept as a condition."""
        with self._asking("threshold"):
            self._group.thresholder["spike"].update_abstract_code({})

    def rewritten(self, assignment: Assignment, key: str) -> Assignment:
        """Return the assignment that Brian2 makes: of ``v = ... + v + ...`` it makes ``v += ...``.

        The result rounds differently.
        """
        target, value = assignment.target, assignment.value
        if assignment.augmented or target not in self.equations or _adds_one_term(target, value):
            return assignment
        if target not in value.names or self.equations[target].var_type != "float":
            return assignment
        known = {**DEFAULT_FUNCTIONS, **dict(self._group.variables)}
        code = self._aliased(f"{target} = {value}")
        with self._asking(key):
            parts = [*make_statements(code, known, np.float64, optimise=False)]
        (made,) = (s for part in parts for s in part if s.var == self._aliased(target))
        if made.op not in ("+=", "*="):
            return assignment
        text = f"{target} {made.op[0]} ({self._named(made.expr)})"
        return assignment._replace(value=Expression(text))

    def _assignments(self, code: str) -> list[Assignment]:
        return [*parse_assignments(self._named(code), where="abstract code")]

    def _refractoriness(self) -> str:
        with self._asking("refractory"):
            return str(self._group.state_updater._get_refractory_code({}))

    def _aliased(self, text: str) -> str:
        return str(word_substitute(text, self._aliases))

    def _named(self, code: str) -> str:
        return str(word_substitute(code, self._names))

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Run Brian2 on its runtime device; turn its errors into one line about the model."""
        active = brian2_device.active_device
        # `set_device` would give the user's device a new default clock.
        brian2_device.active_device = brian2_device.runtime_device
        try:
            yield
        except ModelError:
            raise
        except Exception as error:  # Brian2 raises many kinds
            reason = self._named(complaint(error))
            raise ModelError(reason, where=f"{self._model.name}.toml, {key}") from error
        finally:
            brian2_device.active_device = active


class _SilentGroup(NeuronGroup):  # type: ignore[misc]
    """A group that never runs; Brian2 would warn about that."""

    def __del__(self) -> None:
        """Give no warning."""


def group_of(
    model: NeuronModel, declared: Equations, aliases: Mapping[str, str], *, method: Any
) -> NeuronGroup:
    """Return a model's neuron as a group that never runs.

    `model`, `declared`: see `Probe`; `aliases`: other names for some of its variables; `method`: as
    Brian2 takes it.
    """

    def aliased(text: str | None) -> Any:
        return None if text is None else word_substitute(text, aliases)

    group = _SilentGroup(
        1, declared.substitute(**aliases), threshold=aliased(model.threshold),
        reset="" if model.threshold is not None else None,
        refractory=aliased(model.refractoriness) or False,
        namespace=dict(physical_constants(besides=declared.names)), dt=1 * ms, name="bioae_probe*",
        method=method,
    )  # fmt: skip
    group.before_run({})
    return group


def _alias(name: str, declared: Equations) -> str:
    alias = f"{name}_"
    while alias in declared.names or _is_taken(alias):
        alias += "_"
    return alias


def _is_taken(name: str) -> bool:
    # SymPy evaluates text as Python.
    return hasattr(sympy, name) or hasattr(builtins, name)


def _adds_one_term(target: str, value: Expression) -> bool:
    match value.tree:
        case ast.BinOp(left=ast.Name(id=left), op=ast.Add() | ast.Sub() | ast.Mult(), right=right):
            return left == target and isinstance(right, ast.Name | ast.Constant)
    return False
