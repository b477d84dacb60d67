"""A model's own noise: each place in it that asks for a random number gets a name and a number."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal

from bioae.equations.model import RESERVED_PREFIX

__all__ = ["MEANS", "Draw", "Draws"]

#: What Brian2's functions return; `xi` becomes ``dt**.5*randn()``.
_DISTRIBUTIONS: dict[str, Literal["uniform", "normal"]] = {"rand": "uniform", "randn": "normal"}

#: What they return on average, as text.
MEANS = {"uniform": "0.5", "normal": "0"}


@dataclass(frozen=True)
class Draw:
    """A random number for each neuron, or for all of them, and step.

    Attributes
    ----------
    distribution
        ``"uniform"``, in [0, 1), or ``"normal"``, of mean 0 and variance 1.
    call
        Which of the model's draws this is, counted from 0 in the order of its statements: update,
        refractoriness, constants over dt, what runs regularly, threshold, reset, events, initial
        values.
    shared
        Whether all neurons get the number of the first.
    """

    distribution: Literal["uniform", "normal"]
    call: int
    shared: bool = False


class Draws:
    """Replaces calls of ``rand()`` and ``randn()`` by names, collected in `found`."""

    def __init__(self) -> None:
        self.found: dict[str, Draw] = {}

    def __call__(self, expression: str, *, shared: bool = False) -> str:
        """Return the expression with a new name for each call in it.

        Parameters
        ----------
        expression
            The expression.
        shared
            Whether its value is the same for all neurons.

        Raises
        ------
        TypeError
            If such a call is given arguments.
        """
        tree = ast.parse(expression.strip(), mode="eval")
        before = len(self.found)
        named = _Name(self.found, shared).visit(tree)
        return expression if len(self.found) == before else ast.unparse(named)


class _Name(ast.NodeTransformer):
    def __init__(self, found: dict[str, Draw], shared: bool) -> None:
        self._found = found
        self._shared = shared

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = ast.unparse(node.func)
        if function not in _DISTRIBUTIONS:
            return self.generic_visit(node)
        if node.args or node.keywords:
            raise TypeError(f"{ast.unparse(node)} has arguments, but {function}() takes none")
        call = len(self._found)
        name = f"{RESERVED_PREFIX}draw{call}"
        self._found[name] = Draw(_DISTRIBUTIONS[function], call, self._shared)
        return ast.Name(name, ast.Load())
