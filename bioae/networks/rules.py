"""Requirements of the rules of layers: their statements, and held numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, instance
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.numbers import persistent_start, weight_bounds
from bioae.equations.synapses.program import RANGE_BITS, Rule
from bioae.errors import InputError, NetworkError
from bioae.networks.placed_layer import PlacedLayer

__all__ = [
    "Held",
    "check_averaged",
    "check_held",
    "check_range",
    "check_rules",
    "learned_by",
    "new_connections",
    "rules_of",
]

#: Numbers that rules are given for each presentation, such as a reward, by name: (example,) each,
#: or one number for all.
Held = Mapping[str, ArrayLike]


def rules_of(placed: PlacedLayer) -> dict[str, Rule]:
    """Return the rules of the pathways that learn, by the name of their weights.

    Raises
    ------
    ModelError
        If Brian2 refuses a synapse model.
    """
    return {name: lower_synapse(model) for name, model in placed.synapses.items()}


def learned_by(
    placed: PlacedLayer, arrays: Mapping[str, NDArray[np.floating]], dt: float
) -> dict[str, NDArray[np.float64]]:
    """Return the values of what the rules of a layer learn, by array: see `PlacedLayer.learned`.

    Parameters
    ----------
    placed
        The layer.
    arrays
        Those of the network; persistent variables without one start from the values in the synapse
        model.
    dt
        The time step in seconds.

    Raises
    ------
    NetworkError
        If the connections of a rule with a ``[structure]`` are missing.
    """
    _need_connections(placed, arrays)
    starts: dict[str, Any] = {
        f"{weights}_{name}": value
        for weights, rule in rules_of(placed).items()
        for name, value in persistent_start(rule, dt).items()
    }
    return {
        array: np.broadcast_to({**starts, **arrays}[array], shape).astype(np.float64)
        for array, shape in placed.learned_shapes.items()
    }


def check_rules(layers: Iterable[PlacedLayer], dt: float) -> None:
    """Refuse rules that Brian2 refuses, or whose intervals or bounds do not fit.

    Parameters
    ----------
    layers
        The layers.
    dt
        The time step in seconds.

    Raises
    ------
    ModelError
        Naming the rule.
    """
    for placed in layers:
        _ = placed.persistent, placed.learned
        for rule in rules_of(placed).values():
            rule.interval(dt)
            weight_bounds(rule, dt)


def check_averaged(layers: Iterable[PlacedLayer], batch_size: int, *, optimiser: bool) -> None:
    """Refuse batches and optimisers for rules that learn from one example at a time.

    Raises
    ------
    NetworkError
        Naming the rule, see `Rule.sequential`.
    """
    if batch_size == 1 and not optimiser:
        return
    for placed in layers:
        for rule in rules_of(placed).values():
            if rule.sequential:
                raise NetworkError(
                    "the rule sets weights together with what it remembers, which cannot be "
                    "averaged",
                    where=f"synapse model {rule.model.name!r}",
                    expected="a batch size of 1 and no optimiser",
                    found=f"a batch of {batch_size}" if batch_size > 1 else "an optimiser",
                )


def check_held(
    layers: Iterable[PlacedLayer], held: Held | None, presentations: int, *, where: str = "held"
) -> dict[str, NDArray[np.float64]]:
    """Return the held numbers of the layers' rules for some presentations.

    Raises
    ------
    InputError
        If one is missing, unknown, or not one finite number for each presentation.
    """
    models = [model for placed in layers for model in placed.synapses.values()]
    rules = {name: model.name for model in models for name in model.held}
    instance(held, where, (Mapping, NoneType), hint='Give for instance {"reward": numbers}')
    given = dict(held or {})
    for name in given:
        if name not in rules:
            raise InputError(
                f"no rule of the network has a held number {name!r}", where=where,
                expected=f"one of {', '.join(rules)}" if rules else "none",
            )  # fmt: skip
    for name, rule in rules.items():
        if name not in given:
            raise InputError(
                f"the synapse model {rule!r} needs the held number {name!r} of each presentation",
                where=where, hint=f"Give {where} a number or numbers {name}",
            )  # fmt: skip
    values = {name: array(each, f"held {name!r}") for name, each in given.items()}
    values = {n: np.full(presentations, v) if v.ndim == 0 else v for n, v in values.items()}
    for name, numbers in values.items():
        if numbers.shape != (presentations,):
            raise InputError(
                f"held {name!r} does not fit", expected=f"{presentations} numbers",
                found=f"an array of the shape {numbers.shape}",
            )  # fmt: skip
    return values


def check_range(
    layers: Collection[PlacedLayer], weights: Mapping[str, NDArray[np.float64]]
) -> None:
    """Refuse weights beyond the range of the grid, which no rule can bound but its own `clip`.

    Raises
    ------
    NetworkError
        Naming the weights and their rule.
    """
    rules = {n: model for placed in layers for n, model in placed.synapses.items()}
    learned = {
        key: name
        for placed in layers
        for name, kinds in placed.learned.items()
        for arrays in kinds.values()
        for key in arrays.values()
    }
    for key, name in learned.items():
        values, where = weights[key], f"synapse model {rules[name].name!r}"
        if np.isnan(values).any() or (key != name and np.isinf(values).any()):
            raise NetworkError(
                f"the array {key!r} has values that are no longer finite",
                where=where,
                hint="Check divisions and logarithms in the rule",
            )
        if key == name and not (np.abs(values) < 2.0**RANGE_BITS).all():
            raise NetworkError(
                f"the weights {name!r} grew without bounds as they learned",
                where=where,
                expected=f"magnitudes below 2^{RANGE_BITS}",
                hint="Bound them in the rule: w = clip(w + ..., 0, 1)",
            )


def new_connections(
    layers: Iterable[PlacedLayer],
    before: Mapping[str, NDArray[np.floating]],
    after: Mapping[str, NDArray[np.floating]],
) -> dict[str, int]:
    """Return how many connections are new between two states, by the name of the weights."""
    return {
        name: int((np.asarray(before[connected]) < after[connected]).sum())
        for placed in layers
        for name, connected in placed.connections.items()
    }


def _need_connections(placed: PlacedLayer, arrays: Mapping[str, NDArray[np.floating]]) -> None:
    """Refuse a network without the connections that its rules exchange.

    Raises
    ------
    NetworkError
        Naming the array.
    """
    for name, connected in placed.connections.items():
        if connected not in arrays:
            raise NetworkError(
                f"the connections {connected!r} are missing",
                where=f"synapse model {placed.synapses[name].name!r}",
                expected=f"an array {placed.weight_shapes[name]}: 1 for those that exist, else 0",
                hint="Network.initialise draws them; or use bioae.structure.random_connections, "
                "and set other weights to 0",
            )
