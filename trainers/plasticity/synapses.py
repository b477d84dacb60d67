"""Synapses that learn, in PyTorch: the traces of a rule, and the weights that it changes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from bioae.equations.arrays.compiling import compile_expression, compile_statements
from bioae.equations.arrays.start import default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.program import Program
from bioae.equations.synapses.model import WEIGHT
from bioae.equations.synapses.numbers import rule_numbers, rule_start
from bioae.equations.synapses.program import GRID_BITS, SPIKES, Rule, SideName, named
from bioae.noise import Key
from bioae.trainers.mirror.connections.pathways import Arrived, by_sign
from bioae.trainers.mirror.constants import Constants
from bioae.trainers.mirror.functions import torch_functions
from bioae.trainers.plasticity.draws import Draws

__all__ = ["PlasticPathway", "TracesMirror"]


class TracesMirror:
    """The traces of the neurons of one side, (example, neuron) each.

    Parameters
    ----------
    program
        The lowered traces.
    size
        The number of neurons.
    dt
        The time step in seconds.
    like
        A tensor of the type to use.
    persistent
        Traces that presentations do not set back.
    """

    def __init__(
        self, program: Program, size: int, dt: float, like: Tensor, persistent: Iterable[str] = ()
    ) -> None:
        #: What persistent traces have learned, by name (neuron).
        self.learned = {name: like.new_zeros(size) for name in persistent}
        self._program, self._size, self._like = program, size, like
        self._constants = Constants(program, (size,), default_parameters(program), dt)
        self._stepper = Stepper(program, torch_functions(like.dtype))
        self._values: dict[str, Tensor] = {}

    def start(self, examples: int) -> None:
        """Set the traces to the values with which a presentation starts."""
        values = dict(self._constants({}, self._like)) | self.learned
        for name in self._program.states:
            values[name] = values[name].expand(examples, self._size)
        self._values = values

    def keep(self) -> None:
        """Keep the persistent traces, averaged over the examples, for the next presentation."""
        self.learned = {name: self._values[name].mean(0) for name in self.learned}

    def integrate(self) -> None:
        """Run one step of the traces' equations."""
        self._stepper.update(self._values)

    def jump(self, spikes: Tensor) -> None:
        """Run `on_spike` for the neurons that fired (example, neuron)."""
        self._values["_fired"] = spikes > 0
        self._stepper.reset(self._values)

    def of(self, example: int) -> dict[str, Tensor]:
        """Return the traces of an example, (neuron) each."""
        return {name: self._values[name][example] for name in self._program.states}


class PlasticPathway:
    """The synapses of a pathway that learns, (source, target) each.

    Parameters
    ----------
    rule
        The lowered synapse model.
    shape
        The number of sources, and of targets.
    traces
        The traces of either side, by side.
    dt
        The time step in seconds.
    like
        A tensor of the type to use.
    number
        The number of the synapses, see `bioae.noise.pathway_number`.
    separate
        Whether inhibition arrives at a separate variable.
    fixed
        Which weights do not exist, and never change (source, target); None if all do.
    """

    def __init__(
        self,
        rule: Rule,
        shape: tuple[int, int],
        traces: Mapping[SideName, TracesMirror],
        *,
        dt: float,
        like: Tensor,
        number: int,
        separate: bool,
        fixed: Tensor | None = None,
    ) -> None:
        self.weights = like.new_zeros(shape)
        self.traces = dict(traces)
        self.rule, self._separate, self._fixed = rule, separate, fixed
        self.interval = rule.interval(dt)
        self._start = rule_start(rule, dt)
        self._variables: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}
        self._kept = {name: like.new_zeros(shape) for name in rule.kept("synapse")}
        self._draws = Draws(rule, shape, number, like.dtype)
        functions = torch_functions(like.dtype)
        self._blocks = {}
        for key, each in rule.blocks.items():
            # Numbers of 32 bits have no finer grid.
            block = each.on_grid if like.dtype == torch.float64 else each
            reads = tuple(sorted(block.reads))
            function = compile_statements(
                block.statements, reads, list(block.results.values()), functions
            )
            self._blocks[key] = reads, tuple(block.results), function
        self._sums = {n: compile_expression(each, functions) for n, each in rule.sums.items()}
        self._layer = {
            each.target: compile_expression(each.value, functions) for each in rule.layer
        }
        self._numbers = {
            name: like.new_tensor(value) for name, value in rule_numbers(rule, dt).items()
        }

    def learned(self, kind: str) -> dict[str, Tensor]:
        """Return what synapses (target, source), or the traces of a side (neuron), have learned."""
        if kind != "synapse":
            return self.traces[kind].learned
        return {name: each.T for name, each in {WEIGHT: self.weights, **self._kept}.items()}

    def set_learned(self, kind: str, values: Mapping[str, Tensor]) -> None:
        """Set what `learned` returns."""
        if kind != "synapse":
            self.traces[kind].learned = dict(values)
            return
        own = {n: v.T.clone(memory_format=torch.contiguous_format) for n, v in values.items()}
        self.weights = own.pop(WEIGHT)
        self._kept = own

    def keep(self, kind: str) -> None:
        """Keep the persistent variables of synapses, or of a side, for the next presentation."""
        if kind == "synapse":
            self._kept = {name: self._variables[name].mean(0) for name in self._kept}
        elif kind in self.traces:
            self.traces[kind].keep()

    def start(self, examples: int, held: Mapping[str, Tensor], key: Key | None) -> None:
        """Start a presentation of some examples.

        Parameters
        ----------
        examples
            Their number.
        held
            Held numbers by name (example,).
        key
            The key of the random numbers that the rule draws.
        """
        for traces in self.traces.values():
            traces.start(examples)
        self._held = {named("held", name): held[name] for name in self.rule.model.held}
        shape = (examples, *self.weights.shape)
        self._variables = {n: self.weights.new_full(shape, v) for n, v in self._start.items()}
        for name, values in self._kept.items():
            self._variables[name][:] = values
        self._draws.key = key

    def deliver(self, spikes: Tensor) -> Arrived:
        """Return the sums of the weights of spikes (example, source), (example, target) each."""
        kinds = by_sign(self.weights, separate=self._separate)
        return {name: spikes @ weights for name, weights in kinds.items()}

    def learn(self, step: int, keys: Container[str], before: Tensor | None, fired: Tensor) -> None:
        """Run some blocks of the rule, by the spikes of the source and of the target.

        The changes that a block makes to weights in several examples are averaged, and are those of
        none of them: only a batch of one example learns as Brian2 does.

        Parameters
        ----------
        step
            The step of the target's window.
        keys
            The names of the blocks.
        before, fired
            The spikes of the source and of the target (example, neuron); None: no spikes.
        """
        examples = len(fired)
        chosen = [key for key in self._blocks if key in keys]
        layer = [self._numbers_of_layer(each) for each in range(examples)] if chosen else []
        for key in chosen:
            spikes = {"on_pre": before, "on_post": fired}.get(key)
            if key in SPIKES and (spikes is None or not spikes.any()):
                continue
            total = None if examples == 1 else torch.zeros_like(self.weights)
            for example in range(examples):
                at: list[Any] = [slice(None), slice(None)]
                if spikes is not None:
                    at[key == "on_post"] = spikes[example].nonzero().flatten()
                values = layer[example] | self._draws(self.rule.blocks[key], step, example)
                self._run(key, example, (at[0], at[1]), values, total)
            if total is not None:
                self.weights = self.weights + _rounded(total / examples)

    def _run(
        self,
        key: str,
        example: int,
        at: tuple[Any, Any],
        given: Mapping[str, Tensor],
        total: Tensor | None,
    ) -> None:
        """Run a block for the synapses of an example at some place.

        Numbers of synapses among those `given` are (source, target). Changes of weights are added
        to `total`, or made if it is None.
        """
        values = {**self._numbers, named("synapse", WEIGHT): self.weights[at]}
        values |= {name: each[at] if each.ndim == 2 else each for name, each in given.items()}
        for name, each in self._variables.items():
            values[named("synapse", name)] = each[example][at]
        for side, traces in self.traces.items():
            for name, numbers in traces.of(example).items():
                own = numbers[at[side == "post"]]
                values[named(side, name)] = own[:, None] if side == "pre" else own[None]
        reads, names, function = self._blocks[key]
        found = dict(zip(names, function(*[values[each] for each in reads]), strict=True))
        for name in found.keys() - {WEIGHT}:
            self._variables[name][example][at] = found[name]
        if WEIGHT not in found:
            return
        old, new = self.weights[at], found[WEIGHT]
        if self._fixed is not None:
            new = torch.where(self._fixed[at], old, new)
        if total is None:
            self.weights[at] = new
        else:
            total[at] += new - old

    def _numbers_of_layer(self, example: int) -> dict[str, Tensor]:
        """Return held numbers, sums over the target's layer, and the numbers that follow."""
        values = {name: numbers[example] for name, numbers in self._held.items()}
        if self._sums:
            traces = {named("post", n): each for n, each in self.traces["post"].of(example).items()}
            known = {**self._numbers, **traces}
            for name, value in self._sums.items():
                # One after another, as C++ adds them.
                values[named("layer", name)] = value(known).expand(self._targets).cumsum(0)[-1]
        for name, value in self._layer.items():
            values[name] = value({**self._numbers, **values})
        return values

    @property
    def _targets(self) -> int:
        return self.weights.shape[1]


def _rounded(change: Tensor) -> Tensor:
    """Return averaged changes on the grid of weights that learn."""
    grid = 2.0**GRID_BITS
    return torch.round(change * grid) / grid if change.dtype == torch.float64 else change
