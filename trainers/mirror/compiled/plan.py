"""The contents of a compiled kernel, and the C++ of its statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bioae.trainers.mirror.compiled.adjoint import Step
from bioae.trainers.mirror.compiled.cpp import FORMS, kind_of, name_of
from bioae.trainers.mirror.compiled.graph import Node
from bioae.trainers.mirror.gradients import ACTIVE

__all__ = ["SPIKE", "STARTS", "SUM", "Plan", "Statements", "Timeline"]

#: The name of a population's spikes.
SPIKE = "_spike"

#: The initial values of every population, in addition to the states of its model.
STARTS: Mapping[str, float | bool] = {SPIKE: 0.0, "_fired": False, ACTIVE: 1.0}


#: The prefix of the names of sums over time.
SUM = "sum of "


class Timeline(NamedTuple):
    """The timing of a population's steps and input.

    Attributes
    ----------
    steps
        Steps of a period.
    lead_in
        The number of first steps that are not recorded.
    sent
        The number of steps with input.
    delay
        The delay of the input in steps.
    cut
        The number of steps after which states are detached, see `Backward.truncate`; 0: never.
    held
        Whether the input is the same in all steps, and is stored once.
    """

    steps: int
    lead_in: int
    sent: int
    delay: int
    cut: int
    held: bool = False


@dataclass(frozen=True, eq=False)
class Plan:
    """The contents of a compiled kernel.

    Attributes
    ----------
    step
        One step.
    initial
        The values before the first step, by name: whether each neuron has its own.
    recorded, final, summed
        The names recorded at the end of each step, and after the last step only; and those of
        `recorded` that are summed over the steps too.
    learning
        The initial values that get a gradient.
    real
        The type of numbers in C++.
    latency
        For a recurrent layer, the steps from a spike to its arrival without a delay: 0 if neurons
        fire before the input of a step arrives, else 1. None: the layer is not recurrent.
    """

    step: Step
    initial: dict[str, bool]
    recorded: tuple[str, ...]
    final: tuple[str, ...]
    summed: tuple[str, ...]
    learning: tuple[str, ...]
    real: str
    latency: int | None = None

    @cached_property
    def carried(self) -> tuple[str, ...]:
        """The values carried from step to step that the recorded values depend on."""
        step = self.step
        carried: set[str] = set()
        ends = [step.values[name] for name in self.recorded]
        ends += [step.carried[name][1] for name in self.final]
        while True:
            reached = set(step.graph.reached(ends))
            now = {name for name, (before, _) in step.carried.items() if before in reached}
            now |= set(self.final)
            if now <= carried:
                return tuple(sorted(carried))
            carried |= now
            ends += [step.carried[name][1] for name in now]

    @property
    def after(self) -> list[Node]:
        """The carried values after the step, in the order of their names."""
        return [self.step.carried[name][1] for name in self.carried]

    @property
    def ends(self) -> list[Node]:
        """The recorded values, and the carried values after the step."""
        return [*(self.step.values[name] for name in self.recorded), *self.after]

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

    @property
    def outputs(self) -> int:
        """The number of output arrays: `recorded`, `final` and `summed`."""
        return len(self.recorded) + len(self.final) + len(self.summed)

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


class Statements:
    """C++ of the statements of a plan's step, within a loop over neurons ``i``.

    The arrays have one-letter names with a number: carried values ``b``, input ``x``, gradients of
    recorded values ``r`` and of sums ``q``, gradients from the later step ``l``; ``p`` are initial
    values that all neurons share, ``par`` the others. ``more`` is the gradient of the spikes
    through recurrent connections.

    Parameters
    ----------
    plan
        The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def start(self) -> list[str]:
        """Return the initial values of the carried values."""
        lines = []
        for name in self.plan.carried:
            plain = name.rpartition(" ")[2]
            start = f"R({float(STARTS[plain])!r})" if plain in STARTS else self._initial_value(name)
            lines.append(start)
        return lines

    def shared(self) -> list[str]:
        """Return the declarations of the initial values that all neurons share."""
        return [
            f"const R p{k} = par[{k}][0];"
            for k, name in enumerate(self.plan.parameters)
            if not self.plan.initial[name]
        ]

    def _initial_value(self, name: str) -> str:
        place = self.plan.parameters.index(name)
        return f"par[{place}][n + i]" if self.plan.initial[name] else f"par[{place}][0]"

    def load(self, ends: Iterable[Node], *, stored: bool = False) -> list[str]:
        """Return the declarations of leaves; carried values are the stored or the current ones."""
        plan = self.plan
        befores = {plan.step.carried[name][0]: k for k, name in enumerate(plan.carried)}
        inputs = {node: k for k, node in enumerate(plan.step.inputs.values())}
        lines = []
        for node in plan.step.graph.reached(ends):
            if node.operation != "leaf":
                continue
            if node in befores:
                value = f"keep[{befores[node]} * W + i]" if stored else f"b{befores[node]}[i]"
            elif node in inputs:
                value = f"x{inputs[node]}[i]"
            elif node.text == "t":
                value = "now"
            elif node.text.startswith("timed "):
                row = 1 + plan.step.timed.index(node.text.removeprefix("timed "))
                value = f"times[{row} * s.steps + t]"
            elif node.text.startswith("gradient "):
                value = self._read(node.text.removeprefix("gradient "))
            elif node.text.startswith("later "):
                value = f"l{plan.later.index(node.text.removeprefix('later '))}[i]"
            else:
                place = plan.parameters.index(node.text)
                value = f"par[{place}][n + i]" if plan.initial[node.text] else f"p{place}"
            value = f"{value} != 0" if node.kind == "condition" else value
            lines.append(f"const {kind_of(node)} {name_of(node)} = {value};")
        return lines

    def _read(self, name: str) -> str:
        """Return the gradient of a recorded value."""
        plan = self.plan
        value = f"r{plan.recorded.index(name)}[i]"
        value += f" + q{plan.summed.index(name)}[i]" if name in plan.summed else ""
        return f"{value} + more[i]" if name == SPIKE and plan.latency is not None else value

    def compute(self, ends: Iterable[Node]) -> list[str]:
        """Return the declarations of the values that are computed from leaves."""
        lines = []
        for node in self.plan.step.graph.reached(ends):
            if node.operation in ("leaf", "literal"):
                continue
            value = FORMS[node.operation].format(*map(name_of, node.arguments))
            lines.append(f"const {kind_of(node)} {name_of(node)} = {value};")
        return lines

    def hand_on(self) -> list[str]:
        """Return the assignments of the carried values after the step."""
        return [f"b{k}[i] = R({name_of(node)});" for k, node in enumerate(self.plan.after)]
