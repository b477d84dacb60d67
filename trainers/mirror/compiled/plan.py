"""The contents of a compiled kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bioae.trainers.mirror.compiled.adjoint import Step
from bioae.trainers.mirror.compiled.graph import Node
from bioae.trainers.mirror.gradients import ACTIVE

#: The name of a population's spikes.
SPIKE = "_spike"

#: The initial values of every population, in addition to the states of its model.
STARTS: Mapping[str, float | bool] = {SPIKE: 0.0, "_fired": False, ACTIVE: 1.0}


#: The prefix of the names of sums over time.
SUM = "sum of "


class Timeline(NamedTuple):
    """The timing of a population's steps and input."""

    steps: int
    #: The number of first steps that are not recorded.
    lead_in: int
    #: The number of steps with input, and the delay of the input in steps.
    sent: int
    delay: int
    #: The number of steps after which states are detached, see `Backward.truncate`; 0: never.
    cut: int
    #: Whether the input is the same in all steps, and is stored once.
    held: bool = False


class Requested(NamedTuple):
    """The names to record in each step, and to return after the last step only.

    They are those of states, ``_spike``, `DISTANCE`, and the read-out's states with the prefix
    `READOUT`.
    """

    record: tuple[str, ...]
    final: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """The contents of a compiled kernel."""

    step: Step
    #: The values before the first step, by name: whether each neuron has its own.
    initial: dict[str, bool]
    recorded: tuple[str, ...]
    final: tuple[str, ...]
    #: The initial values that get a gradient.
    learning: tuple[str, ...]
    real: str
    #: For a recurrent layer, the steps from a spike to its arrival without a delay: 0 if
    #: neurons fire before the input of a step arrives, else 1. None: the layer is not recurrent.
    latency: int | None = None
    #: Those of `recorded` that are summed over the steps too.
    summed: tuple[str, ...] = (SPIKE,)

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of values of each kind, in the order in which C++ has them."""
        return tuple(map(len, (
            self.step.inputs, self.recorded, self.final, self.summed, self.carried, self.later,
            self.accumulated, self.learned,
        )))  # fmt: skip

    @property
    def places(self) -> tuple[list[int], ...]:
        """Places of `final` among carried and later values, and of `learned` among gradients."""
        gradients = [*self.later, *self.accumulated]
        return (
            [self.carried.index(name) for name in self.final],
            [self.later.index(name) for name in self.final],
            [gradients.index(name) for name in self.learned],
        )

    @cached_property
    def carried(self) -> tuple[str, ...]:
        """The values carried from step to step that the recorded values depend on."""
        recorded = (self.step.values[name] for name in self.recorded)
        return tuple(sorted(self.step.needed(recorded, self.final)))

    @property
    def after(self) -> list[Node]:
        """The carried values after the step, in the order of their names."""
        return [self.step.carried[name][1] for name in self.carried]

    @cached_property
    def gradients(self) -> tuple[dict[str, Node], dict[Node, Node]]:
        """The gradients of the step, see `Step.adjoint`."""
        graph, step = self.step.graph, self.step
        read = {
            name: graph.leaf(f"gradient {name}")
            for name in self.recorded
            if step.values[name].kind == "number"
        }
        learning = [graph.leaf(name) for name in self.learning if name not in step.carried]
        return step.adjoint(read, self.final, [*step.inputs.values(), *learning])

    @cached_property
    def learned(self) -> tuple[str, ...]:
        """The names in `learning` that a gradient reaches."""
        earlier, others = self.gradients
        leaf = self.step.graph.leaf
        return tuple(n for n in self.learning if n in earlier or leaf(n) in others)

    @property
    def accumulated(self) -> tuple[str, ...]:
        """The names in `learned` that are not carried: gradients are summed over the steps."""
        return tuple(name for name in self.learned if name not in self.gradients[0])

    @cached_property
    def later(self) -> tuple[str, ...]:
        """The names of the carried values that get a gradient from the step after."""
        return tuple(sorted({*self.gradients[0], *self.final}))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the initial values that the code reads, in the order of its arguments."""
        nodes = self.step.graph.nodes
        leaves = {node.text for node in nodes if node.operation == "leaf"}
        return tuple(
            name
            for name in self.initial
            if name in leaves and (name not in self.step.carried or name in self.carried)
        )
