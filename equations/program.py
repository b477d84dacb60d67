"""What a neuron model does in one time step, as plain statements that both sides run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from bioae.equations.lowering.noise import Draw
from bioae.equations.model import RESERVED_PREFIX, NeuronModel
from bioae.equations.syntax import names_in

__all__ = [
    "INHIBITION",
    "INPUT",
    "Event",
    "Parameter",
    "Program",
    "State",
    "Statement",
    "names_in",
]

Statements = tuple["Statement", ...]

#: What arrived at a neuron in a step, in network weights: the sum of them; or, for a model that
#: has `inhibition`, the sum of the positive ones.
INPUT = f"{RESERVED_PREFIX}input"

#: The sum of the magnitudes of the negative ones, for a model that has `inhibition`.
INHIBITION = f"{RESERVED_PREFIX}inhibition"


@dataclass(frozen=True)
class Statement:
    """An assignment ``target = value``.

    Attributes
    ----------
    target, value
        A variable, and the expression that it becomes.
    guarded
        Whether the assignment is skipped while the neuron is refractory: Brian2's conditional
        write to a variable flagged ``(unless refractory)``.
    """

    target: str
    value: str
    guarded: bool = False

    def __str__(self) -> str:
        # Brian2 rewrites `v = v + a + b`, so that it rounds otherwise, but not `v += a + b`.
        body = ast.parse(self.value, mode="eval").body
        match body:
            case ast.BinOp(left=ast.Name(id=self.target), op=op) if type(op) in _AUGMENTED:
                return f"{self.target} {_AUGMENTED[type(op)]} {ast.unparse(body.right)}"
        return f"{self.target} = {self.value}"


_AUGMENTED: dict[type[ast.operator], str] = {
    ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/=",
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """A custom event of a model.

    Attributes
    ----------
    condition
        When it happens.
    statements
        Run where it did.
    """

    condition: str
    statements: Statements

    @staticmethod
    def place(name: str) -> str:
        """Return what Brian2 sorts the statements of events in one slot by, from a name."""
        return f"{name}_resetter"


@dataclass(frozen=True)
class State:
    """A variable that statements may write.

    Attributes
    ----------
    unit
        Its base unit, as Brian2 writes it; ``"1"`` where it has none.
    dtype
        ``"float"``, ``"integer"`` or ``"boolean"``.
    shared
        Whether all neurons of a layer have it in common.
    """

    unit: str
    dtype: str = "float"
    shared: bool = False


@dataclass(frozen=True)
class Parameter:
    """A constant of the model, or of each neuron.

    Attributes
    ----------
    unit
        Its base unit, as Brian2 writes it.
    per_neuron
        Whether each neuron has its own, because the equations declare it.
    """

    unit: str
    per_neuron: bool = False


@dataclass(frozen=True)
class Program:
    """A neuron model, lowered to statements in Brian2's order of operations.

    Everything that does not change over time was taken out into `constants`, which are computed
    once and passed as data to both sides: one exponential, one rounding.

    Attributes
    ----------
    model
        Where it came from.
    states, parameters
        The variables, by name.
    initial
        Expressions of the states' initial values, where the model gives them.
    constants
        Expressions of parameters and ``dt`` that statements refer to, by name, in order.
    draws
        The random numbers that statements refer to, by name: one for each neuron and step.
    prepare
        Run before each step: subexpressions that are constant over it.
    regularly
        Run at the start of each step, in the slot ``start``.
    refractoriness, update
        Run in the slot ``groups``: leaving the refractory state, then the integration step.
    threshold
        A condition, or None for a model that never fires.
    on_spike
        Run where the neuron fired, in the slot ``thresholds``: refractoriness.
    reset
        Run where the neuron fired, in the slot ``resets``.
    events
        Checked after the slot ``thresholds``; their statements run after ``resets``, in this order.
    receive
        Run in the slot ``synapses``: adds ``bioae_input``, the sum of the weights that arrived; or
        that of the positive ones, and ``bioae_inhibition``, the magnitudes of the others.
    distance, scale
        Of the surrogate: expressions, or None for a model that never fires.
    """

    model: NeuronModel
    states: Mapping[str, State]
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, str]
    constants: Mapping[str, str]
    draws: Mapping[str, Draw]
    prepare: Statements
    regularly: Statements
    refractoriness: Statements
    update: Statements
    threshold: str | None
    on_spike: Statements
    reset: Statements
    events: Mapping[str, Event]
    receive: Statements
    distance: str | None
    scale: str | None

    @property
    def refractory(self) -> bool:
        """Whether the model has a refractory period."""
        return "not_refractory" in self.states

    @property
    def inhibited(self) -> bool:
        """Whether inhibition arrives apart, at a variable of its own."""
        return self.model.inhibition is not None

    @property
    def condition(self) -> str | None:
        """When a neuron fires: the threshold, and not refractory."""
        return f"({self.threshold}) and not_refractory" if self.refractory else self.threshold

    @property
    def reproducible(self) -> bool:
        """Whether all libraries compute the same bits: no transcendental function of the state."""
        return not self.inexact

    @property
    def inexact(self) -> tuple[str, ...]:
        """The functions of the state whose last bit depends on the library, such as ``exp``."""
        parts = (*self.prepare, *self.refractoriness, *self._changes)
        code = [*(statement.value for statement in parts), self.threshold or "0"]
        code += [event.condition for event in self.events.values()]
        code += self.random_start.values()
        nodes = (node for text in code for node in ast.walk(ast.parse(text)))
        return tuple(sorted({name for node in nodes if (name := _inexact(node)) is not None}))

    @property
    def random_start(self) -> Mapping[str, str]:
        """Of `initial`, what depends on random numbers: evaluated as a presentation starts.

        Where the model settles, presentations start from there instead.
        """
        found: dict[str, str] = {}
        if self.model.settle is not None:
            return found
        for name, text in self.initial.items():
            if names_in(text) & (self.draws.keys() | found.keys()):
                found[name] = text
        return found

    @property
    def written(self) -> tuple[str, ...]:
        """The states that change over time, refractoriness first: what a presentation sets back."""
        # What is computed anew before each step need not be set back.
        targets = {statement.target for statement in self._changes}
        first = [name for name in ("not_refractory", "lastspike") if name in self.states]
        return (*first, *(name for name in self.states if name in targets and name not in first))

    @property
    def _changes(self) -> Statements:
        happens = (each for event in self.events.values() for each in event.statements)
        return (*self.regularly, *self.update, *self.reset, *happens, *self.receive)

    @property
    def common(self) -> frozenset[str]:
        """The parameters that shared variables depend on: every neuron has the same value."""
        every = (*self.prepare, *self._changes)
        made_of = [(statement.target, statement.value) for statement in every]
        made_of += [*self.initial.items(), *self.constants.items()]
        found = {name for name, state in self.states.items() if state.shared}
        size = 0
        while len(found) > size:
            size = len(found)
            found |= {name for to, value in made_of if to in found for name in names_in(value)}
        return frozenset(found & self.parameters.keys())

    @property
    def dependents(self) -> Mapping[str, frozenset[str]]:
        """The parameters that each of `constants` depends on, directly or through another."""
        found: dict[str, frozenset[str]] = {}
        for name, value in self.constants.items():
            names = names_in(value)
            nested = [found[other] for other in names if other in found]
            found[name] = frozenset(names & self.parameters.keys()).union(*nested)
        return found


#: Functions whose result IEEE 754 fixes to the last bit.
_EXACT = frozenset({"abs", "ceil", "clip", "floor", "int", "sign", "sqrt", "timestep"})


#: Operators whose result it does not fix.
_INEXACT: dict[type[ast.operator], str] = {ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//"}


def _inexact(node: ast.AST) -> str | None:
    if isinstance(node, ast.BinOp):
        return _INEXACT.get(type(node.op))
    if not isinstance(node, ast.Call):
        return None
    function = ast.unparse(node.func)
    return None if function in _EXACT else function
