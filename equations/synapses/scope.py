"""Names that statements of a learning rule may use: expressions and units, and their checks."""

from __future__ import annotations

import ast
import math
from collections.abc import Collection
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import Variable
from brian2.equations.equations import SUBEXPRESSION, Equations
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units import Quantity
from brian2.units.fundamentalunits import Dimension

from bioae.equations.assignments import Assignment, parse_assignments
from bioae.equations.expressions import Expression, Statement, check_names, parse_expression
from bioae.equations.grammar import RANDOM
from bioae.equations.language import complaint
from bioae.equations.lowering.conditions import is_true_or_false, with_numbers
from bioae.equations.lowering.noise import Draws
from bioae.equations.names import allowed, check_name
from bioae.equations.quantities import constants, unit_name
from bioae.equations.synapses.model import WEIGHT
from bioae.equations.synapses.program import Block, named
from bioae.errors import ModelError


class Scope:
    """Names with their expressions and units."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.known: dict[str, Expression] = {}
        #: The names in programs that are true or false.
        self.conditions: set[str] = set()
        self.units: dict[str, Dimension] = {}
        #: The random numbers that expressions draw; None: they must not.
        self.draws: Draws | None = None

    def copy(self) -> Scope:
        """Return a scope to which names can be added."""
        other = Scope(self.where)
        other.known, other.units = dict(self.known), dict(self.units)
        other.conditions, other.draws = set(self.conditions), self.draws
        return other

    def add(self, name: str, expression: Expression, unit: Dimension, key: str) -> None:
        """Add a name.

        Raises `ModelError` if it is there already; `key` is the part of the file that declares it.
        """
        if name in self.known:
            raise ModelError(
                f"the name {name!r} is declared twice", where=f"{self.where}, {key}",
                hint="Rename one of them",
            )  # fmt: skip
        self.known[name], self.units[name] = expression, unit

    def value(self, expression: Expression, where: str) -> Expression:
        """Return an expression with these names and the values of units substituted.

        Raises `ModelError` if a name is unknown, or it draws random numbers.
        """
        drawn: frozenset[str] = frozenset()
        if self.draws is not None:
            expression = self.draws(expression)
            drawn = expression.names & self.draws.by_name.keys()
        calls = (node for node in ast.walk(expression.tree) if isinstance(node, ast.Call))
        if any(ast.unparse(call.func) in RANDOM for call in calls):
            raise ModelError(
                "only statements of synapses may be random", where=where, found=expression.text,
                hint="Write rand() or randn() in on_pre, on_post or regularly",
            )  # fmt: skip
        check_names(expression, {*self.known, *constants(), *drawn}, where=where, listed=self.known)
        full = expression.substituted(self.known)
        values = {name: float(constants()[name]) for name in full.names & constants().keys()}
        # The name `inf` would be no number again.
        numbers = {
            name: Expression(repr(each) if math.isfinite(each) else "(1e308*10)")
            for name, each in values.items()
        }
        full = full.substituted(numbers)
        for node in ast.walk(full.tree):
            self._check_operands(node, where)
        # Libraries and languages differ in the arithmetic of true and false.
        return with_numbers(full, self.conditions)

    def _check_operands(self, node: ast.AST, where: str) -> None:
        """Reject numbers as operands of ``and``, ``or`` and ``not``, and conditions compared."""
        operands: list[ast.expr] = []
        match node:
            case ast.BoolOp(values=values):
                operands = values
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                operands = [operand]
            case ast.Compare(left=left, comparators=[right]):
                for each in (left, right):
                    if is_true_or_false(each, self.conditions):
                        raise ModelError(
                            "a condition is compared", where=where, expected="numbers",
                            found=ast.unparse(node), hint=f"Write int({ast.unparse(each)})",
                        )  # fmt: skip
        for each in operands:
            if not is_true_or_false(each, self.conditions):
                raise ModelError(
                    "a number is used as a condition", where=where, expected="a comparison",
                    found=ast.unparse(each),
                )  # fmt: skip

    def unit(self, expression: Expression, where: str) -> Dimension:
        """Return the unit of an expression.

        Raises `ModelError` if its units are inconsistent.
        """
        dimensions = {name: Quantity(v).dim for name, v in constants().items()} | self.units
        variables: dict[str, Any] = {
            **DEFAULT_FUNCTIONS,
            **{n: Variable(name=n, dimensions=d, dtype=np.float64) for n, d in dimensions.items()},
        }
        try:
            return parse_expression_dimensions(expression.tree, variables)
        except Exception as error:  # Brian2 raises many kinds
            raise ModelError(complaint(error), where=where) from error

    def number(self, text: str, where: str, *, unit: Dimension | None = None) -> Expression:
        """Return the expression of a number, with these names substituted.

        Raises `ModelError` if it is none, names something else, or its unit is not the given one.
        """
        expression = parse_expression(text, where=where, random=True)
        value, found = self.value(expression, where), self.unit(expression, where)
        if is_true_or_false(value.tree, self.conditions):
            raise ModelError("a condition is used as a number", where=where, found=text.strip(),
                             hint=f"Write int({text.strip()})")  # fmt: skip
        if unit is not None:
            self._check_unit(found, unit, text.strip(), where)
        return value

    def add_subexpressions(self, equations: Equations, key: str) -> dict[str, Expression]:
        """Add subexpressions, in the order in which they depend on each other.

        `equations`: the equations, of which only subexpressions count; `key`: the part of the file,
        named in errors.

        Returns their expressions, with all names put in.
        """
        where = f"{self.where}, {key}"
        found = {}
        for each in equations.ordered:
            if each.type == SUBEXPRESSION:
                expression, name = Expression(str(each.expr)), each.varname
                self._check_unit(self.unit(expression, where), each.dim, name, where)
                found[name] = self.value(expression, where)
                self.add(name, found[name], each.dim, key)
        return found

    def block(self, key: str, code: str | None, written: Collection[str]) -> Block:
        """Return the statements of a synapse.

        `key`: the key of ``[synapse]``; `code`: their text; None: an empty block; `written`: the
        names that they may write, and of which they have to write one.
        """
        if code is None:
            return Block()
        where = f"{self.where}, [synapse] {key}"
        inner = self.copy()
        statements: list[Statement] = []
        results: dict[str, str] = {}
        for number, each in enumerate(parse_assignments(code, where=where), start=1):
            self._check_target(each, written, where)
            inner._check_bare(each, where)
            statement = Statement(named(key, f"{number}"), inner.value(each.value, where))
            unit = inner.unit(each.value, where)
            condition = is_true_or_false(statement.value.tree, inner.conditions)
            if condition:
                inner.conditions.add(statement.target)
            if each.target in written:
                self._check_result(each, unit, where, condition=condition)
                results[each.target] = statement.target
            statements.append(statement)
            inner.known[each.target] = Expression(statement.target)
            inner.units[each.target] = unit
        if not results:
            names = " or ".join(repr(name) for name in written)
            raise ModelError(f"the statements do not change {names}", where=where)
        return Block(tuple(statements), results)

    def _check_target(self, each: Assignment, written: Collection[str], where: str) -> None:
        if each.target in written:
            return
        if each.target in constants():
            raise ModelError(
                f"{each.target!r} is a constant", where=where, hint="Choose another name"
            )
        if each.target in self.known:
            raise ModelError(
                f"a synapse cannot write {each.target!r}", where=where,
                expected=" or ".join(written),
            )  # fmt: skip
        check_name(allowed(each.target), where=where)

    def _check_bare(self, each: Assignment, where: str) -> None:
        for name in sorted(each.value.names - self.known.keys() - constants().keys()):
            for side in ("pre", "post"):
                if f"{name}_{side}" in self.known:
                    raise ModelError(
                        f"the bare name of a trace of [{side}]", where=where,
                        expected=f"{name}_{side}", found=name,
                    )  # fmt: skip

    def _check_result(
        self, each: Assignment, unit: Dimension, where: str, *, condition: bool
    ) -> None:
        if condition:
            kind = "weight" if each.target == WEIGHT else "variable of a synapse"
            raise ModelError(
                f"a {kind} is a number, not a condition", where=where,
                found=each.value.text, hint=f"Write int({each.value.text})",
            )  # fmt: skip
        self._check_unit(unit, self.units[each.target], each.value.text, where)

    @staticmethod
    def _check_unit(unit: Dimension, expected: Dimension, text: str, where: str) -> None:
        if unit != expected:
            raise ModelError(
                f"{text!r} has the wrong unit", where=where, expected=unit_name(expected),
                found=unit_name(unit),
            )  # fmt: skip
