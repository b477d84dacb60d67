"""C++ of all steps of a presentation for a block of neurons, forward and backward.

Each block stores the values that its neurons carry from step to step, so that memory is read once
for the input and written once for the recorded values. No intermediate value is stored for the
backward pass: it is recomputed, bit for bit, from the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bioae.arithmetic.brian import cpp_source
from bioae.trainers.mirror.compiled.adjoint import Step
from bioae.trainers.mirror.compiled.cpp import FORMS, HEAD, LOOP, function, kind_of, name_of
from bioae.trainers.mirror.compiled.graph import Node
from bioae.trainers.mirror.gradients import ACTIVE

__all__ = ["STARTS", "Plan"]

#: The initial values of every population, in addition to the states of its model.
STARTS: Mapping[str, float | bool] = {"_spike": 0.0, "_fired": False, ACTIVE: 1.0}


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
    width
        Neurons of a block.
    """

    step: Step
    initial: dict[str, bool]
    recorded: tuple[str, ...]
    final: tuple[str, ...]
    summed: tuple[str, ...]
    learning: tuple[str, ...]
    real: str
    width: int = 256

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

    def text(self) -> str:
        """Return the source."""
        assert self.gradients  # they add to the graph
        head = HEAD.format(
            real=self.real,
            arithmetic=cpp_source("R"),
            width=self.width,
            carried=max(len(self.carried), 1),
        )
        return f"{head}\n{self._forward()}\n{self._backward()}"

    def _forward(self) -> str:
        reached = [self.step.values[name] for name in self.recorded]
        reached += [self.step.carried[name][1] for name in self.carried]
        body = [
            *self._start(),
            *(f"R sum{k}[W] = {{}};" for k in range(len(self.summed))),
            "for (long t = 0; t < s.steps; ++t) {",
            *self._at(),
            *(
                f"R* o{k} = t < s.lead ? waste : out[{k}] + (t - s.lead) * M + j;"
                for k in range(len(self.recorded))
            ),
            LOOP,
            *self._load(reached),
            *self._compute(reached),
            *(f"o{k}[i] = R({name_of(self.step.values[r])});" for k, r in enumerate(self.recorded)),
            *self._hand_on(),
            "}",
            *(
                f"if (t >= s.lead) {{ {LOOP} sum{k}[i] += o{self.recorded.index(name)}[i]; }} }}"
                for k, name in enumerate(self.summed)
            ),
            "}",
        ]
        ends = [f"b{self.carried.index(name)}" for name in self.final]
        ends += [f"sum{k}" for k in range(len(self.summed))]
        for k, end in enumerate(ends, len(self.recorded)):
            body.append(f"{LOOP} out[{k}][j + i] = {end}[i]; }}")
        arguments = "const R* const* in, const R* const* par, const R* times, R* const* out"
        return function("forward", arguments, body)

    def _backward(self) -> str:
        step = self.step
        earlier, others = self.gradients
        inputs = [*step.inputs.values()]
        ends = [*earlier.values(), *others.values()]
        summed = [name for name in self.learned if name not in earlier]
        after = [step.carried[name][1] for name in self.carried]
        later = self.later
        body = [
            "std::vector<R> kept(s.steps * K * W);",
            *self._start(),
            "for (long t = 0; t < s.steps; ++t) {",
            *self._at(),
            "R* keep = kept.data() + t * K * W;",
            LOOP,
            *self._load(after),
            *(f"keep[{k} * W + i] = R(b{k}[i]);" for k in range(len(self.carried))),
            *self._compute(after),
            *self._hand_on(),
            "}",
            "}",
            *(f"R l{k}[W] = {{}};" for k in range(len(later))),
            *(f"R a{k}[W] = {{}};" for k in range(len(summed))),
            *(
                f"if (grad[{k}]) {{ {LOOP} l{later.index(name)}[i] = grad[{k}][j + i]; }} }}"
                for k, name in enumerate(self.final, len(self.recorded))
            ),
            "for (long t = s.steps - 1; t >= 0; --t) {",
            *(
                f"if (s.cut && t + 1 < s.steps && (t + 1) % s.cut == 0) {{ {LOOP} "
                f"l{k}[i] = 0; }} }}"
                for k in range(len(later))
            ),
            *self._at(),
            "const R* keep = kept.data() + t * K * W;",
            *(
                f"const R* r{k} = t < s.lead || !grad[{k}] ? nothing : "
                f"grad[{k}] + (t - s.lead) * M + j;"
                for k in range(len(self.recorded))
            ),
            *(
                f"const R* q{k} = t < s.lead || !grad[{place}] ? nothing : grad[{place}] + j;"
                for k, place in enumerate(range(len(self.recorded + self.final), self.outputs))
            ),
            *(
                f"R* d{k} = there && to[{k}] ? to[{k}] + since * M + j : waste; "
                f"const R* e{k} = s.held ? d{k} : nothing;"
                for k in range(len(inputs))
            ),
            LOOP,
            *self._load(ends, stored=True),
            *self._compute(ends),
            *(
                f"d{k}[i] = e{k}[i] + {name_of(others[node]) if node in others else 'R(0)'};"
                for k, node in enumerate(inputs)
            ),
            *(
                f"a{k}[i] += {name_of(others[step.graph.leaf(name)])};"
                for k, name in enumerate(summed)
            ),
            *(
                f"l{k}[i] = {name_of(earlier[name]) if name in earlier else 'R(0)'};"
                for k, name in enumerate(later)
            ),
            "}",
            "}",
        ]
        for k, name in enumerate(self.learned, len(inputs)):
            known = name in summed
            variable = f"a{summed.index(name)}" if known else f"l{later.index(name)}"
            body.append(f"{LOOP} to[{k}][j + i] = {variable}[i]; }}")
        arguments = (
            "const R* const* in, const R* const* par, const R* times, const R* const* grad, "
            "R* const* to"
        )
        return function("backward", arguments, body)

    def _start(self) -> list[str]:
        lines = []
        for k, name in enumerate(self.carried):
            plain = name.rpartition(" ")[2]
            start = f"R({float(STARTS[plain])!r})" if plain in STARTS else self._initial_value(name)
            lines.append(f"R b{k}[W]; {LOOP} b{k}[i] = {start}; }}")
        return lines

    def _initial_value(self, name: str) -> str:
        place = self.parameters.index(name)
        return f"par[{place}][n + i]" if self.initial[name] else f"par[{place}][0]"

    def _at(self) -> list[str]:
        """Return the values of a step that all neurons share."""
        return [
            "const R now = times[t];",
            "const bool there = t >= s.delay && t - s.delay < s.sent;",
            "const long since = s.held ? 0 : t - s.delay;",
            *(
                f"const R* x{k} = there ? in[{k}] + since * M + j : nothing;"
                for k in range(len(self.step.inputs))
            ),
            *(
                f"const R p{k} = par[{k}][0];"
                for k, name in enumerate(self.parameters)
                if not self.initial[name]
            ),
        ]

    def _load(self, ends: Iterable[Node], *, stored: bool = False) -> list[str]:
        """Return the declarations of leaves; carried values are the stored or the current ones."""
        befores = {self.step.carried[name][0]: k for k, name in enumerate(self.carried)}
        inputs = {node: k for k, node in enumerate(self.step.inputs.values())}
        lines = []
        for node in self.step.graph.reached(ends):
            if node.operation != "leaf":
                continue
            if node in befores:
                value = f"keep[{befores[node]} * W + i]" if stored else f"b{befores[node]}[i]"
            elif node in inputs:
                value = f"x{inputs[node]}[i]"
            elif node.text == "t":
                value = "now"
            elif node.text.startswith("timed "):
                row = 1 + self.step.timed.index(node.text.removeprefix("timed "))
                value = f"times[{row} * s.steps + t]"
            elif node.text.startswith("gradient "):
                name = node.text.removeprefix("gradient ")
                value = f"r{self.recorded.index(name)}[i]"
                value += f" + q{self.summed.index(name)}[i]" if name in self.summed else ""
            elif node.text.startswith("later "):
                value = f"l{self.later.index(node.text.removeprefix('later '))}[i]"
            else:
                place = self.parameters.index(node.text)
                value = f"par[{place}][n + i]" if self.initial[node.text] else f"p{place}"
            value = f"{value} != 0" if node.kind == "condition" else value
            lines.append(f"const {kind_of(node)} {name_of(node)} = {value};")
        return lines

    def _compute(self, ends: Iterable[Node]) -> list[str]:
        lines = []
        for node in self.step.graph.reached(ends):
            if node.operation in ("leaf", "literal"):
                continue
            value = FORMS[node.operation].format(*map(name_of, node.arguments))
            lines.append(f"const {kind_of(node)} {name_of(node)} = {value};")
        return lines

    def _hand_on(self) -> list[str]:
        afters = [self.step.carried[name][1] for name in self.carried]
        return [f"b{k}[i] = R({name_of(node)});" for k, node in enumerate(afters)]
