"""C++ of single steps of a layer, for a block of neurons of some examples.

``templates/layer.cpp`` calls these functions step by step, and computes the recurrent input in
between. Memory is read once for the input and written once for the recorded values. Of the forward
pass nothing but the input is stored: the values that neurons carry from step to step are computed
again before the backward pass, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import Template

from bioae.trainers.mirror.compiled.build import template
from bioae.trainers.mirror.compiled.cpp import FUNCTIONS, declared, head, name_of
from bioae.trainers.mirror.compiled.graph import Node
from bioae.trainers.mirror.compiled.plan import SPIKE, Plan


class Source:
    """The source of the steps of a layer.

    Within a loop over neurons ``i``, arrays have one-letter names with a number: carried values
    ``b``, input ``x``, its gradient ``d`` and what was added to it before ``e``, gradients of
    recorded values ``r`` and of sums ``q``, gradients from the later step ``l``, those that are
    summed over the steps ``a``, recorded values ``o`` and their sums ``m``; ``p`` are initial
    values that all neurons share, ``par`` the others. In recurrent layers ``z`` are the spikes, and
    ``more`` is their gradient through recurrent connections.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._recurrent = plan.latency is not None

    def text(self) -> str:
        """Return the source."""
        assert self.plan.gradients  # they add to the graph
        functions = (getattr(self, f"_{name}")() for name in FUNCTIONS)
        return "\n".join([head(self.plan.real), template(__package__, "group.cpp"), *functions])

    def _start(self) -> str:
        values, starts = [], self.plan.step.starts
        for k, name in enumerate(self.plan.carried):
            start = f"R({float(starts[name])!r})" if name in starts else self._initial(name)
            values.append(f"b{k}[i] = {start};")
        return self._function("start", values)

    def _fire(self) -> str:
        """Return the spikes, if they do not depend on the input of the step."""
        if self.plan.latency != 0:
            return self._function("fire", [])
        return self._function("fire", self._fired, ends=[self._spike])

    def _step(self) -> str:
        plan = self.plan
        recorded = [plan.step.values[name] for name in plan.recorded]
        values = [f"o{k}[i] = R({name_of(node)});" for k, node in enumerate(recorded)]
        values += [
            f"m{k}[i] += R({name_of(plan.step.values[name])});"
            for k, name in enumerate(plan.summed)
        ]
        pointers = _pointers("R", "o", "s.out", len(plan.recorded))
        pointers += _pointers("R", "m", "s.sums", len(plan.summed))
        return self._advance("step", recorded, values, pointers)

    def _replay(self) -> str:
        return self._advance("replay")

    def _advance(
        self,
        name: str,
        ends: Sequence[Node] = (),
        values: Sequence[str] = (),
        pointers: Sequence[str] = (),
    ) -> str:
        """Return the assignments of the carried values after the step, and of the spikes."""
        after = self.plan.after
        values = [*values, *(self._fired if self._recurrent else [])]
        values += [f"b{k}[i] = R({name_of(node)});" for k, node in enumerate(after)]
        spike = [self._spike] if self._recurrent else []
        return self._function(name, values, ends=[*ends, *after, *spike], pointers=pointers)

    def _arriving(self) -> str:
        """Return the gradients of the input, if spikes do not depend on the input of the step."""
        if self.plan.latency != 0:
            return self._function("arriving", [])
        return self._function("arriving", self._to_input(), ends=self._input_gradients())

    def _backward(self) -> str:
        plan, leaf = self.plan, self.plan.step.graph.leaf
        earlier, others = plan.gradients
        summed = [others[leaf(name)] for name in plan.accumulated]
        values = self._to_input() if plan.latency != 0 else []
        values += [f"a{k}[i] += {name_of(node)};" for k, node in enumerate(summed)]
        values += [
            f"l{k}[i] = {name_of(earlier[name]) if name in earlier else 'R(0)'};"
            for k, name in enumerate(plan.later)
        ]
        ends = [*earlier.values(), *summed]
        ends += self._input_gradients() if plan.latency != 0 else []
        return self._function("backward", values, ends=ends)

    @property
    def _spike(self) -> Node:
        return self.plan.step.values[SPIKE]

    @property
    def _fired(self) -> list[str]:
        return [f"z[i] = R({name_of(self._spike)});"]

    def _input_gradients(self) -> list[Node]:
        others = self.plan.gradients[1]
        return [others[node] for node in self.plan.step.inputs.values() if node in others]

    def _to_input(self) -> list[str]:
        others = self.plan.gradients[1]
        # Held input gets the sum of the gradients of all steps.
        return [
            f"d{k}[i] = {'' if self._recurrent else f'e{k}[i] + '}"
            f"{name_of(others[node]) if node in others else 'R(0)'};"
            for k, node in enumerate(self.plan.step.inputs.values())
        ]

    def _function(
        self,
        name: str,
        values: Sequence[str],
        *,
        ends: Iterable[Node] = (),
        pointers: Sequence[str] = (),
    ) -> str:
        plan, ends = self.plan, [*ends]
        inputs, later = len(plan.step.inputs), len(plan.later)
        pointers = [
            *(f"R* b{k} = s.carried + {k} * M + j;" for k in range(len(plan.carried))),
            *(f"R* l{k} = s.later + {k} * M + j;" for k in range(later)),
            *(f"R* a{k} = s.later + {later + k} * M + j;" for k in range(len(plan.accumulated))),
            *_pointers("const R", "x", "s.in", inputs),
            *pointers,
        ]
        if self._recurrent:
            pointers += ["R* z = s.spikes + j;", "const R* more = s.more + e * s.padded;"]
        if name in ("arriving", "backward"):
            pointers += _pointers("const R", "r", "s.read", len(plan.recorded))
            pointers += _pointers("const R", "q", "s.every", len(plan.summed))
            pointers += _pointers("R", "d", "s.to", inputs)
            pointers += _pointers("const R", "e", "s.before", 0 if self._recurrent else inputs)
        reached = plan.step.graph.reached(ends)
        return Template(template(__package__, "step.cpp")).substitute(
            name=name,
            shared="\n  ".join(
                f"const R p{k} = par[{k}][0];"
                for k, parameter in enumerate(plan.parameters)
                if not plan.initial[parameter]
            ),
            pointers="\n    ".join(pointers),
            body="\n      ".join([*(declared(node, self._leaf) for node in reached), *values]),
        )

    def _leaf(self, node: Node) -> str:
        return self._read(node) + (" != 0" if node.kind == "condition" else "")

    def _read(self, node: Node) -> str:
        plan = self.plan
        for k, name in enumerate(plan.carried):
            if plan.step.carried[name][0] is node:
                return f"b{k}[i]"
        inputs = [*plan.step.inputs.values()]
        if node in inputs:
            return f"x{inputs.index(node)}[i]"
        match node.text.split(" ", 1):
            case ["t"]:
                return "now"
            case ["timed", name]:
                return f"s.time[{1 + plan.step.timed.index(name)} * s.steps]"
            case ["gradient", name]:
                return self._gradient(name)
            case ["later", name]:
                return f"l{plan.later.index(name)}[i]"
        return self._initial(node.text)

    def _initial(self, name: str) -> str:
        place = self.plan.parameters.index(name)
        return f"par[{place}][n + i]" if self.plan.initial[name] else f"p{place}"

    def _gradient(self, name: str) -> str:
        """Return the gradient of a recorded value."""
        plan = self.plan
        value = f"r{plan.recorded.index(name)}[i]"
        value += f" + q{plan.summed.index(name)}[i]" if name in plan.summed else ""
        return f"{value} + more[i]" if name == SPIKE and self._recurrent else value


def _pointers(kind: str, name: str, source: str, count: int) -> list[str]:
    """Return the declarations of the rows of an example; of no array, of a row of zeros."""
    return [f"{kind}* {name}{k} = {source}[{k}] + j;" for k in range(count)]
