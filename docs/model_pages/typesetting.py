"""Brian2's expressions in LaTeX, term by term in the order in which they were written.

``m*m*m`` becomes a power, as a paper writes it, and ``a/b/c`` one fraction. SymPy would typeset
them too, but rearranges them: ``E_L - v`` becomes ``-E_L + v``. MathJax, KaTeX and GitHub know all
macros that are used.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from itertools import groupby

from bioae.equations.expressions import Expression
from bioae.equations.grammar import RANDOM, is_condition
from bioae.equations.quantities import constants

_GREEK = frozenset((
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
))  # fmt: skip
_SPOKEN = {
    "not_refractory": r"\text{not refractory}",
    "lastspike": r"t_{\mathrm{last}}",
    "t_in_timesteps": r"t_{\mathrm{steps}}",
    "inf": r"\infty",
}
_KNOWN_FUNCTIONS = frozenset((
    "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan",
))  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: r"\le", ast.Gt: ">", ast.GtE: r"\ge", ast.Eq: "=", ast.NotEq: r"\ne",
}  # fmt: skip

# Precedence of a piece of LaTeX; a fraction needs no parentheses, except below an exponent.
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN, _FRACTION, _POWER, _ATOM = range(10)

Piece = tuple[str, int]


def latex(expression: str | Expression, own: Collection[str] = ()) -> str:
    """Return a Brian2 expression in LaTeX.

    Parameters
    ----------
    expression
        The expression, as text or parsed.
    own
        Names that are variables of the model, even where a unit is called the same.
    """
    parsed = Expression(expression) if isinstance(expression, str) else expression
    return _Typesetter(own).piece(parsed.tree)[0]


def symbol(name: str) -> str:
    """Return a variable's name in LaTeX: ``tau_adapt`` is a Greek letter with a subscript."""
    head, *rest = [part for part in name.split("_") if part] or [name]
    split = re.fullmatch(r"([A-Za-z]+?)(\d+)", head)
    if split:
        head, rest = split[1], [split[2], *rest]
    base = _word(head, italic=True)
    return f"{base}_{{{', '.join(_word(part) for part in rest)}}}" if rest else base


def _word(word: str, *, italic: bool = False) -> str:
    if word in _GREEK:
        return f"\\{word}"
    if word.isdigit() or (len(word) == 1 and (italic or word.islower())):
        return word
    return f"\\mathit{{{word}}}" if italic else f"\\mathrm{{{word}}}"


def _unit(name: str) -> str | None:
    written = getattr(constants().get(name), "dispname", None)
    if written is None:
        return None
    written = re.sub(r"^u(?=.)", r"\\mu ", str(written)).replace("ohm", r"\Omega")
    base, power, exponent = written.partition("^")
    return f"\\mathrm{{{base}}}" + (f"^{{{exponent}}}" if power else "")


def _number(value: float) -> str:
    mantissa, e, exponent = str(value).partition("e")
    mantissa = mantissa.removesuffix(".0")
    if not e:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else f"{mantissa} \\cdot {power}"


def _is_negative(node: ast.expr) -> bool:
    """Return whether a product or a quotient begins with a minus sign."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        node = node.left
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _negated(node: ast.expr) -> ast.expr:
    """Return a product or a quotient without its minus sign."""
    if isinstance(node, ast.BinOp):
        return ast.BinOp(_negated(node.left), node.op, node.right)
    assert isinstance(node, ast.UnaryOp)
    return node.operand


def _unless_number(node: ast.expr) -> str | int:
    """Return a key of a factor: equal for equal factors, but for numbers and random draws."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return id(node) if isinstance(node, ast.Constant) or names & RANDOM else ast.dump(node)


class _Typesetter:
    def __init__(self, own: Collection[str]) -> None:
        self._own = own

    def piece(self, node: ast.expr) -> Piece:
        match node:
            case ast.Constant(value=bool(value)):
                return f"\\text{{{str(value).lower()}}}", _ATOM
            case ast.Constant(value=int() | float() as value):
                text = _number(value)
                return text, _ATOM if text.replace(".", "").isdigit() else _PRODUCT
            case ast.Name(id=name):
                return self._name(name), _ATOM
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"\\text{{not }} {self._at(operand, _NOT)}", _NOT
            case ast.UnaryOp(op=op, operand=operand):
                sign = "-" if isinstance(op, ast.USub) else "+"
                return f"{sign}{self._at(operand, _PRODUCT)}", _SIGN
            case ast.BinOp():
                return self._operation(node)
            case ast.BoolOp(op=op, values=values):
                word, level = ("and", _AND) if isinstance(op, ast.And) else ("or", _OR)
                parts = (self._at(value, level + 1) for value in values)
                return f" \\text{{ {word} }} ".join(parts), level
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                sides = self._at(left, _SUM), self._at(right, _SUM)
                return f" {_COMPARISONS[type(op)]} ".join(sides), _COMPARISON
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments), _ATOM
        raise TypeError(f"{Expression.of(node).text!r} is not part of Brian2's expressions")

    def _name(self, name: str) -> str:
        if name in self._own:
            return symbol(name)
        return _SPOKEN.get(name) or _unit(name) or symbol(name)

    def _operation(self, node: ast.BinOp) -> Piece:
        left, op, right = node.left, node.op, node.right
        if isinstance(op, ast.Mult | ast.Div) and _is_negative(node):
            return f"-{self._at(_negated(node), _PRODUCT)}", _SIGN
        match op:
            case ast.Add() | ast.Sub():
                sign = "+" if isinstance(op, ast.Add) else "-"
                return f"{self._at(left, _SUM)} {sign} {self._at(right, _PRODUCT)}", _SUM
            case ast.Mult():
                return self._product(node), _PRODUCT
            case ast.Div():
                return self._fraction(left, right)
            case ast.FloorDiv():
                return f"\\lfloor {self._fraction(left, right)[0]} \\rfloor", _ATOM
            case ast.Mod():
                sides = self._at(left, _PRODUCT), self._at(right, _SIGN)
                return " \\bmod ".join(sides), _PRODUCT
        return f"{self._at(left, _ATOM)}^{{{self.piece(right)[0]}}}", _POWER

    def _product(self, node: ast.expr) -> str:
        factors: list[ast.expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            factors.append(node.right)
            node = node.left
        first, *others = self._powers([node, *reversed(factors)])
        text = first
        for factor in others:
            text += f" \\cdot {factor}" if factor[0].isdigit() else f" \\, {factor}"
        return text

    def _powers(self, factors: list[ast.expr]) -> Iterator[str]:
        """Yield factors in LaTeX; a factor that is repeated becomes a power."""
        first = True
        for _, group in groupby(factors, _unless_number):
            factor, *more = group
            if more:
                yield f"{self._at(factor, _ATOM)}^{{{1 + len(more)}}}"
            else:
                yield self._at(factor, _PRODUCT if first else _FRACTION)
            first = False

    def _fraction(self, left: ast.expr, right: ast.expr) -> Piece:
        if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Div):
            # a/b/c: one fraction bar is enough.
            return self._fraction(left.left, ast.BinOp(left.right, ast.Mult(), right))
        return f"\\frac{{{self.piece(left)[0]}}}{{{self.piece(right)[0]}}}", _FRACTION

    def _call(self, name: str, arguments: list[ast.expr]) -> str:
        inside = ", ".join(self.piece(argument)[0] for argument in arguments)
        if name == "sqrt":
            return f"\\sqrt{{{inside}}}"
        if name == "abs":
            return f"\\left\\lvert {inside} \\right\\rvert"
        if name == "int" and (is_condition(arguments[0]) or inside == self._name("not_refractory")):
            # Iverson's bracket: 1 where it is true, and 0 elsewhere.
            return f"\\left[ {inside} \\right]"
        function = f"\\{name}" if name in _KNOWN_FUNCTIONS else f"\\mathrm{{{name}}}"
        return f"{function}\\left( {inside} \\right)"

    def _at(self, node: ast.expr, level: int) -> str:
        """Return an operand, in parentheses where its precedence is lower than `level`."""
        text, own = self.piece(node)
        if own < level or (own == _SIGN and level > _SUM):
            return f"\\left( {text} \\right)"
        return text
