"""The compiled population of a layer and its read-out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bioae.noise import Key
from bioae.trainers.mirror.activity import DISTANCE, SAMPLED
from bioae.trainers.mirror.compiled.adjoint import Step
from bioae.trainers.mirror.compiled.arrays import Arrays
from bioae.trainers.mirror.compiled.build import REALS
from bioae.trainers.mirror.compiled.graph import Graph, Kind, Symbol, record, symbol
from bioae.trainers.mirror.compiled.kernel import Kernel, Part, Path, Run
from bioae.trainers.mirror.compiled.noise import draw_steps
from bioae.trainers.mirror.compiled.plan import STARTS, Plan, Requested, Timeline
from bioae.trainers.mirror.compiled.source import Source
from bioae.trainers.mirror.compiled.unsupported import Unsupported
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.functions import torch_functions
from bioae.trainers.mirror.gradients import stepper
from bioae.trainers.mirror.neuron import NeuronMirror

#: The prefix of the read-out's variables; names contain no space.
READOUT = "readout "

#: The values before the first step, by the prefix of their population and by name.
_Initial = Mapping[str, Mapping[str, Tensor]]


class CompiledLayer:
    """The compiled population and read-out of a layer; `arrays` is the memory in training."""

    def __init__(self, neuron: NeuronMirror, readout: NeuronMirror, arrays: Arrays) -> None:
        self._arrays = arrays
        self._populations = {"": neuron, READOUT: readout}
        self._kernels: dict[Any, Kernel | str] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledLayer:
        # Libraries cannot be copied, and are loaded again at once.
        copied = CompiledLayer.__new__(CompiledLayer)
        own = {name: value for name, value in vars(self).items() if name != "_kernels"}
        vars(copied).update(copy.deepcopy(own, memo), _kernels={})
        return copied

    def __call__(
        self,
        send: Callable[[], Arrived],
        arriving: Collection[str],
        timeline: Timeline,
        requested: Requested,
        *,
        recurrent: Callable[[], Sequence[Path]] | None = None,
        key: Key | None = None,
    ) -> dict[str, Tensor]:
        """Run a presentation, or raise `Unsupported` if the layer cannot be compiled.

        `send`: returns the input (step and example, *shape); not called if the layer is
        unsupported; `arriving`: the names of the input; `recurrent`: returns the recurrent
        connections, if the layer has any.

        Returns by name, (time, example, *shape) or (example, *shape); sums with the prefix `SUM`.
        """
        latency = None if recurrent is None else self._latency
        kernel, values, prefixes = self._prepared(tuple(arriving), requested, latency)
        neuron = self._populations[""]
        noise = self._noise(timeline, prefixes, key, like=values["dt"])
        arrived, timeline = _with_noise(send(), noise, timeline)
        run = Run(self._rows(timeline.steps, prefixes), timeline, self._arrays.in_training())
        results = kernel(arrived, values, run, recurrent() if recurrent else ())
        for name in requested.record:
            steps = timeline.steps - timeline.lead_in
            results[name] = results[name].view(steps, -1, *neuron.shape)
        return results

    def part(
        self,
        known: Mapping[str, Sequence[Tensor | None]],
        timing: tuple[int, int],
        requested: Requested,
        key: Key | None = None,
    ) -> Part:
        """Return the population in a presentation of those that run together; see `__call__`.

        `known` is the input from other populations in each step, by the name of any input;
        `timing` the first step of the period, counted as those of the network, and its steps.
        """
        kernel, values, prefixes = self._prepared(tuple(known), requested, self._latency)
        (start, steps), neuron = timing, self._populations[""]
        lead_in = neuron.schedule.lead_in
        timeline = Timeline(steps, lead_in, steps, 0, 0)
        noise = self._noise(timeline, prefixes, key, like=values["dt"])
        arriving = {
            n: _joined(each) for n, each in known.items() if any(t is not None for t in each)
        }
        arriving |= {name: each.view(steps, -1, *neuron.shape) for name, each in noise.items()}
        rows = self._rows(steps, prefixes)
        return Part(kernel, start, lead_in, rows, arriving, values, neuron.shape)

    def _prepared(
        self, arriving: tuple[str, ...], requested: Requested, latency: int | None
    ) -> tuple[Kernel, dict[str, Tensor], Sequence[str]]:
        """Return the kernel, the values before the first step, and the prefixes of populations."""
        read = any(n.startswith(READOUT) for n in (*requested.record, *requested.final))
        prefixes = ("", READOUT) if read else ("",)
        initial = {prefix: self._populations[prefix].constants() for prefix in prefixes}
        values = {p + name: each for p, own in initial.items() for name, each in own.items()}
        like = values["dt"]
        if like.device.type != "cpu" or like.dtype not in REALS:
            raise Unsupported(f"{like.dtype} on {like.device.type}")
        learning = tuple(name for name, tensor in values.items() if tensor.requires_grad)
        each = {name: tensor.ndim > 0 for name, tensor in values.items()}
        key = (like.dtype, arriving, requested, latency, learning, tuple(each.items()))
        if key not in self._kernels:
            try:
                step = self._trace(initial, arriving)
                plan = Plan(step, each, *requested, learning, REALS[like.dtype], latency)
                self._kernels[key] = Kernel.build(plan, Source(plan).text())
            except Unsupported as reason:
                self._kernels[key] = str(reason)
            except Exception as error:  # noqa: BLE001 - the plain mirror can do what this cannot
                text = " ".join(str(error).split())
                self._kernels[key] = f"{type(error).__name__}: {text}"
        kernel = self._kernels[key]
        if isinstance(kernel, str):
            # A new error each time: one that is raised again would hold the frames of all calls.
            raise Unsupported(kernel)
        return kernel, values, prefixes

    def _noise(
        self, timeline: Timeline, prefixes: Sequence[str], key: Key | None, *, like: Tensor
    ) -> Arrived:
        """Return the random numbers of all steps (step and example, *shape)."""
        steps = range(-timeline.lead_in, timeline.steps - timeline.lead_in)
        return {
            prefix + name: numbers
            for prefix in prefixes
            for name, numbers in self._populations[prefix]
            .noise(key, steps, like, draw_steps=draw_steps)
            .items()
        }

    def _rows(self, steps: int, prefixes: Sequence[str]) -> Tensor:
        """Return the time and timed arrays, which depend on the step alone (row, step)."""
        neuron = self._populations[""]
        rows = [neuron.times(steps)]
        step = range(-neuron.schedule.lead_in, steps - neuron.schedule.lead_in)
        for prefix in prefixes:
            population = self._populations[prefix]
            for timed in population.program.timed.values():
                rows.append(rows[0].new_tensor(timed.at(step, population.dt)))
        return torch.stack(rows)

    @property
    def _latency(self) -> int:
        """The steps from a spike to its arrival without a delay, see `Plan`."""
        blocks = self._populations[""].schedule.blocks
        return int(blocks.index("synapses") < blocks.index("thresholds"))

    def _trace(self, initial: _Initial, arriving: Collection[str]) -> Step:
        """Record a step of the populations, which all receive the same input."""
        step = Step()
        draws = [p + name for p in initial for name in self._populations[p].program.draws]
        step.inputs = {name: step.graph.leaf(f"input {name}") for name in (*arriving, *draws)}
        arrived = {name: Symbol(step.graph, step.inputs[name]) for name in arriving}
        for prefix, values in initial.items():
            symbols = Symbols(step, self._populations[prefix], values, prefix)
            symbols.neuron.step(symbols.values, arrived)  # type: ignore[arg-type]
            symbols.carry()
        return step


def _joined(steps: Sequence[Tensor | None]) -> Tensor:
    """Return the input of all steps (step, example, *shape), which some of them have."""
    zero = torch.zeros_like(next(each for each in steps if each is not None))
    return torch.stack([zero if each is None else each for each in steps])


def _with_noise(arrived: Arrived, noise: Arrived, timeline: Timeline) -> tuple[Arrived, Timeline]:
    """Return the input with the noise, and their timing: noise comes in every step."""
    if not noise:
        return arrived, timeline

    def whole(name: str) -> Tensor:
        given = arrived[name]
        steps = given.view(1 if timeline.held else timeline.sent, -1, *given.shape[1:])
        every = steps.new_zeros((timeline.steps, *steps.shape[1:]))
        every[timeline.delay : timeline.delay + timeline.sent] = steps
        return every.flatten(0, 1)

    return (
        {**{name: whole(name) for name in arrived}, **noise},
        timeline._replace(sent=timeline.steps, delay=0, held=False),
    )


class Symbols:
    """The values of a population before a step, as symbols, and a mirror that steps them.

    `initial`: the values before the first step, by name; `prefix`: the prefix of the population's
    names in the graph; `lookup`: returns the value of a timed array; by default a leaf, ``timed
    NAME``.

    Raises `Unsupported` if the population cannot be stepped neuron by neuron.
    """

    def __init__(
        self,
        step: Step,
        neuron: NeuronMirror,
        initial: Mapping[str, Tensor],
        prefix: str = "",
        *,
        lookup: Callable[[str], Any] | None = None,
    ) -> None:
        _check(neuron)
        graph, program = step.graph, neuron.program
        self._step, self._prefix = step, prefix
        starts = {**STARTS, **neuron.starts}
        step.starts |= {prefix + name: start for name, start in starts.items()}
        self._leaves = {
            name: graph.leaf(prefix + name, _kind(tensor))
            for name, tensor in {**initial, **starts}.items()
            if name != "t"
        }
        self.values: dict[str, Any] = {n: Symbol(graph, leaf) for n, leaf in self._leaves.items()}
        self.values["t"] = Symbol(graph, graph.leaf("t"))
        self.values |= {name: Symbol(graph, step.inputs[prefix + name]) for name in program.draws}
        step.timed += [prefix + name for name in program.timed]

        def row(name: str) -> Symbol:
            return Symbol(graph, graph.leaf(f"timed {prefix}{name}"))

        found = lookup or row
        functions = {**torch_functions(torch.float64), **_functions(graph)}
        self.neuron = copy.copy(neuron)
        self.neuron.__dict__["_stepper"] = stepper(
            program, neuron.backward, {**functions, "lookup": lambda name, *_: found(name)}
        )

    def carry(self) -> None:
        """Record the values at the end of the step as those that the next one starts from."""
        step, prefix = self._step, self._prefix
        for name in (*self.neuron.program.states, *STARTS, *self.neuron.starts):
            after = symbol(step.graph, self.values[name]).node
            step.values[prefix + name] = after
            step.carried[prefix + name] = self._leaves[name], after
        for name in (DISTANCE, SAMPLED):
            if name in self.values:
                step.values[prefix + name] = symbol(step.graph, self.values[name]).node


def _check(neuron: NeuronMirror) -> None:
    program = neuron.program
    if neuron.starts_at_random:
        raise Unsupported("random initial values")
    if program.counts_layer:
        raise Unsupported("variables that count the spikes of the layer")
    if any(timed.neurons is not None for timed in program.timed.values()):
        raise Unsupported("timed arrays of each neuron")
    if any(state.shared for state in program.states.values()):
        raise Unsupported("a variable that all neurons share")


def _kind(value: Tensor | float) -> Kind:
    condition = value.dtype == torch.bool if isinstance(value, Tensor) else value is False
    return "condition" if condition else "number"


def _functions(graph: Graph) -> dict[str, Any]:
    """Return the operations with a custom value or gradient, see `gradients.stepper`."""

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

    def taken(condition: Symbol, value: Symbol) -> Symbol:
        if not value.is_floating_point():
            return value
        return record(graph, "where", condition, value, value.detach())

    return {
        **{name: partial(record, graph, name) for name in ("exprel", "floordiv", "mod", "sqrt")},
        "straight_through": lambda old, new: record(graph, "through", old, new),
        "written": written,
        "guarded": guarded,
        "released": released,
        "taken": taken,
    }
