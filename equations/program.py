"""What a neuron model does in one time step, as plain statements that both sides run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioae.equations.model import NeuronModel
from bioae.equations.noise import Draw
from bioae.equations.syntax import names_in

__all__ = ["Parameter", "Program", "State", "Statement", "compile_statements", "names_in"]

Statements = tuple["Statement", ...]


@dataclass(frozen=True)
class Statement:
    """An assignment ``target = value``.

    Attributes
    ----------
    target, value
        A variable, and the expression that it becomes.
    guarded
        Whether the assignment is skipped while the neuron is refractory: Brian2's conditional
        write to a variable flagged ``(unless refractory)``.
    """

    target: str
    value: str
    guarded: bool = False

    def __str__(self) -> str:
        return f"{self.target} = {self.value}"


@dataclass(frozen=True)
class State:
    """A variable that statements may write.

    Attributes
    ----------
    unit
        Its base unit, as Brian2 writes it; ``"1"`` where it has none.
    dtype
        ``"float"``, ``"integer"`` or ``"boolean"``.
    shared
        Whether all neurons of a layer have it in common.
    """

    unit: str
    dtype: str = "float"
    shared: bool = False


@dataclass(frozen=True)
class Parameter:
    """A constant of the model, or of each neuron.

    Attributes
    ----------
    unit
        Its base unit, as Brian2 writes it.
    per_neuron
        Whether each neuron has its own, because the equations declare it.
    """

    unit: str
    per_neuron: bool = False


@dataclass(frozen=True)
class Program:
    """A neuron model, lowered to statements in Brian2's order of operations.

    Everything that does not change over time was taken out into `constants`, which are computed
    once and passed as data to both sides: one exponential, one rounding.

    Attributes
    ----------
    model
        Where it came from.
    states, parameters
        The variables, by name.
    initial
        Expressions of the states' initial values, where the model gives them.
    constants
        Expressions of parameters and ``dt`` that statements refer to, by name, in order.
    draws
        The random numbers that statements refer to, by name: one for each neuron and step.
    prepare
        Run before each step: subexpressions that are constant over it.
    refractoriness, update
        Run in the slot ``groups``: leaving the refractory state, then the integration step.
    threshold
        A condition, or None for a model that never fires.
    on_spike
        Run where the neuron fired, in the slot ``thresholds``: refractoriness.
    reset
        Run where the neuron fired, in the slot ``resets``.
    receive
        Run in the slot ``synapses``: adds ``bioae_input``, the sum of the weights that arrived.
    distance, scale
        Of the surrogate: expressions, or None for a model that never fires.
    """

    model: NeuronModel
    states: Mapping[str, State]
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, str]
    constants: Mapping[str, str]
    draws: Mapping[str, Draw]
    prepare: Statements
    refractoriness: Statements
    update: Statements
    threshold: str | None
    on_spike: Statements
    reset: Statements
    receive: Statements
    distance: str | None
    scale: str | None

    @property
    def refractory(self) -> bool:
        """Whether the model has a refractory period."""
        return "not_refractory" in self.states

    @property
    def condition(self) -> str | None:
        """When a neuron fires: the threshold, and not refractory."""
        return f"({self.threshold}) and not_refractory" if self.refractory else self.threshold

    @property
    def reproducible(self) -> bool:
        """Whether all libraries compute the same bits: no transcendental function of the state."""
        parts = (*self.prepare, *self.refractoriness, *self.update, *self.reset, *self.receive)
        code = [*(statement.value for statement in parts), self.threshold or "0"]
        code += self.random_start.values()
        return not any(_is_inexact(node) for text in code for node in ast.walk(ast.parse(text)))

    @property
    def random_start(self) -> Mapping[str, str]:
        """Of `initial`, what depends on random numbers: evaluated as a presentation starts."""
        found: dict[str, str] = {}
        for name, text in self.initial.items():
            if names_in(text) & (self.draws.keys() | found.keys()):
                found[name] = text
        return found

    @property
    def written(self) -> tuple[str, ...]:
        """The states that change over time, refractoriness first: what a presentation sets back."""
        # What is computed anew before each step need not be set back.
        every = (*self.update, *self.reset, *self.receive)
        targets = {statement.target for statement in every}
        first = [name for name in ("not_refractory", "lastspike") if name in self.states]
        return (*first, *(name for name in self.states if name in targets and name not in first))

    @property
    def dependents(self) -> Mapping[str, frozenset[str]]:
        """The parameters that each of `constants` depends on, directly or through another."""
        found: dict[str, frozenset[str]] = {}
        for name, value in self.constants.items():
            names = names_in(value)
            nested = [found[other] for other in names if other in found]
            found[name] = frozenset(names & self.parameters.keys()).union(*nested)
        return found


#: Functions whose result IEEE 754 fixes to the last bit.
_EXACT = frozenset({"abs", "ceil", "clip", "floor", "int", "sign", "sqrt", "timestep"})


def _is_inexact(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Pow | ast.Mod | ast.FloorDiv)
    return isinstance(node, ast.Call) and ast.unparse(node.func) not in _EXACT


Write = Callable[[Statement, str], str]


def compile_statements(
    statements: Sequence[Statement],
    arguments: Sequence[str],
    results: Iterable[str],
    functions: Mapping[str, Callable[..., Any]],
    *,
    write: Write | None = None,
) -> Callable[..., tuple[Any, ...]]:
    """Compile statements to a function on arrays.

    Parameters
    ----------
    statements
        What to run, in order.
    arguments
        The names that the function takes, in order.
    results
        The names whose values it returns, as a tuple.
    functions
        See `bioae.equations.functions.array_functions`.
    write
        Says how a value is written to its target, as Python code; `functions` are ``_fn[name]``.

    Returns
    -------
    Callable
        Takes arrays, returns a tuple of arrays. Nothing happens in place.
    """
    lines = [f"def step({', '.join(arguments)}):"]
    for statement in statements:
        value = ast.unparse(_Emit().emit(statement.value))
        value = write(statement, f"({value})") if write else value
        lines.append(f"    {statement.target} = {value}")
    lines.append(f"    return ({''.join(f'{name}, ' for name in results)})")
    # PyTorch imports parts of itself at the first use of some operators.
    scope: dict[str, Any] = {"_fn": functions, "__builtins__": {"__import__": __import__}}
    # What is compiled was rebuilt node by node by `_Emit` from a whitelist of expressions.
    exec(compile("\n".join(lines), "<neuron model>", "exec"), scope)
    return scope["step"]  # type: ignore[no-any-return]


class _Emit(ast.NodeTransformer):
    """Rewrite a Brian2 expression as Python on arrays, node by node from a whitelist."""

    _AS_IS = (
        ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Add, ast.Sub, ast.Mult,
        ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Lt, ast.LtE, ast.Gt,
        ast.GtE, ast.Eq, ast.NotEq,
    )  # fmt: skip

    def emit(self, expression: str) -> ast.AST:
        body = ast.parse(expression, mode="eval").body
        condition = isinstance(body, ast.Constant) and isinstance(body.value, bool)
        return body if condition else self._array(body)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, self._AS_IS):
            raise TypeError(f"{type(node).__name__} is not part of Brian2's expressions")
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, bool | int | float):
            raise TypeError(f"{node.value!r} is not a number")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise TypeError(f"{ast.unparse(node)} is not a call of a function")
        return _call(node.func.id, *map(self._array, node.args))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        name = "and" if isinstance(node.op, ast.And) else "or"
        first, *rest = map(self._array, node.values)
        for value in rest:
            first = _call(name, first, value)
        return first

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not):
            return _call("not", self._array(node.operand))
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1:
            raise TypeError(f"{ast.unparse(node)} chains comparisons")
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return ast.Compare(left, [self.visit(node.ops[0])], [right])

    def _array(self, node: ast.AST) -> ast.AST:
        """Emit what a function of arrays takes: PyTorch's take no Python numbers."""
        if any(isinstance(part, ast.Name) for part in ast.walk(node)):
            return self.visit(node)  # type: ignore[no-any-return]
        return _Numbers().visit(node)  # type: ignore[no-any-return]


class _Numbers(_Emit):
    """The same, for an expression of numbers alone."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _call("number", super().visit_Constant(node))


def _call(name: str, *arguments: ast.AST) -> ast.AST:
    function = ast.parse(f"_fn[{name!r}]", mode="eval").body
    return ast.Call(function, list(arguments), [])  # type: ignore[arg-type]
