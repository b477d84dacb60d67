"""Requirements of the rules of layers: their statements, and held numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, instance
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.numbers import persistent_start, weight_bounds
from bioae.equations.synapses.program import Rule
from bioae.errors import InputError, NetworkError
from bioae.networks.connections import need_connections
from bioae.networks.placed_layer import PlacedLayer

__all__ = ["Held", "check_averaged", "check_held", "check_rules", "learned_by", "rules_of"]

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
    need_connections(placed, arrays)
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
