"""Plasticity of a network: the rules of its layers, and its learned state."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, instance, one_of
from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions, rounded
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.model import TARGET
from bioae.equations.synapses.numbers import persistent_start, usual_range, weight_bounds
from bioae.equations.synapses.program import GRID_BITS, RANGE_BITS, Rule, named
from bioae.errors import InputError, NetworkError
from bioae.networks.graph import Population
from bioae.networks.placed_layer import PlacedLayer
from bioae.random import named_stream

#: Numbers that rules are given for each presentation, such as a reward, by name: (example,) each,
#: or one number for all.
Held = Mapping[str, ArrayLike]

Arrays = Mapping[str, NDArray[Any]]

#: The part of a bound, or of 1, by which rounding may exceed it.
_ROUNDING = 2.0**-23


def rules_of(placed: PlacedLayer) -> dict[str, Rule]:
    """Return the rules of the pathways that learn, by the name of their weights."""
    return {name: lower_synapse(model) for name, model in placed.synapses.items()}


def starting_state(
    layers: Sequence[PlacedLayer], arrays: Arrays, *, dt: float, normalised: Collection[str] = ()
) -> PlasticState:
    """Return what a network has learned as learning starts, on the grid of weights that learn.

    Weights of rules in the order of a script stay as they are.

    `layers`: the layers of the network.
    `arrays`: its arrays; persistent variables of rules that have none start from the values in the
        synapse model.
    `dt`: the time step in seconds.
    `normalised`: the names of weights that are normalised, which may exceed the bounds of their
        rule.
    """
    check_rules(layers, dt)
    if not any(placed.slots for placed in layers):
        raise NetworkError(
            "no layer has a synapse model, by which it could learn",
            expected='a layer with `synapse = "stdp_pair"` or another one',
        )
    values: dict[str, Any] = {}
    for placed in layers:
        _need_connections(placed, arrays)
        for weights, rule in rules_of(placed).items():
            starts = persistent_start(rule, dt).items()
            values |= {f"{weights}_{name}": value for name, value in starts}
        values |= random_start(placed, 0)
    values |= arrays
    for placed in layers:
        for name, slot in placed.slots.items():
            values[name] = np.broadcast_to(values[name], slot.shape)
            if name in placed.synapses and placed.synapses[name].timing == "phases":
                values[name] = rounded(np.asarray(values[name], np.float64), GRID_BITS)
    state = PlasticState(layers, values)
    for placed in layers:
        for name, rule in rules_of(placed).items():
            if not rule.in_script and name not in normalised:  # a script may begin outside
                _check_bounds(name, rule, state.arrays[name][state.existing(placed, name)], dt)
    return state


class PlasticState:
    """Learned state of a network: weights, connections, and persistent variables.

    `layers`: the layers of the network.

    `arrays`: those that learn, in double precision: ``LAYER.weight`` and ``LAYER.weight_VARIABLE``
    of synapses (target, source), of traces (source,) or (target,), and ``LAYER.PARAMETER`` of
    neurons (neuron,).
    """

    def __init__(self, layers: Iterable[PlacedLayer], arrays: Arrays | None = None) -> None:
        self._layers = tuple(layers)
        self._slots = {name: slot for each in self._layers for name, slot in each.slots.items()}
        known = arrays or {}
        self.arrays = {n: known[n].astype(np.float64) for n in self._slots if n in known}

    def copy(self) -> PlasticState:
        """Return a copy with separate arrays."""
        return PlasticState(self._layers, self.arrays)

    def get(self, owner: str, kind: str) -> dict[str, NDArray[np.float64]]:
        """Return values by variable.

        `owner`: the name of the weights of a pathway, or a layer whose neurons learn; `kind`:
        ``"synapse"``, a side of traces, ``"pre"`` or ``"post"``, or ``"neuron"``.
        """
        return {
            slot.variable: self.arrays[name]
            for name, slot in self._slots.items()
            if (slot.owner, slot.kind) == (owner, kind)
        }

    def set(self, owner: str, kind: str, values: Mapping[str, Any]) -> None:
        """Set values by variable, see `get`; variables without a value keep theirs."""
        for name, slot in self._slots.items():
            if (slot.owner, slot.kind) == (owner, kind) and slot.variable in values:
                self.arrays[name] = np.array(values[slot.variable], np.float64)

    def new_connections(self, after: PlasticState) -> dict[str, int]:
        """Return how many connections are new in a later state, by the name of the weights."""
        return {
            name: int((self.arrays[connected] < after.arrays[connected]).sum())
            for placed in self._layers
            for name, connected in placed.connections.items()
        }

    def existing(self, placed: PlacedLayer, name: str) -> NDArray[np.bool_]:
        """Return the connections of some weights that exist (target, source), a mask."""
        possible = placed.potential_connections(name)
        if name in placed.connections:
            possible &= self.arrays[placed.connections[name]] != 0
        return possible

    def check_range(self) -> None:
        """Reject weights beyond the range of the grid, which only a rule's own `clip` can bound."""
        rules = {name: model for each in self._layers for name, model in each.synapses.items()}
        for name, slot in self._slots.items():
            if slot.kind == "neuron":
                continue
            values, where = self.arrays[name], f"synapse model {rules[slot.owner].name!r}"
            weights = name == slot.owner
            if np.isnan(values).any() or (not weights and np.isinf(values).any()):
                raise NetworkError(
                    f"the array {name!r} has values that are no longer finite", where=where,
                    hint="Check divisions and logarithms in the rule",
                )  # fmt: skip
            if weights and not (np.abs(values) < 2.0**RANGE_BITS).all():
                raise NetworkError(
                    f"the weights {name!r} grew without bounds as they learned", where=where,
                    expected=f"magnitudes below 2^{RANGE_BITS}",
                    hint="Bound them in the rule: w = clip(w + ..., 0, 1)",
                )  # fmt: skip


def check_rules(layers: Sequence[PlacedLayer], dt: float) -> None:
    """Check that Brian2 accepts the rules of layers, and that intervals and bounds fit."""
    rules = {name: rule for placed in layers for name, rule in rules_of(placed).items()}
    for placed in layers:
        outgoing = [
            rules[each.name]
            for other in layers
            for each in other.projections
            if each.source == placed.name and each.name in rules
        ]
        for rule in rules_of(placed).values():
            _check_neuron(placed, rule, outgoing, last=placed is layers[-1])
    for placed in layers:
        _ = placed.slots
        for rule in rules_of(placed).values():
            rule.interval(dt)
            if not rule.in_script:  # whose weights may be anything
                weight_bounds(rule, dt)


def _check_neuron(placed: PlacedLayer, rule: Rule, outgoing: Iterable[Rule], *, last: bool) -> None:
    """Reject numbers of the target's neuron that it does not have."""
    post = rule.model.post
    if post is None:
        return
    where = f"layer {placed.name!r}, synapse model {rule.model.name!r}"
    program = placed.program
    numbers = {n for n, each in program.states.items() if each.dtype == "float"}
    nodes = ast.walk(program.threshold.tree) if post.psi and program.threshold else ()
    order = placed.model.surrogate or any(isinstance(each, ast.Compare) for each in nodes)
    if post.psi and not order:
        raise NetworkError(
            "the threshold has no distance of which `psi` is a profile", where=where,
            expected="a comparison, or a [surrogate] in the neuron model",
            found=placed.model.threshold,
        )  # fmt: skip
    for name in post.reads:
        if name != TARGET:
            one_of(name, f"{where}, reads", sorted(numbers), error=NetworkError)
        elif not last:
            raise NetworkError(
                "only the last layer has targets of the task", where=where,
                expected="the rule in the last layer",
            )  # fmt: skip
    for name in post.signals:
        if name in program.states:
            raise NetworkError(
                f"the signal {name!r} has the name of a variable of the neuron", where=where,
                hint="Rename it in `signals` and [feedback]",
            )  # fmt: skip
        if not any(name in each.feedback for each in outgoing):
            raise NetworkError(
                f"no synapses from the layer send back {name!r}", where=where,
                expected=f"a rule with [feedback] {name} in a projection from it",
            )  # fmt: skip
    if post.signals and rule.feedback:
        raise NetworkError(
            "a rule cannot send back signals in the step in which it receives some", where=where,
            expected="`signals` or [feedback]",
        )  # fmt: skip


def check_averaged(layers: Iterable[PlacedLayer], batch_size: int, *, optimiser: bool) -> None:
    """Reject batches and optimisers for rules that learn from one example at a time."""
    if batch_size == 1 and not optimiser:
        return
    for rule in (rule for placed in layers for rule in rules_of(placed).values()):
        if rule.sequential:
            raise NetworkError(
                "the rule sets weights together with what it remembers, which cannot be averaged",
                where=f"synapse model {rule.model.name!r}",
                expected="a batch size of 1 and no optimiser",
                found=f"a batch of {batch_size}" if batch_size > 1 else "an optimiser",
            )


def check_chain(populations: Sequence[Population], clock: str, *, carry_over: bool) -> None:
    """Reject networks that do not learn by rules in PyTorch."""
    if (populations and clock != "common") or carry_over:
        raise NetworkError(
            "staggered graphs, and states that carry over, learn by rules in Brian2 only",
            where="target", expected="cpp_standalone, cython or numpy", found="torch",
        )  # fmt: skip


def check_weights_alone(layers: Iterable[PlacedLayer], where: str) -> None:
    """Reject synapses whose spikes add more than a weight, where only weights are known."""
    for placed in layers:
        for name, rule in rules_of(placed).items():
            if rule.delivers:
                raise NetworkError(
                    f"spikes of {name!r} add what its synapse model says, in Brian2 only",
                    where=where, expected="spikes that add weights",
                    found=f"synapse model {rule.model.name!r}",
                )  # fmt: skip


def check_held(
    layers: Iterable[PlacedLayer], held: Held | None, presentations: int, *, where: str = "held"
) -> dict[str, NDArray[np.float64]]:
    """Return the modulators of the layers' rules for some presentations."""
    models = [model for placed in layers for model in placed.synapses.values()]
    rules = {name: model.name for model in models for name in model.held}
    instance(held, where, (Mapping, NoneType), hint='Give for instance {"reward": numbers}')
    given = dict(held or {})
    for name in [name for name in given if name not in rules]:
        raise InputError(
            f"no rule of the network has a modulator {name!r}", where=where,
            expected=f"one of {', '.join(rules)}" if rules else "none",
        )  # fmt: skip
    values = {}
    for name, rule in rules.items():
        if name not in given:
            raise InputError(
                f"the synapse model {rule!r} needs the modulator {name!r} of each presentation",
                where=where, hint=f"Give {where} a number or numbers {name}",
            )  # fmt: skip
        numbers = array(given[name], f"held {name!r}")
        values[name] = np.full(presentations, numbers) if numbers.ndim == 0 else numbers
        if values[name].shape != (presentations,):
            raise InputError(
                f"held {name!r} does not fit", expected=f"{presentations} numbers",
                found=f"an array of the shape {numbers.shape}",
            )  # fmt: skip
    return values


def random_start(placed: PlacedLayer, seed: int) -> dict[str, NDArray[np.float64]]:
    """Draw the persistent variables of synapses that rules start at random, by array name."""
    functions, drawn = array_functions(np), {}
    for weights, model in placed.synapses.items():
        rule = lower_synapse(model)
        for name, start in rule.random_start.items():
            shape, array = placed.weight_shapes[weights], f"{weights}_{name}"
            rng = named_stream(seed, "start", array)
            values: dict[str, Any] = {
                named("parameter", key): np.asarray(each) for key, each in rule.parameters.items()
            }
            for key, draw in start.draws.items():
                values[key] = (
                    rng.random(shape) if draw.distribution == "uniform" else rng.normal(size=shape)
                )
            drawn[array] = np.broadcast_to(
                compile_expression(start.value, functions)(values), shape
            ).astype(np.float64)
    return drawn


def _check_bounds(name: str, rule: Rule, weights: NDArray[np.float64], dt: float) -> None:
    low, high = weight_bounds(rule, dt)
    # Numbers of 32 bits and the grid round a bound itself.
    least = low - _ROUNDING * max(1.0, abs(low))
    most = high + _ROUNDING * max(1.0, abs(high))
    outside = int(((weights < least) | (weights > most)).sum())
    if outside:
        key = "recurrent_initial" if name.endswith(".recurrent") else "initial"
        start, end = usual_range(low, high)
        raise NetworkError(
            f"{outside} of {weights.size} weights {name!r} begin outside the bounds of their "
            "rule, whose first update would clip them",
            where=f"layer {name.partition('.')[0]!r}, synapse model {rule.model.name!r}",
            expected=f"weights from {low:g} to {high:g}",
            found=f"{weights.min():g} to {weights.max():g}",
            hint=f"Set {key} = [{start:g}, {end:g}] in the layer, or other bounds in the rule",
        )


def _need_connections(placed: PlacedLayer, arrays: Arrays) -> None:
    for name, connected in placed.connections.items():
        if connected not in arrays:
            raise NetworkError(
                f"the connections {connected!r} are missing",
                where=f"synapse model {placed.synapses[name].name!r}",
                expected=f"an array {placed.weight_shapes[name]}: 1 for those that exist, else 0",
                hint="Network.initialise draws them; or use random_connections of "
                "bioae.networks.structure, and set other weights to 0",
            )
