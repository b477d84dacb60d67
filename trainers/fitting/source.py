"""C++ of the steps of a neuron that a recording drives, with its losses and sensitivities.

The mirror's own statements are recorded on symbols and differentiated forwards: with each value go
its derivatives with respect to the free parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

from torch import Tensor

from bioae.equations.driven import SIGNAL
from bioae.equations.program import INPUT
from bioae.trainers.fitting.terms import CORRECTION, COUPLING, GAIN, LATENCY, OFFSET, SCALE, WIDTH
from bioae.trainers.mirror.compiled.adjoint import Step, Tangents
from bioae.trainers.mirror.compiled.build import template
from bioae.trainers.mirror.compiled.cpp import FORMS, declared, head, name_of
from bioae.trainers.mirror.compiled.graph import Graph, Node, Symbol, symbol
from bioae.trainers.mirror.compiled.layer import Symbols
from bioae.trainers.mirror.compiled.plan import STARTS
from bioae.trainers.mirror.compiled.unsupported import Unsupported
from bioae.trainers.mirror.neuron import NeuronMirror

#: Lanes of a block: a vector of the processor.
_WIDTH = 8

#: The distance above threshold, in units of its scale, at which a teacher-forced neuron that does
#: not fire is held: from there its equations may run away.
_HELD = 3.0

_QUICK = {"exp": "quick_exp({})", "tanh": "quick_tanh({})"}


@dataclass(frozen=True, eq=False)
class Request:
    """The contents of a kernel."""

    #: The free parameters; none: the neuron runs freely, and spikes and potential are
    #: recorded.
    parameters: tuple[str, ...]
    #: The pairs of a value and a free parameter that it depends on.
    dependent: frozenset[tuple[str, str]]
    #: Whether spikes and potential are compared with a recording.
    spikes: bool
    voltage: bool
    potential: str
    #: Whether gain and offset, and a latency, apply to the input.
    scaled: bool = False
    late: bool = False


class DrivenSource:
    """The source of a driven neuron's steps.

    `neuron`: the mirror of the driven model; its resets are detached: they happen at recorded
    spikes; `initial`: its parameters, constants and initial states, see `NeuronMirror.constants`.

    `names`: the values that it reads, in order: of `initial`, and of this module; `seeds`: the
    pairs of a value and a free parameter whose derivatives it reads, in order.
    """

    def __init__(
        self, neuron: NeuronMirror, initial: Mapping[str, Tensor], request: Request
    ) -> None:
        self.request = request
        self._graph = Graph()
        self._step = Step(self._graph)
        self._trace(neuron, initial)
        self._sensitivities()
        self.text = self._source()

    def _trace(self, neuron: NeuronMirror, initial: Mapping[str, Tensor]) -> None:
        """Record a step, at whose start the potential is compared, and at its threshold spikes."""
        graph, request, step = self._graph, self.request, self._step
        if neuron.program.draws:
            raise Unsupported("a model with noise")
        for name in neuron.program.timed:
            if name != SIGNAL:
                raise Unsupported(f"the timed array {name!r} besides the recording")
        leaf = self._leaf
        recorded = leaf("recording signal")
        signal = leaf(OFFSET) + leaf(GAIN) * recorded if request.scaled else recorded
        symbols = Symbols(step, neuron, initial, lookup=lambda _: signal)
        values = symbols.values
        potential = values[request.potential]
        self._residual = self._logit = None
        if request.voltage:
            data = Symbol(graph, graph.leaf("recording voltage"))
            known = graph.leaf("recording known", "condition")
            error = graph.make("where", known, (potential - data).node, graph.literal(0.0))
            counts = graph.make(
                "where", graph.leaf("recording compared", "condition"), error, graph.literal(0.0)
            )
            residual = leaf(SCALE) * Symbol(graph, counts)
            pull = leaf(COUPLING) * Symbol(graph, error)
            # Kalman's gain; the variance has grown since the last sample.
            gain, own = leaf(CORRECTION), 1.0 - leaf(COUPLING)
            grown = leaf("recording gap") * gain * gain
            correction = (gain + grown) / (1.0 + grown) * Symbol(graph, counts)
            self._residual = (residual / (1.0 + grown) ** 0.5).node
            values[request.potential] = potential - pull - own * correction
        arrived = {} if neuron.program.timed else {INPUT: signal}
        forced = Symbol(graph, graph.leaf("recording spike", "condition"))
        self._ready: Node | None = None

        def at_threshold(now: dict[str, Any]) -> None:
            x = symbol(graph, symbols.neuron.excess(now))
            bounded = graph.make("where", (x < 0.0).node, x.node, graph.make("tanh", x.node))
            self._logit = (Symbol(graph, bounded) / leaf(WIDTH) + leaf("logit shift")).node
            self._above = (x > _HELD).node
            if neuron.program.refractory:
                self._ready = symbol(graph, now["not_refractory"]).node

        teaching = request.spikes
        symbols.neuron.step(
            values, arrived,  # type: ignore[arg-type]
            at_threshold=at_threshold if teaching else None,
            fired=forced if teaching else None,  # type: ignore[arg-type]
        )  # fmt: skip
        symbols.carry()
        if teaching and neuron.program.reset:
            quiet = graph.make("not", forced.node, kind="condition")
            held = graph.make("and", self._above, quiet, kind="condition")
            for name, (before, after) in step.carried.items():
                kept = graph.make("where", held, before, after, kind=before.kind)
                step.carried[name] = before, kept

    def _leaf(self, name: str) -> Symbol:
        return Symbol(self._graph, self._graph.leaf(name))

    def _sensitivities(self) -> None:
        """Differentiate the step with respect to each free parameter."""
        graph, step, request = self._graph, self._step, self.request
        ends = [node for node in (self._residual, self._logit) if node is not None]
        carried = {n: pair for n, pair in step.carried.items() if pair[0].kind == "number"}
        self._tangents: dict[str, dict[str, tuple[Node, Node | None]]] = {}
        self._slopes: dict[str, list[Node | None]] = {}
        for name in request.parameters:
            leaves = {leaf for leaf, parameter in request.dependent if parameter == name}
            seeds = {
                graph.leaf(leaf): graph.leaf(_seed(leaf, name))
                for leaf in leaves - step.carried.keys()
            }
            if name == LATENCY:
                seeds[graph.leaf("recording signal")] = graph.make(
                    "mul", graph.leaf("recording slope"), seeds[graph.leaf(LATENCY)]
                )
            active = leaves & carried.keys()
            while True:
                before = {n: graph.leaf(f"tangent {name} {n}") for n in sorted(active)}
                tangents = Tangents(graph, seeds | {carried[n][0]: t for n, t in before.items()})
                after = dict(zip(carried, tangents(p[1] for p in carried.values()), strict=True))
                reached = {n for n, tangent in after.items() if tangent is not None}
                if reached <= active:
                    break
                active |= reached
            self._tangents[name] = {n: (before[n], after[n]) for n in sorted(active)}
            self._slopes[name] = tangents(ends)

    def _source(self) -> str:
        """Return the C++ and set the order of its arguments."""
        step, request = self._step, self.request
        needed = self._needed()
        carried = {n: pair for n, pair in step.carried.items() if n in needed}
        tangents = {
            (parameter, name): pair
            for parameter, each in self._tangents.items()
            for name, pair in each.items()
            if name in carried
        }
        self._ends: list[Node] = []
        updates = {f"b{k}": self._end(after) for k, (_, after) in enumerate(carried.values())}
        updates |= {f"t{k}": self._end(after) for k, (_, after) in enumerate(tangents.values())}
        read, losses = self._read(), self._losses()
        reached = self._graph.reached(self._ends)
        leaves = {node.text: node for node in reached if node.operation == "leaf"}
        fixed = [n for n in leaves if n not in carried and not _of_step(n)]
        self.names = [*(n for n in carried if n not in STARTS), *fixed]
        self.seeds = sorted(
            (leaf, parameter)
            for leaf, parameter in request.dependent
            if _seed(leaf, parameter) in leaves or (parameter, leaf) in tangents
        )
        local = _Locals()
        for k, (name, (before, _)) in enumerate(carried.items()):
            start = f"R({float(STARTS[name])!r})" if name in STARTS else self._value(name)
            local.add(f"b{k}", start, before)
        for k, ((parameter, name), (before, _)) in enumerate(tangents.items()):
            known = (name, parameter) in self.seeds
            local.add(f"t{k}", self._slope(name, parameter) if known else "R(0)", before)
        for k, name in enumerate(fixed):
            local.add(f"p{k}", self._value(name), leaves[name])
        for k, pair in enumerate(pair for pair in self.seeds if _seed(*pair) in leaves):
            local.add(f"q{k}", self._slope(*pair), leaves[_seed(*pair)])
        sums, end = self._outputs()
        interval = [
            f"if (part > 0) {name[1:]}[i] += part * {name}[i]; {name}[i] = R(0);"
            for name in sums if name.startswith(("ig", "if"))
        ]  # fmt: skip
        for name in sums:
            local.add(name, "R(0)")
        forms = {**FORMS, **(_QUICK if request.parameters else {})}
        values = filter(None, (declared(node, local.read, forms) for node in reached))
        after = [f"{name}[i] = R({value});" for name, value in updates.items()]
        text = Template(template(__package__, "run.cpp")).safe_substitute(
            read, width=_WIDTH, arrays=", ".join(local.arrays), start="\n      ".join(local.start),
            values="\n        ".join(values), sums="\n        ".join([*losses, *after]),
            end="\n      ".join(end), interval=" ".join(interval),
        )  # fmt: skip
        given = {
            "LATE": request.late, "VOLTAGE": request.voltage, "SPIKES": request.spikes,
            "LOSSES": bool(request.parameters),
        }  # fmt: skip
        macros = (f"#define {name} {int(each)}" for name, each in given.items())
        return "\n".join([head("double"), *macros, template(__package__, "driven.cpp"), text])

    def _value(self, name: str) -> str:
        return f"s.par[{self.names.index(name)} * sets + set[i]]"

    def _slope(self, name: str, parameter: str) -> str:
        return f"s.seed[{self.seeds.index((name, parameter))} * sets + set[i]]"

    def _needed(self) -> set[str]:
        """Return the carried values that the outputs depend on."""
        ends = [n for n in (self._residual, self._logit, self._ready) if n is not None]
        if not self.request.parameters:
            ends = [self._step.values["_fired"], self._step.carried[self.request.potential][0]]
        return self._step.needed(ends)

    def _end(self, node: Node | None) -> str:
        """Return the name of a node's value, which is computed in each step; None: 0."""
        if node is None:
            return "R(0)"
        self._ends.append(node)
        return name_of(node)

    def _losses(self) -> list[str]:
        """Return the statements that add a step's slopes to the sums."""
        lines, count = [], len(self.request.parameters)
        pairs = [(p, q) for p in range(count) for q in range(p + 1)]
        kinds = [k for k, node in (("v", self._residual), ("s", self._logit)) if node is not None]
        for place, kind in enumerate(kinds):
            own = "i" if kind == "s" else ""  # of an interval between spikes, see run.cpp
            slopes = [each[place] for each in self._slopes.values()]
            names = [None if slope is None else self._end(slope) for slope in slopes]
            for p, name in enumerate(names):
                if name is not None:
                    lines.append(f"{own}g{p}[i] += g{kind} * {name};")
                    lines.append(f"const R x{kind}{p} = h{kind} * {name};")
            for k, (p, q) in enumerate(pairs):
                if names[p] is not None and names[q] is not None:
                    lines.append(f"{own}f{k}[i] += x{kind}{p} * {names[q]};")
        return lines

    def _read(self) -> dict[str, str]:
        """Return the values that the sums, or the records, of a step read, by their names there."""
        if self.request.parameters:
            ends = {"residual": self._residual, "logit": self._logit, "ready": self._ready}
        else:
            before, _ = self._step.carried[self.request.potential]
            ends = {"potential": before, "fired": self._step.values["_fired"]}
        names = {"ready": "true"}
        return names | {n: self._end(node) for n, node in ends.items() if node is not None}

    def _outputs(self) -> tuple[list[str], list[str]]:
        """Return the names of sums, and the statements that write them."""
        count = len(self.request.parameters)
        if not count:
            return [], []
        pairs = count * (count + 1) // 2
        losses = ["ls", "lv", "lr", "lc", "lw", "le"]
        slopes = [*(f"g{p}" for p in range(count)), *(f"f{k}" for k in range(pairs))]
        end = [f"s.loss[{k} * s.lanes + lane] = {n}[i];" for k, n in enumerate(losses)]
        end += [f"s.gradient[lane * {count} + {p}] = g{p}[i];" for p in range(count)]
        end += [f"s.information[lane * {pairs} + {k}] = f{k}[i];" for k in range(pairs)]
        if self.request.spikes:
            losses += ["li", "before"]
            slopes += [f"i{name}" for name in slopes]
        return [*losses, *slopes], end


_OF_STEP = {
    "t": "now", "recording signal": "signal", "recording slope": "signal_slope",
    "recording voltage": "data", "recording known": "known", "recording compared": "compared",
    "recording spike": "forced", "recording gap": "s.gap[at]", "logit shift": "s.logit_shift",
}  # fmt: skip


def _of_step(name: str) -> bool:
    return name in _OF_STEP or name.startswith(("seed ", "tangent "))


def _seed(leaf: str, parameter: str) -> str:
    """Return the name of the derivative of a value with respect to a parameter."""
    return f"seed {parameter} {leaf}"


class _Locals:
    """The arrays of a block of lanes, and the statements that set them before the first step."""

    def __init__(self) -> None:
        self.arrays: list[str] = []
        self.start: list[str] = []
        self.names: dict[Node, str] = {}

    def add(self, name: str, start: str, node: Node | None = None) -> None:
        """Add an array, in which the value of a leaf is."""
        self.arrays.append(f"{name}[{_WIDTH}]")
        self.start.append(f"{name}[i] = {start};")
        if node is not None:
            self.names[node] = f"{name}[i]"

    def read(self, leaf: Node) -> str:
        """Return the value of a leaf in a step."""
        if leaf not in self.names:
            return _OF_STEP[leaf.text]
        return self.names[leaf] + (" != 0" if leaf.kind == "condition" else "")
