"""Spikes that depend on rounding: thresholds that the last bits of the state decide.

A difference in such a spike is excused if the states of both sides differ by that little too, and
if there are no more of them than distances that happen to be this small.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaincinv, pdtr  # importing scipy.stats takes half a second
from torch import Tensor

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.expressions import Expression
from bioae.trainers.mirror.functions import torch_functions

#: Units in the last place of a comparison's larger side within which both outcomes are accepted.
ULPS = 4

#: The width of the band in which the density of distances is measured, in units of `ULPS`.
WIDER = 1024

#: The probability that a bound is exceeded by chance.
_RISK = 1e-4

Mask = NDArray[np.bool_]


class _Verdict(NamedTuple):
    """Masks of a condition: true for every, or for some outcome of its close comparisons."""

    surely: Mask
    perhaps: Mask


def explained(around: int) -> int:
    """Return the largest number of distances within `ULPS` that chance explains.

    `around` is the number of those beyond, and within `WIDER` times as much. The expected number is
    at most the upper limit of the mean of a Poisson variable that was observed as `around` (Garwood
    1936, Biometrika 28:437), over the ratio of the widths.
    """
    expected = gammaincinv(around + 1, 1 - _RISK) / (WIDER - 1)
    return next(n for n in itertools.count() if pdtr(n, expected) >= 1 - _RISK)


def same(a: NDArray[Any], b: NDArray[Any]) -> Mask:
    """Return a mask of numbers that differ by at most `ULPS` units in their last place."""
    return np.asarray(_close(a, b, ULPS) | (a == b))


def undecided(
    condition: Expression,
    values: Mapping[str, Tensor],
    shape: tuple[int, ...],
    ulps: float = ULPS,
) -> Mask:
    """Return a mask of neurons whose condition depends on comparisons equal up to rounding.

    Each comparison within `ulps` units in the last place of its larger side is evaluated as true
    and as false; the condition is undecided if its value, through ``and``, ``or`` and ``not``,
    depends on it.
    """
    verdict = _judge(condition.tree, values, ulps)
    return np.broadcast_to(verdict.perhaps & ~verdict.surely, shape)


def _judge(node: ast.expr, values: Mapping[str, Tensor], ulps: float) -> _Verdict:
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            first, *rest = (_judge(part, values, ulps) for part in parts)
            for part in rest:
                first = _Verdict(*(join(a, b) for a, b in zip(first, part, strict=True)))
            return first
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            surely, perhaps = _judge(operand, values, ulps)
            return _Verdict(~perhaps, ~surely)
        case ast.Compare(left=left, comparators=[right]):
            holds = _evaluate(node, values).astype(bool)
            sides = _evaluate(left, values), _evaluate(right, values)
            if bool in (sides[0].dtype, sides[1].dtype):
                return _Verdict(holds, holds)  # true and false are not close to each other
            close = _close(*sides, ulps)
            return _Verdict(holds & ~close, holds | close)
    holds = _evaluate(node, values).astype(bool)
    return _Verdict(holds, holds)


def _close(left: NDArray[Any], right: NDArray[Any], ulps: float) -> Mask:
    larger = np.maximum(np.abs(left), np.abs(right)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(left - right) <= ulps * np.spacing(larger))


def _evaluate(node: ast.expr, values: Mapping[str, Tensor]) -> NDArray[Any]:
    function = compile_expression(Expression.of(node), torch_functions(torch.float64))
    return np.asarray(function(values))
