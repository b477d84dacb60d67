"""Programs as functions on arrays: statements compiled to Python, and the blocks of a time step.

The Python that is compiled is rebuilt node by node from a whitelist of expressions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import FrameType
from typing import Any

from bioae.equations.expressions import Expression, names_in
from bioae.equations.operators import OPERATORS, power
from bioae.equations.program import Program, Statement

__all__ = [
    "SOURCE",
    "Block",
    "Stepper",
    "Write",
    "compile_expression",
    "compile_statements",
    "guarded",
    "running",
]

#: The file name of compiled statements.
SOURCE = "<neuron model>"

#: The name of the condition under which `run_regularly` runs.
_DUE = "_due"

#: The names of the statements and their code, by line, in the globals of compiled statements.
_STATEMENTS, _LINES = "_statements", "_lines"

Array = Any
Functions = Mapping[str, Callable[..., Any]]

#: Returns the Python code that writes a value, itself Python code, to a statement's target.
Write = Callable[[Statement, str], str]


def compile_statements(
    statements: Sequence[Statement],
    arguments: Sequence[str],
    results: Iterable[str],
    functions: Functions,
    *,
    write: Write | None = None,
) -> Callable[..., tuple[Any, ...]]:
    """Compile statements to a function on arrays.

    Parameters
    ----------
    statements
        The statements, in the order in which they run.
    arguments
        The names that the function takes, in order.
    results
        The names whose values it returns, as a tuple.
    functions
        See `bioae.equations.arrays.functions.array_functions`.
    write
        Returns the Python code that writes a value to its target; `functions` are ``_fn[name]``.

    Returns
    -------
    Callable
        Takes arrays, returns a tuple of arrays. Nothing happens in place.
    """
    lines = [f"def step({', '.join(arguments)}):"]
    for statement in statements:
        value = _code(statement.value)
        value = write(statement, f"({value})") if write else value
        lines.append(f"    {statement.target} = {value}")
    lines.append(f"    return ({''.join(f'{name}, ' for name in results)})")
    # PyTorch imports parts of itself at the first use of some operators.
    scope: dict[str, Any] = {"_fn": functions, "__builtins__": {"__import__": __import__}}
    scope |= {_STATEMENTS: (None, *statements), _LINES: lines}
    exec(compile("\n".join(lines), SOURCE, "exec"), scope)
    return scope["step"]  # type: ignore[no-any-return]


def compile_expression(
    expression: Expression, functions: Functions
) -> Callable[[Mapping[str, Array]], Array]:
    """Compile an expression to a function of a mapping from names to arrays.

    Parameters
    ----------
    expression
        The expression.
    functions
        See `bioae.equations.arrays.functions.array_functions`.
    """
    names = tuple(sorted(expression.names))
    function = compile_statements([Statement("_value", expression)], names, ["_value"], functions)
    return lambda values: function(*[values[name] for name in names])[0]


def running(frame: FrameType) -> tuple[Statement, ast.expr | None]:
    """Return the statement that a frame of `SOURCE` runs, and the operation in it.

    Returns
    -------
    tuple
        The statement, and the part of its value whose operation runs as it is written there, such
        as a power where the code calls ``sqrt``; None if it is no part of the value.
    """
    number = frame.f_lineno - 1
    statement: Statement = frame.f_globals[_STATEMENTS][number]
    places = frame.f_code.co_positions()
    _, _, start, end = next(islice(places, frame.f_lasti // 2, None))
    code = frame.f_globals[_LINES][number].encode()[start:end].decode()
    parts = (part for part in ast.walk(statement.value.tree) if isinstance(part, ast.expr))
    return statement, next((part for part in parts if _code(Expression.of(part)) == code), None)


def _code(expression: Expression) -> str:
    return ast.unparse(_Emit().emit(expression))


class _Emit(ast.NodeTransformer):
    """Rewrite a Brian2 expression as Python on arrays, node by node from a whitelist."""

    _AS_IS = (
        ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Add, ast.Sub, ast.Mult,
        ast.Div, ast.Pow, ast.USub, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
    )  # fmt: skip

    def emit(self, expression: Expression) -> ast.AST:
        body = expression.tree
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

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) in OPERATORS:
            return _call(OPERATORS[type(node.op)], *map(self._array, (node.left, node.right)))
        function = power(node)
        if function is not None:
            return _call(function, self._array(node.left))
        # Python raises an error for 1/0; arrays give infinity, which a refractory neuron ignores.
        if isinstance(node.op, ast.Div | ast.Pow) and not names_in(node):
            return _Numbers().generic_visit(node)
        if isinstance(node.op, ast.Div):
            # PyTorch multiplies a Python number by the rounded reciprocal.
            return ast.BinOp(self._array(node.left), node.op, self.visit(node.right))  # type: ignore[arg-type]
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not):
            return _call("not", self._array(node.operand))
        if isinstance(node.op, ast.UAdd):
            return self.visit(node.operand)  # type: ignore[no-any-return]
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1:
            raise TypeError(f"{ast.unparse(node)} chains comparisons")
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return ast.Compare(left, [self.visit(node.ops[0])], [right])

    def _array(self, node: ast.AST) -> ast.AST:
        """Emit an argument of a function of arrays: PyTorch's take no Python numbers."""
        named = any(isinstance(part, ast.Name) for part in ast.walk(node))
        return (self if named else _Numbers()).visit(node)  # type: ignore[no-any-return]


class _Numbers(_Emit):
    """Rewrite an expression without names."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _call("number", super().visit_Constant(node))


def _call(name: str, *arguments: ast.AST) -> ast.AST:
    function = ast.Subscript(ast.Name("_fn", ast.Load()), ast.Constant(name), ast.Load())
    return ast.Call(function, list(arguments), [])  # type: ignore[arg-type]


class Block:
    """Statements, compiled to run on a mapping from names to arrays.

    Parameters
    ----------
    statements
        The statements, in the order in which they run.
    keep
        The targets that are written back; any other is temporary.
    functions, write
        See `compile_statements`.
    also
        Names that `write` reads.
    """

    def __init__(
        self,
        statements: Sequence[Statement],
        keep: Sequence[str],
        functions: Functions,
        write: Write,
        also: Sequence[str] = (),
    ) -> None:
        targets = {statement.target for statement in statements}
        self._writes = tuple(name for name in keep if name in targets)
        temporary = targets - set(keep)
        read = {name for statement in statements for name in statement.value.names}
        if any(statement.guarded for statement in statements):
            read.add("not_refractory")
        self._reads = tuple(sorted((read - temporary) | set(self._writes) | set(also)))
        self._function = compile_statements(
            statements, self._reads, self._writes, functions, write=write
        )

    def __call__(self, values: dict[str, Array]) -> None:
        """Run the statements; their results replace entries of `values`."""
        results = self._function(*[values[name] for name in self._reads])
        values.update(zip(self._writes, results, strict=True))


def guarded(statement: Statement, value: str) -> str:
    """Return Python code that skips a guarded write while the neuron is refractory."""
    if not statement.guarded:
        return value
    return f"_fn['select'](not_refractory, {value}, {statement.target})"


class Stepper:
    """The blocks of one time step of a program; the schedule decides their order.

    Parameters
    ----------
    program
        The lowered neuron model.
    functions
        See `bioae.equations.arrays.functions.array_functions`; ``_fired`` is true for the neurons
        that fired.
    write_update, write_reset, write_spike
        How a block writes a state, as Python code; by default the update writes all neurons, and
        the others those that fired.
    guard
        How a guarded statement is written: by default where the neuron is not refractory.
    reads
        Names that these ways of writing read in addition to those of the statements.
    """

    def __init__(
        self,
        program: Program,
        functions: Functions,
        *,
        write_update: Write | None = None,
        write_reset: Write | None = None,
        write_spike: Write | None = None,
        guard: Write = guarded,
        reads: Sequence[str] = (),
    ) -> None:
        self.program = program
        self._lookup = functions["lookup"]
        states = tuple(program.states)
        fired = ("_fired", *reads)

        def block(
            statements: Sequence[Statement], write: Write, also: Sequence[str] = reads
        ) -> Block:
            return Block(statements, states, functions, write, also)

        due = program.due
        self._due = None if due is None else compile_expression(due, functions)
        self._prepare = block(
            (*program.prepare, *(program.regularly if due is None else ())), guard
        )
        self._regularly = block(program.regularly, self._where_due(guard), (*reads, _DUE))
        self.update = block((*program.refractoriness, *program.update), write_update or guard)
        self.receive = block(program.receive, guard)
        self.on_spike = block(program.on_spike, write_spike or self.where_fired, fired)
        self.reset = block(program.reset, write_reset or self.where_fired, fired)
        self._events = {
            _happened(name): (
                compile_expression(event.condition, functions),
                block(event.statements, self._where(_happened(name)), (_happened(name),)),
            )
            for name, event in program.events.items()
        }
        self.threshold = _optional(program.threshold, functions)
        self.condition = _optional(program.condition, functions)
        self.distance = _optional(program.distance, functions)
        self.scale = _optional(program.scale, functions)
        self.random_start = {
            name: compile_expression(value, functions)
            for name, value in program.random_start.items()
        }

    def prepare(self, values: dict[str, Array]) -> None:
        """Run what comes before a step, and in the slot ``start``."""
        for name, timed in self.program.timed.items():
            values[name] = self._lookup(name, timed, values["t"], values["dt"])
        self._prepare(values)
        if self._due is not None:
            values[_DUE] = self._due(values)
            self._regularly(values)

    def watch(self, values: dict[str, Array]) -> None:
        """Evaluate the conditions of custom events: after the thresholds."""
        for happened, (condition, _) in self._events.items():
            values[happened] = condition(values)

    def respond(self, values: dict[str, Array]) -> None:
        """Run the statements of custom events where they happened: after the resets."""
        for _, statements in self._events.values():
            statements(values)

    def where_fired(self, statement: Statement, value: str) -> str:
        """Return Python code that writes a state where the neuron fired."""
        return self._where("_fired")(statement, value)

    def _where_due(self, guard: Write) -> Write:
        due = self._where(_DUE)
        return lambda statement, value: due(statement, f"({guard(statement, value)})")

    def _where(self, condition: str) -> Write:
        def write(statement: Statement, value: str) -> str:
            if statement.target not in self.program.states:
                return value
            return f"_fn['select']({condition}, {value}, {statement.target})"

        return write


def _happened(event: str) -> str:
    return f"_happened_{event}"


def _optional(
    expression: Expression | None, functions: Functions
) -> Callable[[Mapping[str, Array]], Array]:
    return (lambda _: None) if expression is None else compile_expression(expression, functions)
