"""Synapses that learn, in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from bioae.equations.arrays.compiling import compile_expression, compile_statements
from bioae.equations.expressions import Statement
from bioae.equations.synapses.changes import change_of
from bioae.equations.synapses.model import CONNECTED, WEIGHT
from bioae.equations.synapses.numbers import change_bounds, rule_numbers, rule_start
from bioae.equations.synapses.program import (
    EVERY,
    GRID_BITS,
    SPIKES,
    TIME,
    Block,
    Rule,
    named,
)
from bioae.networks.placed_layer import PlacedLayer
from bioae.noise import Key, draw, pathway_number
from bioae.runs.tables import OptimiserSettings
from bioae.trainers.mirror.connections.pathways import Arrived, by_sign
from bioae.trainers.mirror.functions import torch_functions
from bioae.trainers.plasticity.averaging import SummedProducts
from bioae.trainers.plasticity.optimiser import WeightOptimiser
from bioae.trainers.plasticity.traces import TracesMirror

#: The names that a block reads, the variables that it sets, and its function.
_Compiled: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], Callable[..., Any]]


class PlasticPathway:
    """The synapses of a pathway that learns, (source, target) each.

    `placed`, `name`: the layer, and the name of its weights.
    `rule`: the lowered synapse model.
    `dt`: the time step in seconds.
    `like`: a tensor of the type to use.
    `optimiser`: the optimiser to which the changes of each step are given; None: they are added.

    `traces`: the traces of either side, by side.
    `recurrent`: whether the layer is also the source.
    `optimiser`: the optimiser, if there is one.
    `neuron`: the numbers of the target's neurons that the rule reads, by `Rule.neuron` (example,
        neuron).
    """

    def __init__(
        self,
        placed: PlacedLayer,
        name: str,
        rule: Rule,
        *,
        dt: float,
        like: Tensor,
        optimiser: OptimiserSettings | None = None,
    ) -> None:
        projection = placed.projection(name)
        self.recurrent = projection.own
        self._number = pathway_number(projection.number)
        self._separate, self._structural = placed.separate_inhibition, name in placed.connections
        possible = placed.potential_connections(name)
        every = possible.all() and not self._structural
        #: The connections that exist (source, target); None: all. Weights of others never change.
        self._connected = None if every else torch.from_numpy(possible.T.copy())
        shape = possible.T.shape
        sizes = dict(zip(("pre", "post"), shape, strict=True))
        self.traces = {
            side: TracesMirror(program, sizes[side], dt, like, rule.persistent(side))
            for side, program in rule.traces.items()
        }
        self.weights = like.new_zeros(shape)
        self.rule, self._dt = rule, dt
        self.interval = rule.interval(dt)
        self._start = rule_start(rule, dt)
        self.neuron: dict[str, Tensor] = {}
        self._variables: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}
        self._persistent = {name: like.new_zeros(shape) for name in rule.persistent("synapse")}
        self._key: Key | None = None
        functions = torch_functions(like.dtype)
        # Numbers of 32 bits have no finer grid.
        on_grid = like.dtype == torch.float64
        self._blocks = {
            key: _compiled(each.on_grid if on_grid else each, functions)
            for key, each in rule.blocks.items()
        }
        self.optimiser = None if optimiser is None else WeightOptimiser(optimiser)
        self._sums = {n: compile_expression(each, functions) for n, each in rule.sums.items()}
        self._feedback = {
            name: compile_expression(each, functions) for name, each in rule.feedback.items()
        }
        self._layer = {
            each.target: compile_expression(each.value, functions) for each in rule.layer
        }
        numbers = rule_numbers(rule, dt)
        self._numbers = {name: like.new_tensor(value) for name, value in numbers.items()}
        self._averages: dict[str, tuple[tuple[float, float], SummedProducts | None]] = {}
        self._unbounded = {}
        for key, block in rule.blocks.items():
            change, results = change_of(block), dict(block.results)
            statements = list(block.statements)
            if change is not None:
                products = change.products
                self._averages[key] = (
                    change_bounds(change, numbers),
                    None if products is None else SummedProducts(products, functions),
                )
                results[WEIGHT] = named("change", WEIGHT)
                statements.append(Statement(results[WEIGHT], change.value))
            self._unbounded[key] = _compiled(Block(tuple(statements), results), functions)

    @property
    def learned(self) -> dict[str, Tensor]:
        """The learned arrays of the synapses, by variable (target, source)."""
        own = {WEIGHT: self.weights, **self._persistent}
        if self._structural and self._connected is not None:
            own[CONNECTED] = self._connected.to(self.weights.dtype)
        return {name: each.T for name, each in own.items()}

    @learned.setter
    def learned(self, values: Mapping[str, Tensor]) -> None:
        own = {n: v.T.clone(memory_format=torch.contiguous_format) for n, v in values.items()}
        self.weights = own.pop(WEIGHT)
        if self._structural:
            before, self._connected = self._connected, own.pop(CONNECTED) != 0
            if self.optimiser is not None and before is not None:
                self.optimiser.forget(before != self._connected)
        self._persistent = own

    def keep(self, kind: str) -> None:
        """Keep the persistent variables of synapses, or of a side, for the next presentation."""
        if kind == "synapse":
            self._persistent = {name: self._variables[name].mean(0) for name in self._persistent}
        elif kind in self.traces:
            self.traces[kind].keep()

    def start(self, examples: int, held: Mapping[str, Tensor], key: Key | None) -> None:
        """Start a presentation of some examples."""
        for traces in self.traces.values():
            traces.start(examples)
        self._held = {named("held", name): held[name] for name in self.rule.model.held}
        shape = (examples, *self.weights.shape)
        self._variables = {n: self.weights.new_full(shape, v) for n, v in self._start.items()}
        for name, values in self._persistent.items():
            self._variables[name][:] = values
        self._key = key

    def deliver(self, spikes: Tensor) -> Arrived:
        """Return the sums of the weights of spikes (example, source), (example, target) each."""
        kinds = by_sign(self.weights, separate=self._separate)
        return {name: spikes @ weights for name, weights in kinds.items()}

    def learn(
        self,
        step: int,
        keys: Container[str],
        before: Tensor | None,
        fired: Tensor,
        since: int,
    ) -> None:
        """Run some blocks of the rule, by the spikes of the source and of the target.

        The changes that a block makes to weights in several examples are averaged before the rule's
        bounds apply, and are those of none of them: only a batch of one example learns as Brian2
        does. With an optimiser, the sum of the changes of all blocks is its negative gradient.

        `step`: the step of the target's window.
        `keys`: the names of the blocks.
        `before`, `fired`: the spikes of the source and of the target (example, neuron); None: no
            spikes.
        `since`: the steps since `regularly` ran before.
        """
        self._numbers[EVERY] = self.weights.new_tensor(self.rule.elapsed(since, self._dt))
        self._numbers[TIME] = self.weights.new_tensor(step * self._dt)
        spikes = {"on_pre": before, "on_post": fired}
        chosen = [
            key for key in self._blocks
            if key in keys
            and (key not in SPIKES or ((each := spikes[key]) is not None and bool(each.any())))
        ]  # fmt: skip
        if len(fired) > 1 or self.optimiser is not None:
            self._learn_averaged(step, chosen, spikes, len(fired))
            return
        layers = self._numbers_of_layers(1) if chosen else {}
        for key in chosen:
            values = _of(layers, 0) | self._drawn(key, step, 0)
            self._run(key, 0, _place(key, spikes.get(key), 0), values, None)

    def _learn_averaged(
        self, step: int, chosen: Sequence[str], spikes: Mapping[str, Tensor | None], examples: int
    ) -> None:
        """Average the changes of some blocks over the examples; then bounds apply."""
        total = torch.zeros_like(self.weights)
        layers = self._numbers_of_layers(examples) if chosen else {}
        for key in chosen:
            change = self._averaged(step, key, spikes.get(key), examples, layers)
            if change is None:
                continue
            if self._connected is not None:
                change = change.masked_fill(~self._connected, 0)
            if self.optimiser is None:
                ran = _synapses(key, spikes.get(key))
                self._set(self.weights + change, *self._averages[key][0], ran)
            else:
                total += change
        if self.optimiser is not None:
            least, most = zip(*(each for each, _ in self._averages.values()), strict=True)
            self._set(self.optimiser.step(self.weights, total), max(least), min(most))

    def _averaged(
        self,
        step: int,
        key: str,
        spikes: Tensor | None,
        examples: int,
        layers: Mapping[str, Tensor],
    ) -> Tensor | None:
        """Return the average change of the weights by a block before bounds; None: no change."""
        _, products = self._averages.get(key, (None, None))
        if products is not None:
            values = {**self._numbers, **layers}
            for side, traces in self.traces.items():
                values |= {named(side, name): each for name, each in traces.states.items()}
            values |= self.neuron
            values[named("synapse", WEIGHT)] = self.weights
            before, fired = (spikes if key == each else None for each in ("on_pre", "on_post"))
            return products(values, before, fired, self.weights, examples) / examples
        total = torch.zeros_like(self.weights)
        for example in range(examples):
            values = _of(layers, example) | self._drawn(key, step, example)
            self._run(key, example, _place(key, spikes, example), values, total)
        return total / examples if key in self._averages else None

    def _set(self, weights: Tensor, low: float, high: float, ran: Tensor | None = None) -> None:
        """Set the weights that exist and learned, within bounds and on the grid."""
        weights = _rounded(weights.clamp(low, high))
        if ran is not None:
            weights = torch.where(ran, weights, self.weights)
        if self._connected is not None:
            weights = torch.where(self._connected, weights, self.weights)
        self.weights = weights

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
        values = self._at(example, at)
        values |= {name: each[at] if each.ndim == 2 else each for name, each in given.items()}
        reads, names, function = (self._blocks if total is None else self._unbounded)[key]
        results = function(*[values[each] for each in reads])
        # One may be a view of what is written before it.
        found = {name: each.clone() for name, each in zip(names, results, strict=True)}
        for name, each in found.items():
            if name != WEIGHT:
                self._variables[name][example][at] = each
        if WEIGHT not in found:
            return
        old, new = self.weights[at], found[WEIGHT]
        if self._connected is not None:
            new = torch.where(self._connected[at], new, old)
        if total is None:
            self.weights[at] = new
        else:
            total[at] += new - old

    def _at(self, example: int, at: tuple[Any, Any]) -> dict[str, Tensor]:
        """Return the numbers of synapses in an example at some place, and of their neurons."""
        values = {**self._numbers, named("synapse", WEIGHT): self.weights[at]}
        for name, each in self._variables.items():
            values[named("synapse", name)] = each[example][at]
        for side, traces in self.traces.items():
            for name, numbers in traces.of(example).items():
                own = numbers[at[side == "post"]]
                values[named(side, name)] = own[:, None] if side == "pre" else own[None]
        for name, each in self.neuron.items():
            values[name] = each[example][at[1]][None]
        return values

    def feedback(self, step: int, examples: int) -> dict[str, Tensor]:
        """Return the numbers that the synapses send back, by name (example, source)."""
        if not self._feedback:
            return {}
        self._numbers[TIME] = self.weights.new_tensor(step * self._dt)
        values = {**self._numbers, named("synapse", WEIGHT): self.weights}
        values |= {n: v[..., None] for n, v in self._numbers_of_layers(examples).items()}
        values |= {named("synapse", name): each for name, each in self._variables.items()}
        for side, traces in self.traces.items():
            at = (slice(None), None) if side == "post" else (..., None)
            values |= {named(side, name): each[at] for name, each in traces.states.items()}
        values |= {name: each[:, None] for name, each in self.neuron.items()}
        found, shape = {}, (examples, *self.weights.shape)
        for name, value in self._feedback.items():
            sent = value(values).expand(shape)
            if self._connected is not None:
                sent = torch.where(self._connected, sent, 0.0)
            # One after another, as C++ adds them; no other program learns from batches.
            found[name] = sent.cumsum(2)[..., -1] if examples == 1 else sent.sum(2)
        return found

    def _drawn(self, block: str, step: int, example: int) -> dict[str, Tensor]:
        """Return the numbers that a block draws in a step, as Brian2 does (source, target)."""
        if self._key is None:
            return {}
        shape, key = self.weights.shape, self._key.of(example)
        found = {}
        for name, each in self.rule.draws.items():
            if name in self.rule.blocks[block].reads:
                numbers = draw(
                    each.distribution, key, step=step, call=each.call,
                    population=self._number, count=shape.numel(),
                )  # fmt: skip
                found[name] = torch.from_numpy(numbers).to(self.weights.dtype).view(shape)
        return found

    def _numbers_of_layers(self, examples: int) -> dict[str, Tensor]:
        """Return modulators, sums over the target's layer, and the numbers that follow.

        They are (example, 1), or one number where all examples have the same.
        """
        values = {name: numbers[:, None] for name, numbers in self._held.items()}
        if self._sums:
            known = {**self._numbers, **self.neuron}
            if "post" in self.traces:
                states = self.traces["post"].states
                known |= {named("post", name): each for name, each in states.items()}
            for name, value in self._sums.items():
                each = value(known).expand(examples, self.weights.shape[1])
                # One after another, as C++ adds them.
                values[named("layer", name)] = each.cumsum(1)[:, -1:]
        for name, value in self._layer.items():
            values[name] = value({**self._numbers, **values})
        return values


def _compiled(block: Block, functions: Mapping[str, Any]) -> _Compiled:
    reads = tuple(sorted(block.reads))
    outputs = list(block.results.values())
    function = compile_statements(block.statements, reads, outputs, functions)
    return reads, tuple(block.results), function


def _of(layers: Mapping[str, Tensor], example: int) -> dict[str, Tensor]:
    """Return the numbers of layers in an example."""
    return {name: each[example, 0] if each.ndim else each for name, each in layers.items()}


def _place(key: str, spikes: Tensor | None, example: int) -> tuple[Any, Any]:
    """Return the place of the synapses for which a block runs in an example."""
    at: list[Any] = [slice(None), slice(None)]
    if spikes is not None:
        at[key == "on_post"] = spikes[example].nonzero().flatten()
    return at[0], at[1]


def _synapses(key: str, spikes: Tensor | None) -> Tensor | None:
    """Return for which synapses a block ran in some example, to be broadcast; None: all."""
    if key not in SPIKES or spikes is None:
        return None
    fired = spikes.any(0)
    return fired[:, None] if key == "on_pre" else fired[None]


def _rounded(weights: Tensor) -> Tensor:
    """Return averaged weights on the grid of weights that learn."""
    grid = 2.0**GRID_BITS
    return torch.round(weights * grid) / grid if weights.dtype == torch.float64 else weights
