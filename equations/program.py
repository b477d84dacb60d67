"""Programs: the statements of one time step of a neuron model, which both sides run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bioae.equations.arrays.timed import Timed
from bioae.equations.expressions import Expression, Statement
from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.model import NeuronModel
from bioae.equations.operators import inexact

Statements = tuple[Statement, ...]

#: Input that arrived at a neuron in a step, in network weights: the sum of all of them; or, for a
#: model that has `inhibition`, the sum of the positive ones.
INPUT = f"{RESERVED_PREFIX}input"

#: The sum of the magnitudes of the negative ones, for a model that has `inhibition`.
INHIBITION = f"{RESERVED_PREFIX}inhibition"


def input_to(target: str | None) -> str:
    """Return the name of the input that projections to a variable add; None: to `input`."""
    return INPUT if target is None else f"{INPUT}_{target}"


#: The number of spikes of the neuron's layer that arrived in a step, for a model that has
#: `layer_spikes`.
LAYER_SPIKES = f"{RESERVED_PREFIX}layer_spikes"

#: The constant input of each neuron in every step, by the name of the input that it is added to. A
#: model that has `inhibition` receives the magnitudes of negative ones separately.
BIASES = {INPUT: f"{RESERVED_PREFIX}bias", INHIBITION: f"{RESERVED_PREFIX}bias_inhibition"}

#: The names of constants that only refractory neurons use begin so: they need not be finite.
REFRACTORY_PREFIX = f"{RESERVED_PREFIX}r"

#: The names of temporary variables begin so, Brian2's and those of the model's own statements:
#: whatever they are called there, they collide neither with a variable nor with generated code.
TEMPORARY = f"{RESERVED_PREFIX}tmp"

#: The name of the condition under which `run_regularly` runs.
DUE = "_due"

#: Brian2's time of the last spike of a neuron that never fired, in seconds.
NEVER = -1e4

#: Returns the random numbers of a step (neuron), by their names in a program.
Noise = Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True)
class Event:
    """A custom event of a model.

    Attributes
    ----------
    condition
        The condition under which it happens.
    statements
        Run for the neurons in which it happened.
    """

    condition: Expression
    statements: Statements

    @staticmethod
    def place(name: str) -> str:
        """Return the key by which Brian2 sorts the statements of events in one slot."""
        return f"{name}_resetter"

    @staticmethod
    def happened(name: str) -> str:
        """Return the name of the condition under which the statements run."""
        return f"_happened_{name}"


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
    dtype
        ``"float"``, ``"integer"`` or ``"boolean"``.
    """

    unit: str
    per_neuron: bool = False
    dtype: str = "float"


@dataclass(frozen=True)
class Draw:
    """A random number per step, for each neuron or shared by all.

    Attributes
    ----------
    distribution
        ``"uniform"``, in [0, 1), or ``"normal"``, of mean 0 and variance 1.
    call
        The number of this draw among the model's, counted from 0 in the order of its statements:
        update, refractoriness, constants over dt, `run_regularly`, threshold, reset, events,
        initial values.
    shared
        Whether all neurons share the first neuron's number.
    """

    distribution: Literal["uniform", "normal"]
    call: int
    shared: bool = False


@dataclass(frozen=True)
class Program:
    """A neuron model, lowered to statements in Brian2's order of operations.

    Everything that does not change over time was taken out into `constants`, which are computed
    once and passed as data to both sides: one exponential, one rounding.

    Attributes
    ----------
    model
        The model that was lowered.
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
        Run at the start of each step in which `due` holds, in the slot ``start``.
    due
        A condition on the step within the presentation; None: every step.
    timed
        Values that change over a presentation, by the names that statements refer to.
    refractoriness, update
        Run in the slot ``groups``: leaving the refractory state, then the integration step.
    threshold
        A condition, or None for a model that never fires.
    on_spike
        Run for the neurons that fired, in the slot ``thresholds``: refractoriness.
    reset
        Run for the neurons that fired, in the slot ``resets``.
    events
        Checked after the slot ``thresholds``; their statements run after ``resets``, in this order.
    receive
        Run in the slot ``synapses``: adds ``bioae_input``, the sum of the weights that arrived; or
        that of the positive ones, and ``bioae_inhibition``, the magnitudes of the others. Also adds
        ``bioae_layer_spikes``, the number of spikes of the layer.
    distance, scale
        Of the surrogate: expressions, or None for a model that never fires.
    """

    model: NeuronModel
    states: Mapping[str, State]
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, Expression]
    constants: Mapping[str, Expression]
    draws: Mapping[str, Draw]
    prepare: Statements
    regularly: Statements
    due: Expression | None
    timed: Mapping[str, Timed]
    refractoriness: Statements
    update: Statements
    threshold: Expression | None
    on_spike: Statements
    reset: Statements
    events: Mapping[str, Event]
    receive: Statements
    distance: Expression | None
    scale: Expression | None

    @property
    def refractory(self) -> bool:
        """True if the model has a refractory period."""
        return "not_refractory" in self.states

    @property
    def arriving(self) -> tuple[str, ...]:
        """The names of the input, in network weights."""
        inhibition = (INHIBITION,) if self.inhibited else ()
        return (INPUT, *inhibition, *map(input_to, self.model.targets))

    @property
    def inhibited(self) -> bool:
        """True if inhibition arrives at a separate variable."""
        return self.model.inhibition is not None

    @property
    def counts_layer(self) -> bool:
        """True if variables count the spikes of the neuron's layer."""
        return bool(self.model.layer_spikes)

    @property
    def condition(self) -> Expression | None:
        """The condition for a spike: the threshold, and not refractory."""
        if self.threshold is None or not self.refractory:
            return self.threshold
        return Expression(f"({self.threshold}) and not_refractory")

    @property
    def reproducible(self) -> bool:
        """True if all libraries compute the same bits: no transcendental function of the state."""
        return not self.inexact

    @property
    def inexact(self) -> tuple[str, ...]:
        """The functions of the state whose last bit depends on the library, such as ``exp``."""
        parts = (*self.computed, *self.random_start.values())
        nodes = (node for part in parts for node in ast.walk(part.tree))
        return tuple(sorted({name for node in nodes if (name := inexact(node)) is not None}))

    @property
    def computed(self) -> tuple[Expression, ...]:
        """The expressions that are computed in each step, or for each spike or event."""
        statements = (*self.prepare, *self.refractoriness, *self._changes)
        conditions = (event.condition for event in self.events.values())
        threshold = () if self.threshold is None else (self.threshold,)
        return (*(statement.value for statement in statements), *conditions, *threshold)

    @property
    def integers(self) -> frozenset[str]:
        """The variables that Brian2 stores as integers."""
        return frozenset({"i", "N", *self._of_type("integer")})

    @property
    def floats(self) -> frozenset[str]:
        """The variables that Brian2 stores as floating-point numbers."""
        return self._of_type("float")

    def _of_type(self, kind: str) -> frozenset[str]:
        kinds = {name: state.dtype for name, state in self.states.items()}
        kinds |= {name: parameter.dtype for name, parameter in self.parameters.items()}
        return frozenset(name for name in kinds if kinds[name] == kind)

    @property
    def random_start(self) -> Mapping[str, Expression]:
        """The part of `initial` that depends on random numbers, drawn as a presentation starts.

        Empty where the model settles: presentations start from the settled state.
        """
        random: dict[str, Expression] = {}
        if self.model.settle is not None:
            return random
        for name, value in self.initial.items():
            if value.names & (self.draws.keys() | random.keys()):
                random[name] = value
        return random

    @property
    def written(self) -> tuple[str, ...]:
        """The states that change over time, refractoriness first: a presentation resets them."""
        # `prepare` computes its targets before each step: they need no reset.
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
        definitions = [(statement.target, statement.value) for statement in every]
        definitions += [*self.initial.items(), *self.constants.items()]
        names = {name for name, state in self.states.items() if state.shared}
        size = 0
        while len(names) > size:
            size = len(names)
            names |= {name for to, value in definitions if to in names for name in value.names}
        return frozenset(names & self.parameters.keys())

    @property
    def dependents(self) -> Mapping[str, frozenset[str]]:
        """The parameters that each of `constants` depends on, directly or through another."""
        parameters: dict[str, frozenset[str]] = {}
        for name, value in self.constants.items():
            nested = [parameters[other] for other in value.names if other in parameters]
            parameters[name] = (value.names & self.parameters.keys()).union(*nested)
        return parameters
