"""Lowered learning rules: programs of traces, and statements of a weight, which both sides run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bioae.equations.assignments import parse_assignments
from bioae.equations.expressions import Expression, Statement
from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.operators import inexact
from bioae.equations.program import Draw, Program, Statements
from bioae.equations.synapses.model import BLOCKS, DELIVERED, TARGET, WEIGHT, SynapseModel
from bioae.errors import ModelError

SideName = str

#: The sides of a synapse: its source and its target.
SIDES: tuple[SideName, ...] = ("pre", "post")

#: The blocks that run for spikes, each for those of one side.
SPIKES: Mapping[str, SideName] = {"on_pre": "pre", "on_post": "post"}

#: Weights that learn are multiples of 2**-24: their sums are exact in any order.
GRID_BITS = 24

#: Their magnitudes are below 2**27: the rounding to the grid is exact below 2**51 of its units.
RANGE_BITS = 51 - GRID_BITS


def named(kind: str, name: str) -> str:
    """Return the name in a rule's statements of a variable of a kind.

    `kind`: a side for its trace, ``"neuron"`` for a number of the target's neuron, ``"signal"`` for
        one that is sent back to it, ``"psi"`` for one of its threshold, ``"synapse"`` for a
        variable of a synapse, ``"layer"`` for a number of the target's layer, ``"held"``,
        ``"parameter"``, or ``"constant"`` of a time step.
    `name`: the name in the model.
    """
    return f"{RESERVED_PREFIX}{kind}_{name}"


#: The time since `regularly` ran before, which its statements call `every`.
EVERY = named("constant", "every")

#: The time in the target's window.
TIME = named("constant", "t")

#: Numbers of the target's neuron: its distance to threshold in units of its scale, and the
#: reciprocal of the scale, 0 while the neuron is refractory.
DISTANCE, GAIN = named("psi", "distance"), named("psi", "gain")

#: The time since a synapse was brought up to date before, in a rule of a script.
ELAPSED = named("constant", "elapsed")

#: Added and taken away again, it leaves the nearest multiple of 2**-24 of a number below 2**27: the
#: unit in the last place of a float64 of its size.
_TO_GRID = f"{{0}} + {3 * 2.0**27!r} - {3 * 2.0**27!r}"


@dataclass(frozen=True)
class Block:
    """Statements of synapses, each with a different target.

    `statements`: they read variables by the names of `named`; `results`: the targets that are new
    values, by the name of the variable: `WEIGHT`, one of ``[synapse] equations``, or `DELIVERED`.
    """

    statements: Statements = ()
    results: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.statements)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names that it reads, except those that it assigns."""
        targets = {each.target for each in self.statements}
        return frozenset(n for each in self.statements for n in each.value.names) - targets

    def then(self, other: Block) -> Block:
        """Return a block that runs this one, then another that reads its results."""
        return Block((*self.statements, *other.statements), {**self.results, **other.results})

    @property
    def on_grid(self) -> Block:
        """The block that rounds the weight to the grid, in float64."""
        if WEIGHT not in self.results:
            return self
        weight = self.results[WEIGHT]
        rounded = Statement(f"{weight}_on_grid", Expression(_TO_GRID.format(weight)))
        return Block((*self.statements, rounded), {**self.results, WEIGHT: rounded.target})


@dataclass(frozen=True)
class Exchange:
    """Expressions of structural plasticity.

    They name parameters, the weight, connections that exist, and persistent variables.

    `score`: the score of a connection; `new_weight`: the weight with which a new one begins;
    `draws`: the random numbers that they draw, by their names in them.
    """

    score: Expression
    new_weight: Expression
    draws: Mapping[str, Draw]


@dataclass(frozen=True)
class RandomStart:
    """A random initial value: an expression of parameters and draws, by their names in it."""

    value: Expression
    draws: Mapping[str, Draw]


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
    sums
        Sums over the target's neurons, by name: an expression of the target's traces each.
    layer
        Statements of numbers of the layer, by the names of `named`, which read sums.
    variables
        The program of the variables of a synapse other than its weight; None if it has none.
    integrate
        The statements of a time step of these variables. In a rule of a script, `on_pre` and
        `on_post` begin with those of the time `ELAPSED`.
    on_pre, on_post, regularly
        Statements of a synapse.
    every
        The interval of `regularly` in seconds; 0: each step; None: only as the presentation ends.
    draws
        The random numbers that statements of synapses draw, by their names in them.
    feedback
        Numbers that synapses send back to their source, by name: an expression of a synapse each.
    random_start
        Initial values of persistent variables of synapses that are random, by name.
    structure
        Structural plasticity; None if all connections exist, always.
    """

    model: SynapseModel
    traces: Mapping[SideName, Program]
    parameters: Mapping[str, float]
    sums: Mapping[str, Expression]
    layer: Statements
    variables: Program | None
    integrate: Block
    on_pre: Block
    on_post: Block
    regularly: Block
    every: float | None
    draws: Mapping[str, Draw]
    feedback: Mapping[str, Expression] = field(default_factory=dict)
    random_start: Mapping[str, RandomStart] = field(default_factory=dict)
    structure: Exchange | None = None

    @property
    def blocks(self) -> dict[str, Block]:
        """The blocks that are not empty, by name, in the order in which they run."""
        names = ("integrate", *BLOCKS)
        return {name: block for name in names if (block := getattr(self, name))}

    @cached_property
    def neuron(self) -> dict[str, str]:
        """The numbers of the target's neuron that it uses, see `named`, and their own names."""
        own = {name: name for name in (DISTANCE, GAIN)}
        if self.model.post is not None:
            own |= {named("neuron", each): each for each in self.model.post.reads}
            own |= {named("signal", each): each for each in self.model.post.signals}
        return {name: each for name, each in own.items() if name in self.names}

    @property
    def signals(self) -> tuple[str, ...]:
        """The numbers that synapses from its target send back."""
        return () if self.model.post is None else self.model.post.signals

    @property
    def reads_target(self) -> bool:
        """True if it reads the targets of the network's task."""
        return named("neuron", TARGET) in self.neuron

    @property
    def states(self) -> tuple[str, ...]:
        """The variables of a synapse other than its weight."""
        return () if self.variables is None else tuple(self.variables.states)

    def check_alone(self) -> None:
        """Reject a rule that reads its target's neuron, where there is none (ModelError)."""
        if self.model.reads_neuron:
            raise ModelError(
                "the rule reads its target's neuron, and runs in networks only",
                where=f"{self.model.name}.toml, [post]", hint="Run it with bioae.learn",
            )  # fmt: skip

    @property
    def in_script(self) -> bool:
        """True if `on_pre` delivers its spike among its statements, as in a Brian2 script."""
        return self.model.timing == "script"

    @property
    def delivers(self) -> bool:
        """True if spikes add something else than the weight, so that it never runs without it."""
        if DELIVERED not in self.on_pre.results:
            return False
        assignments = parse_assignments(self.model.synapse.on_pre or "", where=self.model.name)
        return any(each.target == DELIVERED and each.value.text != WEIGHT for each in assignments)

    def check_phases(self) -> None:
        """Reject a rule in the order of a script, which runs in Brian2 only (ModelError)."""
        if self.in_script:
            raise ModelError(
                "a rule in the order of a script runs in Brian2 only",
                where=f"{self.model.name}.toml, timing", expected="phases", found="script",
            )  # fmt: skip

    @property
    def sequential(self) -> bool:
        """True if a weight and what persists change together, so that no changes are averaged."""
        persistent = set(self.persistent("synapse"))
        return any(
            WEIGHT in block.results and persistent & block.results.keys()
            for block in self.blocks.values()
        )

    def persistent(self, kind: str) -> tuple[str, ...]:
        """Return the persistent variables of a side or ``"synapse"``."""
        return tuple(name for own, name in self.model.persistent_variables.values() if own == kind)

    def interval(self, dt: float) -> int | None:
        """Return the interval of `regularly` in time steps of some seconds; None: the presentation.

        Raises
        ------
        ModelError
            If it is not a whole number of steps.
        """
        if not self.every:
            return None if self.every is None else 1
        steps = round(self.every / dt)
        if steps < 1 or abs(self.every / dt - steps) > 1e-6:
            raise ModelError(
                "the interval is not a whole number of time steps",
                where=f"{self.model.name}.toml, [synapse] every",
                expected=f"a multiple of {dt * 1e3:g} ms", found=f"{self.every * 1e3:g} ms",
            )  # fmt: skip
        return steps

    def elapsed(self, steps: int, dt: float) -> float:
        """Return the time since `regularly` last ran, in seconds: `every` in its statements.

        Parameters
        ----------
        steps
            That time in steps, fewer than the interval as a presentation ends.
        dt
            The time step in seconds.
        """
        if self.every and steps == self.interval(dt):
            return self.every  # which a product would round
        return steps * dt

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that it reads, see `named`."""
        return frozenset(name for value in self._values for name in value.names)

    @property
    def _values(self) -> tuple[Expression, ...]:
        """The expressions of statements, sums and feedback."""
        blocks = (each.value for block in self.blocks.values() for each in block.statements)
        layer = (each.value for each in self.layer)
        return (*blocks, *layer, *self.sums.values(), *self.feedback.values())

    @property
    def reproducible(self) -> bool:
        """True if all libraries compute the same bits: no transcendental function."""
        return not self.inexact

    @property
    def inexact(self) -> tuple[str, ...]:
        """The functions whose last bit depends on the library, such as ``exp``."""
        nodes = (node for value in self._values for node in ast.walk(value.tree))
        found = {name for node in nodes if (name := inexact(node)) is not None}
        return tuple(sorted(found.union(*(each.inexact for each in self.traces.values()))))
