"""Spikes that depend on rounding: thresholds that the last bits of the state decide."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.equations.arrays.stepping import compile_expression
from bioae.equations.expressions import Expression
from bioae.trainers.mirror.functions import torch_functions

__all__ = ["ULPS", "undecided"]

#: Units in the last place of a comparison's larger side within which both outcomes are accepted.
ULPS = 4

Mask = NDArray[np.bool_]


class _Verdict(NamedTuple):
    """Masks of a condition: true for every, or for some outcome of its close comparisons."""

    surely: Mask
    perhaps: Mask


def undecided(condition: Expression, values: Mapping[str, Tensor], shape: tuple[int, ...]) -> Mask:
    """Return a mask of neurons whose condition depends on comparisons equal up to rounding.

    Each comparison within `ULPS` units in the last place of its larger side is evaluated as true
    and as false; the condition is undecided if its value, through ``and``, ``or`` and ``not``,
    depends on it.

    Parameters
    ----------
    condition
        The threshold condition.
    values
        The values that it names.
    shape
        The shape of the population's arrays.
    """
    verdict = _judge(condition.tree, values)
    return np.broadcast_to(verdict.perhaps & ~verdict.surely, shape)


def _judge(node: ast.expr, values: Mapping[str, Tensor]) -> _Verdict:
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            first, *rest = (_judge(part, values) for part in parts)
            for part in rest:
                first = _Verdict(*(join(a, b) for a, b in zip(first, part, strict=True)))
            return first
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            surely, perhaps = _judge(operand, values)
            return _Verdict(~perhaps, ~surely)
        case ast.Compare(left=left, comparators=[right]):
            holds = _evaluate(node, values).astype(bool)
            close = _close(_evaluate(left, values), _evaluate(right, values))
            return _Verdict(holds & ~close, holds | close)
    holds = _evaluate(node, values).astype(bool)
    return _Verdict(holds, holds)


def _close(left: NDArray[Any], right: NDArray[Any]) -> Mask:
    larger = np.maximum(np.abs(left), np.abs(right)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(left - right) <= ULPS * np.spacing(larger))


def _evaluate(node: ast.expr, values: Mapping[str, Tensor]) -> NDArray[Any]:
    function = compile_expression(Expression.of(node), torch_functions(torch.float64))
    return np.asarray(function(values))
