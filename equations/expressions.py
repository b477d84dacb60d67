"""Expressions of a model: checked against Brian2's grammar, and parsed once."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from bioae.equations.grammar import RANDOM, SUPPORTED, names_in
from bioae.errors import InputError, ModelError, did_you_mean, shortened

_AUGMENTED: dict[type[ast.operator], str] = {
    ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/=",
}  # fmt: skip

_NODES = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name,
)  # fmt: skip

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd,
    ast.Not, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

_EXPECTED = "numbers, names, + - * / // % **, comparisons, and, or, not, functions"

#: What to write instead of functions that are not supported.
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("min", "minimum"), "Write clip(a, -inf, b) for the smaller of a and b, inf with its unit"
    ),
    **dict.fromkeys(
        ("max", "maximum"), "Write clip(a, b, inf) for the larger of a and b, inf with its unit"
    ),
    "poisson": "Use several rand() < p, or a normal number, instead",
}


@dataclass(frozen=True)
class Expression:
    """A Brian2 expression, parsed once; compared and hashed by its text.

    Attributes
    ----------
    text
        The expression on one line.
    """

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", " ".join(self.text.split()))

    @classmethod
    def of(cls, node: ast.AST) -> Expression:
        """Return the expression of a syntax tree."""
        with _readable():
            return cls(ast.unparse(node))

    def __str__(self) -> str:
        return self.text

    @property
    def tree(self) -> ast.expr:
        """A syntax tree of the expression; each access returns a new one, free to be changed.

        Raises
        ------
        ModelError
            If the text is not an expression, or is nested too deeply to be read.
        """
        with _readable(self.text):
            return ast.parse(self.text, mode="eval").body

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that the expression names; functions are not among them."""
        return frozenset(names_in(self.tree))

    def rewritten(self, transformer: ast.NodeTransformer) -> Expression:
        """Return the expression after a transformation of its syntax tree."""
        with _readable(self.text):
            return Expression.of(transformer.visit(self.tree))

    def substituted(self, values: Mapping[str, Expression]) -> Expression:
        """Return the expression with other expressions in place of some of its variables."""
        return self.rewritten(_Substitute(values))


@dataclass(frozen=True)
class Statement:
    """An assignment ``target = value``.

    Attributes
    ----------
    target, value
        The variable, and the expression that is assigned to it.
    guarded
        Whether the assignment is skipped while the neuron is refractory: Brian2's conditional
        write to a variable flagged ``(unless refractory)``.
    """

    target: str
    value: Expression
    guarded: bool = False

    def __str__(self) -> str:
        # Brian2 rewrites `v = v + a + b`, so that it rounds otherwise, but not `v += a + b`.
        match self.value.tree:
            case ast.BinOp(left=ast.Name(id=self.target), op=op, right=right) if (
                type(op) in _AUGMENTED
            ):
                return f"{self.target} {_AUGMENTED[type(op)]} {Expression.of(right)}"
        return f"{self.target} = {self.value}"


@contextmanager
def _readable(text: str = "") -> Iterator[None]:
    """Turn the errors of Python's parser, which may be those of its stack, into one line."""
    try:
        yield
    except (SyntaxError, ValueError, MemoryError):
        raise ModelError(
            "this is not a Brian2 expression", expected='for instance "20*ms" or "v > theta"',
            found=quoted(text),
        ) from None  # fmt: skip
    except RecursionError:
        raise ModelError("the expression is nested too deeply", found=quoted(text)) from None


class _Substitute(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, Expression]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._values.get(node.id)
        return node if value is None else value.tree

    def visit_Call(self, node: ast.Call) -> ast.expr:
        # The function's name is not a variable.
        node.args = [self.visit(argument) for argument in node.args]
        return node


def parse_expression(
    text: str,
    *,
    where: str,
    random: bool = False,
    error: type[InputError] = ModelError,
    expected: str | None = None,
) -> Expression:
    """Parse a Brian2 expression, and check its grammar.

    `text`: the expression; lines are joined; `random`: whether it may draw random numbers;
    `expected`: an example for errors, where not every kind of expression fits.

    Raises `error` if it is not an expression, or contains a construct that Brian2's expressions
    lack.
    """
    if not text.isascii() or "#" in text:
        raise error(
            "an expression has only ASCII characters, and no comment", where=where,
            found=quoted(text),
        )  # fmt: skip
    expression = Expression(text)
    try:
        tree = expression.tree
    except ModelError as reason:
        raise error(
            reason.what, where=where, expected=expected or reason.expected, found=reason.found
        ) from None
    check_grammar(tree, where=where, random=random, error=error)
    return expression


def check_names(
    expression: Expression,
    known: Collection[str],
    *,
    where: str,
    listed: Collection[str] = (),
    error: type[InputError] = ModelError,
) -> None:
    """Reject an expression with unknown names.

    `known`: the names that it may contain; `listed`: those of them that an error lists; all of them
    by default.

    Raises `error` if the expression contains another name.
    """
    for name in sorted(each for each in expression.names if each not in known):
        shown = sorted(listed or known)
        raise error(
            f"unknown name {name!r}", where=where,
            expected=f"{'one of ' if len(shown) > 1 else ''}{', '.join(shown)}",
            hint=did_you_mean(name, shown),
        )  # fmt: skip


def check_grammar(
    tree: ast.AST, *, where: str, error: type[InputError] = ModelError, random: bool
) -> None:
    """Reject a syntax tree with a construct that Brian2's expressions lack; see `parse_expression`.

    Raises `error` if it contains one.
    """
    functions = {**SUPPORTED, **(dict.fromkeys(RANDOM, 0) if random else {})}
    _Check(where, error, functions).visit(tree)


class _Check:
    """Check of the grammar of an expression."""

    def __init__(self, where: str, error: type[InputError], functions: Mapping[str, int]) -> None:
        self._where, self._error, self._functions = where, error, functions

    def visit(self, node: ast.AST) -> None:
        match node:
            case ast.Call():
                self._check_call(node)
                children: list[ast.expr] = node.args
            case ast.Compare(ops=[_, _, *_]):
                raise self._refused("comparisons cannot be chained", node, hint="Use `and`")
            case ast.Constant(value=bool() | int() | float()):
                children = []
            case _ if isinstance(node, _NODES) and _is_known(node):
                children = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
            case _:
                what = "this is not part of Brian2's expressions"
                raise self._refused(what, node, expected=_EXPECTED)
        for child in children:
            self.visit(child)

    def _check_call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        if name in RANDOM and name not in self._functions:
            raise self._refused("this cannot be random", node)
        if name not in self._functions:
            expected = f"one of {', '.join(sorted(self._functions))}"
            what, hint = "this function is not supported", _INSTEAD.get(name)
            raise self._refused(what, node.func, expected=expected, hint=hint)
        count = self._functions[name]
        if len(node.args) != count or node.keywords:
            arguments = f"{count or 'no'} argument{'s' if count != 1 else ''}"
            raise self._refused(f"{name}() takes {arguments}", node)

    def _refused(self, what: str, node: ast.AST, **more: str | None) -> InputError:
        return self._error(what, where=self._where, found=quoted(ast.unparse(node)), **more)


def _is_known(node: ast.AST) -> bool:
    others = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr)]
    return all(isinstance(other, (*_OPERATORS, ast.Load)) for other in others)


def quoted(text: str) -> str:
    """Return text in one line and in quotes, shortened, for errors."""
    return repr(shortened(" ".join(text.split()), 60))
