"""Record one step of a population and of its read-out, and its derivative."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bioae.equations.arrays.functions import array_functions
from bioae.trainers.mirror.fused.adjoint import differentiate
from bioae.trainers.mirror.fused.graph import Graph, Kind, Node, Unsupported
from bioae.trainers.mirror.fused.symbols import Symbol, record, symbol
from bioae.trainers.mirror.gradients import ACTIVE, stepper
from bioae.trainers.mirror.neuron import NeuronMirror

__all__ = ["Step", "trace"]

#: What every population starts with, beside the states of its model.
STARTS: Mapping[str, float | bool] = {"_spike": 0.0, "_fired": False, ACTIVE: 1.0}

#: A population, and what its statements name beside what happens in a step.
Population = tuple[NeuronMirror, Mapping[str, Tensor]]


@dataclass(eq=False)
class Step:
    """One time step.

    Attributes
    ----------
    graph
        The operations.
    inputs
        What arrives, by name.
    carried
        What one step hands on to the next: what it is before the step, and after.
    values
        What everything is at the end of the step.
    """

    graph: Graph = field(default_factory=Graph)
    inputs: dict[str, Node] = field(default_factory=dict)
    carried: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)

    def adjoint(
        self, read: Mapping[str, Node], final: Collection[str], learning: Collection[Node]
    ) -> tuple[dict[str, Node], dict[Node, Node]]:
        """Return the gradients of a step.

        Parameters
        ----------
        read
            The gradient of what is read at the end of the step, by name.
        final
            What is read after the last step.
        learning
            The leaves whose gradient is wanted, beside what is carried.

        Returns
        -------
        dict
            What the gradient of the carried values is before the step, by name. What it is after
            the step is a leaf, ``later NAME``.
        dict
            The gradients of the others.
        """
        active = set(final)
        befores = {name: before for name, (before, _) in self.carried.items()}
        while True:
            seeds: dict[Node, Node] = {}
            pairs = [(self.values[name], gradient) for name, gradient in read.items()]
            pairs += [(self.carried[n][1], self.graph.leaf(f"later {n}")) for n in sorted(active)]
            for node, seed in pairs:
                seeds[node] = self.graph.make("add", seeds[node], seed) if node in seeds else seed
            found = differentiate(self.graph, seeds, [*befores.values(), *learning])
            reached = {name for name, before in befores.items() if before in found}
            if reached <= active:
                earlier = {name: found[befores[name]] for name in sorted(reached)}
                return earlier, {leaf: found[leaf] for leaf in learning if leaf in found}
            active |= reached


def trace(populations: Mapping[str, Population], arriving: Collection[str]) -> Step:
    """Record a step of populations that all that arrives reaches alike.

    Parameters
    ----------
    populations
        By the prefix of their names.
    arriving
        The names of what arrives.

    Raises
    ------
    Unsupported
        If something in it is not compiled.
    """
    step = Step()
    graph = step.graph
    step.inputs = {name: graph.leaf(f"input {name}") for name in arriving}
    arrived = {name: Symbol(graph, node) for name, node in step.inputs.items()}
    for prefix, (neuron, given) in populations.items():
        _record(step, prefix, neuron, given, arrived)
    return step


def _record(
    step: Step,
    prefix: str,
    neuron: NeuronMirror,
    given: Mapping[str, Tensor],
    arrived: dict[str, Any],
) -> None:
    graph, program = step.graph, neuron.program
    if program.draws:
        raise Unsupported("random numbers")
    if any(state.shared for state in program.states.values()):
        raise Unsupported("a variable that all neurons share")
    leaves = {
        name: graph.leaf(prefix + name, _kind(tensor))
        for name, tensor in {**given, **STARTS}.items()
        if name != "t"
    }
    values: dict[str, Any] = {name: Symbol(graph, node) for name, node in leaves.items()}
    values["t"] = Symbol(graph, graph.leaf("t"))
    tracing = copy.copy(neuron)
    tracing.__dict__["_stepper"] = stepper(
        program, neuron.backward, {**array_functions(torch, torch.float64), **_functions(graph)}
    )
    tracing.step(values, arrived)
    for name in (*program.states, *STARTS):
        after = symbol(graph, values[name]).node
        step.values[prefix + name] = after
        step.carried[prefix + name] = leaves[name], after


def _kind(value: Tensor | float) -> Kind:
    condition = value.dtype == torch.bool if isinstance(value, Tensor) else value is False
    return "condition" if condition else "number"


def _functions(graph: Graph) -> dict[str, Any]:
    """Return the operations with a gradient of their own, see `gradients.stepper`."""

    def written(condition: Symbol, weight: Symbol, value: Any, old: Symbol) -> Symbol:
        if not old.is_floating_point():
            return record(graph, "where", condition, value, old)
        return record(graph, "written", condition, weight, value, old)

    def guarded(active: Symbol, weight: Symbol, value: Any, old: Symbol) -> Symbol:
        value = symbol(graph, value)
        if value.is_floating_point():
            computed = record(graph, "or", active, record(graph, "isfinite", value))
            value = record(graph, "where", computed, value, old)
        return written(active, weight, value, old)

    def released(active: Symbol, weight: Symbol) -> Symbol:
        return record(graph, "where", active, 1, weight - weight.detach())

    return {
        "straight_through": lambda old, new: record(graph, "through", old, new),
        "written": written,
        "guarded": guarded,
        "released": released,
    }
