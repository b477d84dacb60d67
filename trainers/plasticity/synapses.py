"""Synapses that learn, in PyTorch: the traces of a rule, and the weights that it changes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bioae.equations.arrays.compiling import compile_statements
from bioae.equations.arrays.start import default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.program import Program
from bioae.equations.synapses.program import GRID_BITS, Rule, SideName, named
from bioae.trainers.mirror.connections.pathways import Arrived, by_sign
from bioae.trainers.mirror.constants import Constants
from bioae.trainers.mirror.functions import torch_functions

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
    """

    def __init__(self, program: Program, size: int, dt: float, like: Tensor) -> None:
        self._program, self._size, self._like = program, size, like
        self._constants = Constants(program, (size,), default_parameters(program), dt)
        self._stepper = Stepper(program, torch_functions(like.dtype))
        self._values: dict[str, Tensor] = {}

    def start(self, examples: int) -> None:
        """Set the traces to the values with which a presentation starts."""
        values = dict(self._constants({}, self._like))
        for name in self._program.states:
            values[name] = values[name].expand(examples, self._size)
        self._values = values

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
    """The weights of a pathway that learns (source, target).

    Parameters
    ----------
    rule
        The lowered synapse model.
    weights
        The weights as learning starts (target, source).
    traces
        The traces of either side, by side.
    separate
        Whether inhibition arrives at a separate variable.
    fixed
        Which weights do not exist, and never change (source, target); None if all do.
    """

    def __init__(
        self,
        rule: Rule,
        weights: Tensor,
        traces: Mapping[SideName, TracesMirror],
        *,
        separate: bool,
        fixed: Tensor | None = None,
    ) -> None:
        self.weights = weights.T.clone(memory_format=torch.contiguous_format)
        self.traces = dict(traces)
        self._rule, self._separate, self._fixed = rule, separate, fixed
        functions = torch_functions(weights.dtype)
        self._blocks = {}
        for side, statements in (("pre", rule.on_pre), ("post", rule.on_post)):
            exact = weights.dtype == torch.float64  # numbers of 32 bits have no finer grid
            code = rule.on_grid(statements) if exact else statements
            if code:
                reads = tuple(sorted(rule.read(code)))
                function = compile_statements(code, reads, [code[-1].target], functions)
                self._blocks[side] = reads, function
        self._parameters = {
            named("parameter", name): weights.new_tensor(value)
            for name, value in rule.parameters.items()
        }

    def deliver(self, spikes: Tensor) -> Arrived:
        """Return the sums of the weights of spikes (example, source), (example, target) each."""
        kinds = by_sign(self.weights, separate=self._separate)
        return {name: spikes @ weights for name, weights in kinds.items()}

    def learn(self, side: SideName, spikes: Tensor) -> None:
        """Change the weights by the spikes of a side (example, neuron).

        The changes of several examples are averaged, and are those of none of them: only a batch of
        one example learns as Brian2 does.
        """
        if side not in self._blocks:
            return
        learned = [
            self._learned(side, example, fired)
            for example, each in enumerate(spikes)
            if len(fired := each.nonzero().flatten())
        ]
        if len(spikes) == 1:
            self.weights = learned[0] if learned else self.weights
        elif learned:
            changes = torch.stack(learned).sub_(self.weights).sum(0)
            self.weights = self.weights + _rounded(changes / len(spikes))

    def _learned(self, side: SideName, example: int, fired: Tensor) -> Tensor:
        """Return all weights after the spikes of an example."""
        chosen = (fired, slice(None)) if side == "pre" else (slice(None), fired)
        old = self.weights[chosen]
        values = {self._rule.weight: old, **self._parameters}
        for place, traces in self.traces.items():
            for name, numbers in traces.of(example).items():
                own = numbers[fired] if place == side else numbers
                values[named(place, name)] = own[:, None] if place == "pre" else own[None]
        reads, function = self._blocks[side]
        (new,) = function(*[values[name] for name in reads])
        weights = self.weights.clone()
        weights[chosen] = new
        return weights if self._fixed is None else weights.where(~self._fixed, self.weights)


def _rounded(change: Tensor) -> Tensor:
    """Return averaged changes on the grid of weights that learn."""
    grid = 2.0**GRID_BITS
    return torch.round(change * grid) / grid if change.dtype == torch.float64 else change
