"""C++ of the statements of a step, within a loop over neurons ``i``."""

from __future__ import annotations

from collections.abc import Iterable

from bioae.trainers.mirror.compiled.cpp import FORMS, kind_of, name_of
from bioae.trainers.mirror.compiled.graph import Node
from bioae.trainers.mirror.compiled.plan import SPIKE, STARTS, Plan

__all__ = ["Statements"]


class Statements:
    """The statements of a plan's step.

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
