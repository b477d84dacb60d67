"""Changes of weights, averaged over the examples of a batch: as products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.expressions import Expression
from bioae.equations.synapses.changes import Product

_Values = Mapping[str, Tensor]
_Functions = Mapping[str, Callable[..., Any]]


class SummedProducts:
    """The sum over examples of a change that is a sum of products.

    `products`: see `bioae.equations.synapses.changes.Change`.
    """

    def __init__(self, products: tuple[Product, ...], functions: _Functions) -> None:
        self._products = [
            tuple(
                _compiled(each, functions) for each in (product.pre, product.post, product.synapse)
            )
            for product in products
        ]

    def __call__(
        self,
        values: _Values,
        before: Tensor | None,
        fired: Tensor | None,
        like: Tensor,
        examples: int,
    ) -> Tensor:
        """Return the sum (source, target).

        `values`: values of the products' names: numbers of sides (example, neuron), and the
        weights; `before`, `fired`: masks of the sources and of the targets that change (example,
        neuron); None: all; `examples`: the number of examples.
        """
        total = torch.zeros_like(like)
        for pre, post, synapse in self._products:
            source, target = _masked(pre(values), before), _masked(post(values), fired)
            summed = _sum(source, target, examples)
            # A weight that nothing changes may be out of the range of the factor.
            total += torch.where(summed != 0, summed * synapse(values), 0.0)
        return total


def _sum(source: Tensor, target: Tensor, examples: int) -> Tensor:
    """Return the sum over examples of the products of numbers of sources and of targets."""
    if source.ndim and target.ndim:
        return source.T @ target
    if source.ndim:
        return source.sum(0)[:, None] * target
    if target.ndim:
        return source * target.sum(0)[None]
    return examples * source * target


def _masked(value: Tensor, mask: Tensor | None) -> Tensor:
    return value if mask is None else torch.where(mask > 0, value, 0.0)


def _compiled(expression: Expression, functions: _Functions) -> Callable[[_Values], Tensor]:
    function = compile_expression(expression, functions)
    # A Python number would be rounded to 32 bits.
    return lambda values: torch.as_tensor(function(values), dtype=_dtype(values))


def _dtype(values: _Values) -> torch.dtype:
    return next((each.dtype for each in values.values() if each.is_floating_point()), torch.float64)
