"""Rules of layers: what they need of a network, and the numbers that they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, instance
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.numbers import persistent_start, usual_range, weight_bounds
from bioae.equations.synapses.program import Rule
from bioae.errors import InputError, NetworkError
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import PlasticState

__all__ = ["Held", "check_averaged", "check_held", "check_rules", "first_state", "rules_of"]

Arrays = Mapping[str, NDArray[np.floating]]

#: Numbers that rules are given for each presentation, such as a reward, by name: (example,) each,
#: or one number for all.
Held = Mapping[str, ArrayLike]

#: The part of a bound, or of 1, by which rounding may exceed it.
_ROUNDING = 2.0**-23


def rules_of(placed: PlacedLayer) -> dict[str, Rule]:
    """Return the rules of the pathways that learn, by the name of their weights."""
    return {name: lower_synapse(model) for name, model in placed.synapses.items()}


def first_state(layers: Sequence[PlacedLayer], arrays: Arrays, *, dt: float) -> PlasticState:
    """Return what a network has learned as learning starts, on the grid of weights that learn.

    Parameters
    ----------
    layers
        The layers of the network.
    arrays
        Those of the network and the starts of its neurons' persistent variables; those of rules
        start from the values in the synapse model where they have no array.
    dt
        The time step in seconds.
    """
    check_rules(layers, dt)
    if not any(placed.synapses or placed.persistent for placed in layers):
        raise NetworkError(
            "no layer has a synapse model, by which it could learn",
            expected='a layer with `synapse = "stdp_pair"` or another one',
        )
    values = {}
    rules = {placed.name: rules_of(placed) for placed in layers}
    for placed in layers:
        _need_connections(placed, arrays)
        starts: dict[str, Any] = {
            f"{weights}_{name}": value
            for weights, rule in rules[placed.name].items()
            for name, value in persistent_start(rule, dt).items()
        }
        for name, slot in placed.slots.items():
            values[name] = np.broadcast_to({**starts, **arrays}[name], slot.shape)
    state = PlasticState(layers, values).on_grid()
    for placed in layers:
        for name, rule in rules[placed.name].items():
            weights = state.arrays[name][state.existing(placed, name)]
            _check_bounds(placed.name, name, rule, weights, dt)
    return state


def check_rules(layers: Iterable[PlacedLayer], dt: float) -> None:
    """Check that Brian2 accepts the rules of layers, and that intervals and bounds fit."""
    for placed in layers:
        _ = placed.slots
        for rule in rules_of(placed).values():
            rule.interval(dt)
            weight_bounds(rule, dt)


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


def _check_bounds(
    layer: str, name: str, rule: Rule, weights: NDArray[np.float64], dt: float
) -> None:
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
            where=f"layer {layer!r}, synapse model {rule.model.name!r}",
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
