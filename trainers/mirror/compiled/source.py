"""C++ of all steps of a presentation for a block of neurons, forward and backward.

Each block stores the values that its neurons carry from step to step, so that memory is read once
for the input and written once for the recorded values. No intermediate value is stored for the
backward pass: it is recomputed, bit for bit, from the input.
"""

from __future__ import annotations

from bioae.trainers.mirror.compiled.cpp import LOOP, function, head, name_of, sizes
from bioae.trainers.mirror.compiled.plan import Statements

__all__ = ["Source"]

#: Neurons of a block.
_WIDTH = 256


class Source(Statements):
    """The source of a layer whose neurons do not interact."""

    def text(self) -> str:
        """Return the source."""
        assert self.plan.gradients  # they add to the graph
        beginning = head(self.plan.real), sizes(_WIDTH, len(self.plan.carried))
        return "\n".join([*beginning, self._forward(), self._backward()])

    def _forward(self) -> str:
        plan = self.plan
        reached = plan.ends
        body = [
            *self._start(),
            *(f"R sum{k}[W] = {{}};" for k in range(len(plan.summed))),
            "for (long t = 0; t < s.steps; ++t) {",
            *self._at(),
            *(
                f"R* o{k} = t < s.lead ? waste : out[{k}] + (t - s.lead) * M + j;"
                for k in range(len(plan.recorded))
            ),
            LOOP,
            *self.load(reached),
            *self.compute(reached),
            *(f"o{k}[i] = R({name_of(plan.step.values[r])});" for k, r in enumerate(plan.recorded)),
            *self.hand_on(),
            "}",
            *(
                f"if (t >= s.lead) {{ {LOOP} sum{k}[i] += o{plan.recorded.index(name)}[i]; }} }}"
                for k, name in enumerate(plan.summed)
            ),
            "}",
        ]
        ends = [f"b{plan.carried.index(name)}" for name in plan.final]
        ends += [f"sum{k}" for k in range(len(plan.summed))]
        for k, end in enumerate(ends, len(plan.recorded)):
            body.append(f"{LOOP} out[{k}][j + i] = {end}[i]; }}")
        arguments = "const R* const* in, const R* const* par, const R* times, R* const* out"
        return function("forward", arguments, body)

    def _backward(self) -> str:
        plan, step = self.plan, self.plan.step
        earlier, others = plan.gradients
        inputs = [*step.inputs.values()]
        ends = [*earlier.values(), *others.values()]
        summed = plan.accumulated
        after = plan.after
        later = plan.later
        body = [
            "std::vector<R> kept(s.steps * K * W);",
            *self._start(),
            "for (long t = 0; t < s.steps; ++t) {",
            *self._at(),
            "R* keep = kept.data() + t * K * W;",
            LOOP,
            *self.load(after),
            *(f"keep[{k} * W + i] = R(b{k}[i]);" for k in range(len(plan.carried))),
            *self.compute(after),
            *self.hand_on(),
            "}",
            "}",
            *(f"R l{k}[W] = {{}};" for k in range(len(later))),
            *(f"R a{k}[W] = {{}};" for k in range(len(summed))),
            *(
                f"if (grad[{k}]) {{ {LOOP} l{later.index(name)}[i] = grad[{k}][j + i]; }} }}"
                for k, name in enumerate(plan.final, len(plan.recorded))
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
                for k in range(len(plan.recorded))
            ),
            *(
                f"const R* q{k} = t < s.lead || !grad[{place}] ? nothing : grad[{place}] + j;"
                for k, place in enumerate(range(len(plan.recorded + plan.final), plan.outputs))
            ),
            *(
                f"R* d{k} = there && to[{k}] ? to[{k}] + since * M + j : waste; "
                f"const R* e{k} = s.held ? d{k} : nothing;"
                for k in range(len(inputs))
            ),
            LOOP,
            *self.load(ends, stored=True),
            *self.compute(ends),
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
        for k, name in enumerate(plan.learned, len(inputs)):
            known = name in summed
            variable = f"a{summed.index(name)}" if known else f"l{later.index(name)}"
            body.append(f"{LOOP} to[{k}][j + i] = {variable}[i]; }}")
        arguments = (
            "const R* const* in, const R* const* par, const R* times, const R* const* grad, "
            "R* const* to"
        )
        return function("backward", arguments, body)

    def _at(self) -> list[str]:
        """Return the values of a step that all neurons share."""
        return [
            "const R now = times[t];",
            "const bool there = t >= s.delay && t - s.delay < s.sent;",
            "const long since = s.held ? 0 : t - s.delay;",
            *(
                f"const R* x{k} = there ? in[{k}] + since * M + j : nothing;"
                for k in range(len(self.plan.step.inputs))
            ),
            *self.shared(),
        ]

    def _start(self) -> list[str]:
        return [f"R b{k}[W]; {LOOP} b{k}[i] = {value}; }}" for k, value in enumerate(self.start())]
