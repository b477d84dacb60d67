"""C++ of single steps of a recurrent layer, for all neurons of a group of examples.

``templates/recurrent.cpp`` calls these functions step by step, and computes the recurrent input in
between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bioae.trainers.mirror.compiled.cpp import FUNCTIONS, GROUP, LOOP, head, name_of
from bioae.trainers.mirror.compiled.graph import Node
from bioae.trainers.mirror.compiled.plan import SPIKE, Statements

__all__ = ["RecurrentSource"]

_FUNCTION = """\
extern "C" void {name}(const Group& s) {{
  const long M = s.examples * s.size, n = 0;
  const int w = int(s.size);
  const R now = s.now;
  const R* const* par = s.par;
  {shared}
  for (long e = 0; e < s.examples; ++e) {{
    const long j = e * s.size;
    {pointers}
    {loop}
      {body}
    }}
  }}
}}
"""


class RecurrentSource(Statements):
    """The source of the steps of a recurrent layer."""

    def text(self) -> str:
        """Return the source."""
        assert self.plan.gradients  # they add to the graph
        functions = (getattr(self, f"_{name}")() for name in FUNCTIONS)
        return "\n".join([head(self.plan.real), GROUP, *functions])

    def _start(self) -> str:
        values = [f"b{k}[i] = {value};" for k, value in enumerate(self.start())]
        return self._function("start", values)

    def _fire(self) -> str:
        """Return the spikes, if they do not depend on the input of the step."""
        if self.plan.latency:
            return self._function("fire", [])
        return self._function("fire", [self._fired], ends=[self._spike])

    def _step(self) -> str:
        plan = self.plan
        values = [
            f"o{k}[i] = R({name_of(plan.step.values[name])});"
            for k, name in enumerate(plan.recorded)
        ]
        values += [
            f"m{k}[i] += R({name_of(plan.step.values[name])});"
            for k, name in enumerate(plan.summed)
        ]
        pointers = _pointers("R", "o", "s.out", len(plan.recorded))
        pointers += _pointers("R", "m", "s.sums", len(plan.summed))
        values += [self._fired, *self.hand_on()]
        return self._function("step", values, ends=[*plan.ends, self._spike], pointers=pointers)

    def _replay(self) -> str:
        values = [self._fired, *self.hand_on()]
        return self._function("replay", values, ends=[*self.plan.after, self._spike])

    def _arriving(self) -> str:
        """Return the gradients of the input, if spikes do not depend on the input of the step."""
        if self.plan.latency:
            return self._function("arriving", [])
        return self._function("arriving", self._to_input(), ends=self._input_gradients())

    def _backward(self) -> str:
        plan, leaf = self.plan, self.plan.step.graph.leaf
        earlier, others = plan.gradients
        values = self._to_input() if plan.latency else []
        values += [
            f"a{k}[i] += {name_of(others[leaf(name)])};" for k, name in enumerate(plan.accumulated)
        ]
        values += [
            f"l{k}[i] = {name_of(earlier[name]) if name in earlier else 'R(0)'};"
            for k, name in enumerate(plan.later)
        ]
        ends = [*earlier.values(), *(others[leaf(name)] for name in plan.accumulated)]
        ends += self._input_gradients() if plan.latency else []
        return self._function("backward", values, ends=ends)

    @property
    def _spike(self) -> Node:
        return self.plan.step.values[SPIKE]

    @property
    def _fired(self) -> str:
        return f"z[i] = R({name_of(self._spike)});"

    def _input_gradients(self) -> list[Node]:
        others = self.plan.gradients[1]
        return [others[node] for node in self.plan.step.inputs.values() if node in others]

    def _to_input(self) -> list[str]:
        others = self.plan.gradients[1]
        return [
            f"d{k}[i] = {name_of(others[node]) if node in others else 'R(0)'};"
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
        inputs, carried, later = len(plan.step.inputs), len(plan.carried), len(plan.later)
        pointers = [
            *(f"R* b{k} = s.carried + {k} * M + j;" for k in range(carried)),
            *(f"R* l{k} = s.later + {k} * M + j;" for k in range(later)),
            *(f"R* a{k} = s.later + {later + k} * M + j;" for k in range(len(plan.accumulated))),
            "R* z = s.spikes + j;",
            "const R* more = s.more + e * s.padded;",
            *_pointers("const R", "x", "s.in", inputs),
            *pointers,
        ]
        if name in ("arriving", "backward"):
            pointers += _pointers("const R", "r", "s.read", len(plan.recorded))
            pointers += _pointers("const R", "q", "s.every", len(plan.summed))
            pointers += _pointers("R", "d", "s.to", inputs)
        body = [*self.load(ends), *self.compute(ends), *values]
        return _FUNCTION.format(
            name=name,
            shared="\n  ".join(self.shared()),
            pointers="\n    ".join(pointers),
            loop=LOOP,
            body="\n      ".join(body),
        )


def _pointers(kind: str, name: str, source: str, count: int) -> list[str]:
    """Return the declarations of the rows of an example; of no array, of a row of zeros."""
    return [f"{kind}* {name}{k} = {source}[{k}] + j;" for k in range(count)]
