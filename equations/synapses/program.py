"""Lowered learning rules: programs of traces, and statements of a weight, which both sides run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from bioae.equations.expressions import Expression
from bioae.equations.model import RESERVED_PREFIX
from bioae.equations.operators import inexact
from bioae.equations.program import Program, Statement, Statements
from bioae.equations.synapses.model import SynapseModel

__all__ = ["GRID_BITS", "SIDES", "Rule", "SideName", "named"]

SideName = str

#: The sides of a synapse: its source and its target.
SIDES: tuple[SideName, ...] = ("pre", "post")

#: Weights that learn are multiples of 2**-24: their sums are exact in any order.
GRID_BITS = 24


def named(kind: str, name: str) -> str:
    """Return the name in a rule's statements of a variable of a kind.

    Parameters
    ----------
    kind
        A side for its trace, ``"parameter"``, or ``"weight"``.
    name
        The name in the model.
    """
    return f"{RESERVED_PREFIX}{kind}_{name}"


#: Added and taken away again, it leaves the nearest multiple of 2**-24 of a number below 2**27: the
#: unit in the last place of a float64 of its size.
_TO_GRID = f"{{0}} + {3 * 2.0**27!r} - {3 * 2.0**27!r}"


@dataclass(frozen=True)
class Rule:
    """A synapse model, lowered.

    Attributes
    ----------
    model
        The model that was lowered.
    traces
        The programs of the sides that have traces, by side: their ``reset`` is `on_spike`.
    parameters
        The parameters in base units.
    on_pre, on_post
        Statements of one synapse, each with a different target, that of the last being the new
        weight. They read the weight, traces and parameters by the names of `named`.
    """

    model: SynapseModel
    traces: Mapping[SideName, Program]
    parameters: Mapping[str, float]
    on_pre: Statements
    on_post: Statements

    #: The weight before a block of statements.
    weight = named("weight", "0")

    @staticmethod
    def on_grid(statements: Statements) -> Statements:
        """Return a block that rounds its weight to the grid, in float64."""
        if not statements:
            return ()
        weight = statements[-1].target
        return (*statements, Statement(f"{weight}_on_grid", Expression(_TO_GRID.format(weight))))

    def read(self, statements: Statements) -> frozenset[str]:
        """Return the names that a block reads."""
        targets = {each.target for each in statements}
        return frozenset(n for each in statements for n in each.value.names) - targets

    @property
    def reproducible(self) -> bool:
        """True if all libraries compute the same bits: no transcendental function."""
        return not self.inexact

    @property
    def inexact(self) -> tuple[str, ...]:
        """The functions whose last bit depends on the library, such as ``exp``."""
        nodes = (
            node for each in (*self.on_pre, *self.on_post) for node in ast.walk(each.value.tree)
        )
        found = {name for node in nodes if (name := inexact(node)) is not None}
        return tuple(sorted(found.union(*(each.inexact for each in self.traces.values()))))
