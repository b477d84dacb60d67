"""The change of a weight by a block of statements: its bounds, and its sum over examples.

A rule that ends in ``w = clip(w + change, low, high)`` has a change, which can be averaged over
examples or given to an optimiser, and bounds. Many changes are sums of products of a number of the
source, one of the target and one of the weight: their sum over examples is a product of matrices.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from bioae.equations.expressions import Expression
from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.synapses.model import WEIGHT
from bioae.equations.synapses.program import Block, named

#: Kinds of factors: of the source, of the target, and of the weight.
_PRE, _POST, _SYNAPSE = "pre", "post", "synapse"

#: Names of the target's layer are numbers of the target in each example.
_KINDS = {"pre": _PRE}
_KINDS |= dict.fromkeys(("post", "neuron", "signal", "psi", "layer", "held"), _POST)


#: The most products of a change, and characters of a statement in which others are put in.
_MOST, _LONGEST = 16, 5_000

_ONE = Expression("1")


@dataclass(frozen=True)
class Product:
    """A product of a number of the source, one of the target, and one of the weight.

    `pre`, `post`, `synapse`: the factors; each names variables of its kind, parameters and
    constants only.
    """

    pre: Expression = _ONE
    post: Expression = _ONE
    synapse: Expression = _ONE


@dataclass(frozen=True)
class Change:
    """The value of a weight after a block of statements.

    `value`: the new weight before its bounds; it names the results of statements of the block.
    `low`, `high`: its bounds, expressions of parameters; None: it has none.
    `products`: products whose sum is `value` less the weight; None if there are none such, or the
        block changes other variables of the synapse.
    """

    value: Expression
    low: Expression | None = None
    high: Expression | None = None
    products: tuple[Product, ...] | None = None


def change_of(block: Block) -> Change | None:
    """Return how a block changes the weight; None if it does not."""
    if WEIGHT not in block.results:
        return None
    values = {each.target: each.value for each in block.statements}
    value = values[block.results[WEIGHT]]
    low = high = None
    match value.tree:
        case ast.Call(func=ast.Name(id="clip"), args=[inner, least, most]) if _constant(
            least, most
        ):
            value, low, high = (Expression.of(each) for each in (inner, least, most))
    whole = _whole(value, block) if set(block.results) == {WEIGHT} else None
    return Change(value, low, high, None if whole is None else _products(whole))


def _whole(value: Expression, block: Block) -> Expression | None:
    """Return a value without the names of statements; None if it is too long."""
    known: dict[str, Expression] = {}
    for each in block.statements:
        known[each.target] = each.value.substituted(known)
        if len(known[each.target].text) > _LONGEST:
            return None
    return value.substituted(known)


class _NoProductError(Exception):
    """An expression is not a sum of products."""


#: The factors of a product, by kind.
_Factors = Mapping[str, ast.expr]


def _products(value: Expression) -> tuple[Product, ...] | None:
    """Return products whose sum is a new weight less the old one."""
    try:
        terms = _terms(value.tree)
    except _NoProductError:
        return None
    weight = ast.Name(named("synapse", WEIGHT))
    whole = [ast.unparse(each[_SYNAPSE]) for each in terms if each.keys() == {_SYNAPSE}]
    if weight.id in whole:
        terms.pop(next(
            k for k, each in enumerate(terms)
            if each.keys() == {_SYNAPSE} and ast.unparse(each[_SYNAPSE]) == weight.id
        ))  # fmt: skip
    else:
        terms.append({_SYNAPSE: ast.UnaryOp(ast.USub(), weight)})
    return tuple(
        Product(**{kind: Expression.of(factor) for kind, factor in each.items()}) for each in terms
    )


def _terms(node: ast.expr) -> list[_Factors]:
    """Return the terms of an expression, each as factors by kind."""
    kinds = _kinds(node)
    if len(kinds) < 2 and not (kinds == {_SYNAPSE} and isinstance(node, ast.BinOp)):
        return [{next(iter(kinds), _POST): node}]
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return [_times(each, {_POST: ast.Constant(-1)}) for each in _terms(operand)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            terms = [*_terms(left), *_terms(right)]
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            terms = [*_terms(left), *_terms(ast.UnaryOp(ast.USub(), right))]
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            others = _terms(right)
            terms = [_times(one, other) for one in _terms(left) for other in others]
        case ast.BinOp(left=left, op=ast.Div(), right=right) if len(_kinds(right)) < 2:
            below = {
                next(iter(_kinds(right)), _POST): ast.BinOp(ast.Constant(1.0), ast.Div(), right)
            }
            terms = [_times(each, below) for each in _terms(left)]
        case _ if len(kinds) < 2:
            return [{_SYNAPSE: node}]
        case _:
            raise _NoProductError
    if len(terms) > _MOST:
        raise _NoProductError
    return terms


def _times(one: _Factors, other: _Factors) -> _Factors:
    product = dict(one)
    for kind, factor in other.items():
        product[kind] = ast.BinOp(product[kind], ast.Mult(), factor) if kind in product else factor
    return product


def _constant(*nodes: ast.expr) -> bool:
    """Return whether expressions name nothing but parameters and constants."""
    try:
        return not any(map(_kinds, nodes))
    except _NoProductError:
        return False


def _kinds(node: ast.AST) -> set[str]:
    """Return the kinds of the variables that an expression names.

    Raises `_NoProductError` if one is neither of a side nor the weight, such as another variable of
    the synapse.
    """
    kinds = set()
    for each in ast.walk(node):
        if not isinstance(each, ast.Name) or not each.id.startswith(RESERVED_PREFIX):
            continue
        kind = each.id.removeprefix(RESERVED_PREFIX).partition("_")[0]
        if each.id == named("synapse", WEIGHT):
            kinds.add(_SYNAPSE)
        elif kind in _KINDS:
            kinds.add(_KINDS[kind])
        elif kind not in ("parameter", "constant"):
            raise _NoProductError
    return kinds
