"""Expressions and assignments of a model: checked against Brian2's grammar, and parsed once."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from bioae.equations.limits import DEEPEST, LONGEST_TEXT, MOST_NAMES, Size, measured
from bioae.errors import InputError, ModelError, shortened

__all__ = [
    "EXTREMES",
    "RANDOM",
    "SUPPORTED",
    "Assignment",
    "Expression",
    "check_names",
    "is_condition",
    "names_in",
    "parse_assignments",
    "parse_expression",
    "sized_expression",
]

#: Brian2's functions that statements may use, with the number of arguments of each.
SUPPORTED: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "abs", "arccos", "arcsin", "arctan", "ceil", "clip", "cos", "cosh", "exp", "expm1",
            "floor", "log", "log10", "log1p", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
            "exprel", "int",
        ),
        1,
    ),
    "clip": 3,
    "timestep": 2,
}  # fmt: skip

#: Functions that Brian2 lacks; only distances to threshold use them, and Brian2 never sees those.
EXTREMES = ("minimum", "maximum")

#: What to write instead of functions that Brian2 lacks too.
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("min", "minimum"), "Write clip(a, -inf, b) for the smaller of a and b, inf with its unit"
    ),
    **dict.fromkeys(
        ("max", "maximum"), "Write clip(a, b, inf) for the larger of a and b, inf with its unit"
    ),
}

#: Brian2's functions that draw random numbers.
RANDOM = frozenset({"rand", "randn"})

_NODES = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name,
)  # fmt: skip

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd,
    ast.Not, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

#: Brian2 nests the text of a model deeper, and integration methods do.
_DEEPEST_DERIVED = 200

_EXPECTED = "numbers, names, + - * / // % **, comparisons, and, or, not, functions"

_Node = TypeVar("_Node", bound=ast.AST)


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
        """A syntax tree of the expression; each access returns a new copy, free to be changed.

        Raises
        ------
        ModelError
            If the text is not an expression, or is nested too deeply to be read.
        """
        with _readable(self.text):
            return _copied(self._tree)

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that the expression names; functions are not among them."""
        return frozenset(names_in(self._tree))

    def rewritten(self, transformer: ast.NodeTransformer) -> Expression:
        """Return the expression after a transformation of its syntax tree."""
        with _readable(self.text):
            return Expression.of(transformer.visit(self.tree))

    def substituted(self, values: Mapping[str, Expression]) -> Expression:
        """Return the expression with other expressions in place of some of its variables."""
        return self.rewritten(_Substitute(values))

    def __getstate__(self) -> dict[str, str]:
        return {"text": self.text}  # what is derived from it is derived again

    @cached_property
    def _tree(self) -> ast.expr:
        # Syntax trees are mutable, and programs are cached: this one never leaves the class.
        with _readable(self.text):
            return ast.parse(self.text, mode="eval").body


@contextmanager
def _readable(text: str = "") -> Iterator[None]:
    """Turn the errors of Python's parser, which may be those of its stack, into one line."""
    try:
        yield
    except (SyntaxError, ValueError, MemoryError):
        raise ModelError(
            "this is not a Brian2 expression",
            expected='for instance "20*ms" or "v > theta"',
            found=_quoted(text),
        ) from None
    except RecursionError:
        raise ModelError("the expression is nested too deeply", found=_quoted(text)) from None


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


def _copied(node: _Node) -> _Node:
    fields: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            fields[name] = [*map(_copied, value)]
        else:
            fields[name] = _copied(value) if isinstance(value, ast.AST) else value
    return ast.copy_location(type(node)(**fields), node)  # Brian2's errors name the place


def names_in(node: ast.AST) -> set[str]:
    """Return the variables that a syntax tree names; functions are not among them."""
    nodes = list(ast.walk(node))
    functions = {id(part.func) for part in nodes if isinstance(part, ast.Call)}
    return {part.id for part in nodes if isinstance(part, ast.Name) and id(part) not in functions}


def is_condition(node: ast.AST) -> bool:
    """Return whether a syntax tree is true or false by its form, without looking up its names."""
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
    return False


def parse_expression(
    text: str,
    *,
    where: str,
    random: bool = False,
    error: type[InputError] = ModelError,
    expected: str | None = None,
) -> Expression:
    """Parse a Brian2 expression, and check its grammar and its limits.

    Parameters
    ----------
    text
        The expression; lines are joined.
    where
        The file and key, named in errors.
    random
        Whether it may draw random numbers.
    error
        The class of error to raise.
    expected
        An example for errors, where not every kind of expression fits.

    Raises
    ------
    InputError
        (or `error`) If it is not an expression, contains a construct that Brian2's lack, or is
        beyond a limit (`bioae.equations.limits`).
    """
    return sized_expression(text, where=where, random=random, error=error, expected=expected)[0]


def sized_expression(
    text: str,
    *,
    where: str,
    random: bool = False,
    error: type[InputError] = ModelError,
    expected: str | None = None,
    sizes: Mapping[str, Size] | None = None,
) -> tuple[Expression, Size]:
    """Do what `parse_expression` does, and return the size too.

    `sizes` are those of subexpressions, which Brian2 puts in place of their names.
    """
    _check_length(text, where, error)
    if not text.isascii() or "#" in text:
        raise error(
            "an expression has only ASCII characters, and no comment",
            where=where,
            found=_quoted(text),
        )
    expression = Expression(text)
    try:
        tree = expression._tree
    except ModelError as reason:
        raise error(
            reason.what, where=where, expected=expected or reason.expected, found=reason.found
        ) from None
    return expression, _Grammar(where, error, random, sizes=sizes).check(tree)


class Assignment(NamedTuple):
    """A statement of a model.

    Attributes
    ----------
    target, value
        The variable and its new value; ``v += w`` is written out as ``v = v + w``.
    augmented
        Whether it was written as ``v += w``.
    """

    target: str
    value: Expression
    augmented: bool = False


def parse_assignments(code: str, *, where: str, derived: bool = False) -> Iterator[Assignment]:
    """Yield the assignments of a block of code.

    Parameters
    ----------
    code
        Assignments, separated by ends of lines or semicolons; a line's indentation is ignored.
    where
        The file and key, named in errors.
    derived
        Whether Brian2 derived the code from text that is within the limits.

    Raises
    ------
    ModelError
        If the code contains anything but assignments to one name each, or is beyond a limit.
    """
    if not derived:
        _check_length(code, where, ModelError)
    lines = [line.strip() for line in code.splitlines()]
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        raise _no_assignment(lines[line - 1] if line <= len(lines) else code, where) from None
    if len(body) > MOST_NAMES and not derived:
        raise ModelError(
            "there are too many statements",
            where=where,
            expected=f"at most {MOST_NAMES}",
            found=str(len(body)),
        )
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                pass
            case ast.AugAssign(target=ast.Name(id=target), op=op, value=added):
                value = ast.BinOp(ast.Name(target, ast.Load()), op, added)
            case _:
                raise _no_assignment(ast.unparse(node), where)
        _Grammar(where, ModelError, random=True, derived=derived).check(value)
        yield Assignment(target, Expression.of(value), isinstance(node, ast.AugAssign))


def check_names(
    expression: Expression,
    known: Collection[str],
    *,
    where: str,
    listed: Collection[str] = (),
    error: type[InputError] = ModelError,
) -> None:
    """Refuse an expression with unknown names.

    Parameters
    ----------
    expression
        The expression.
    known
        The names that it may contain.
    where
        The file and key, named in errors.
    listed
        Those of them that an error lists; all of them by default.
    error
        The class of error to raise.

    Raises
    ------
    InputError
        (or `error`) If the expression contains another name.
    """
    for name in sorted(expression.names - set(known)):
        shown = sorted(listed or known)
        close = get_close_matches(name, shown, n=1)
        raise error(
            f"unknown name {name!r}",
            where=where,
            expected=f"{'one of ' if len(shown) > 1 else ''}{', '.join(shown)}",
            mend=f"Did you mean {close[0]!r}?" if close else None,
        )


class _Grammar:
    """Check that an expression contains only constructs that Brian2 and bioae support."""

    def __init__(
        self,
        where: str,
        error: type[InputError],
        random: bool,
        *,
        sizes: Mapping[str, Size] | None = None,
        derived: bool = False,
    ) -> None:
        self._where = where
        self._error = error
        self._sizes = sizes or {}
        self._derived = derived
        self._functions = {**SUPPORTED, **(dict.fromkeys(RANDOM, 0) if random else {})}

    def check(self, node: ast.AST, depth: int = 0) -> Size:
        if depth > (_DEEPEST_DERIVED if self._derived else DEEPEST):
            raise self._error(
                "the expression is nested too deeply", where=self._where, mend="Name parts of it"
            )
        match node:
            case ast.Call():
                self._check_call(node)
                children: list[ast.expr] = node.args
            case ast.Compare(ops=[_, _, *_]):
                raise self._refusal("comparisons cannot be chained", node, mend="Use `and`")
            case ast.Constant(value=bool() | int() | float()):
                children = []
            case _ if isinstance(node, _NODES) and _is_known(node):
                children = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
            case _:
                what = "this is not part of Brian2's expressions"
                raise self._refusal(what, node, expected=_EXPECTED)
        # Brian2 nests the operands of `and` and `or`, which Python lists.
        depth += max(len(children) - 1, 1)
        operands = [self.check(child, depth) for child in children]
        if self._derived:
            return Size()
        try:
            return measured(node, operands, self._sizes)
        except ValueError as reason:
            raise self._refusal(str(reason), node) from None

    def _check_call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        if name in RANDOM and name not in self._functions:
            raise self._refusal("this cannot be random", node)
        if name not in self._functions:
            expected = f"one of {', '.join(sorted(self._functions))}"
            what = "this function is not supported"
            raise self._refusal(what, node.func, expected=expected, mend=_INSTEAD.get(name))
        count = self._functions[name]
        if len(node.args) != count or node.keywords:
            arguments = f"{count or 'no'} argument{'s' if count != 1 else ''}"
            raise self._refusal(f"{name}() takes {arguments}", node)

    def _refusal(
        self, what: str, node: ast.AST, *, expected: str | None = None, mend: str | None = None
    ) -> InputError:
        try:
            text = _quoted(ast.unparse(node))
        except ValueError:  # Python prints no integer of more than 4,300 digits
            text = "a number of thousands of digits"
        return self._error(what, where=self._where, expected=expected, found=text, mend=mend)


def _check_length(text: str, where: str, error: type[InputError]) -> None:
    if len(text) > LONGEST_TEXT:
        raise error(
            "the text is too long",
            where=where,
            expected=f"at most {LONGEST_TEXT:,} characters",
            found=f"{len(text):,}",
        )


def _is_known(node: ast.AST) -> bool:
    others = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr)]
    return all(isinstance(other, (*_OPERATORS, ast.Load)) for other in others)


def _no_assignment(text: str, where: str) -> ModelError:
    return ModelError(
        "this is not an assignment",
        where=where,
        expected='for instance "v = 0" or "a += 1"',
        found=_quoted(text),
    )


def _quoted(text: str) -> str:
    return repr(shortened(" ".join(text.split()), 60))
