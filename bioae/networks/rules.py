"""What the rules of a network's layers need: their statements, and held numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, instance
from bioae.errors import InputError
from bioae.networks.placed_layer import PlacedLayer

__all__ = ["Held", "check_held", "check_rules"]

#: Numbers that rules are given for each presentation, such as a reward, by name: (example,) each,
#: or one number for all.
Held = Mapping[str, ArrayLike]


def check_rules(layers: Iterable[PlacedLayer], dt: float) -> None:
    """Refuse rules that Brian2 refuses, or whose intervals do not fit a time step in seconds.

    Raises
    ------
    ModelError
        Naming the rule.
    """
    for placed in layers:
        _ = placed.persistent, placed.learned
        for rule in placed.rules.values():
            rule.interval(dt)


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
    instance(held, where, (Mapping, NoneType), mend='Give for instance {"reward": numbers}')
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
                where=where, mend=f"Give {where} a number or numbers {name}",
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
