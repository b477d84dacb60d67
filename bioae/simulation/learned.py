"""Networks that learn, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, instance
from bioae.equations.synapses.program import GRID_BITS
from bioae.errors import InputError, NetworkError
from bioae.networks.network import Network

__all__ = ["Held", "Learned", "check_held", "check_range", "learner", "with_weights"]


#: Numbers that rules are given for each presentation, such as a reward, by name: (example,) each.
Held = Mapping[str, ArrayLike]


@dataclass(frozen=True, eq=False)
class Learned:
    """A network after learning.

    Attributes
    ----------
    network
        The network, with the weights that it has learned.
    result
        Its activity while it learned, see `docs/result.md`.
    """

    network: Network
    result: xr.DataTree


def learner(network: Network) -> Network:
    """Return a network that learns, its weights rounded to the grid of weights that learn.

    Raises
    ------
    NetworkError
        If no layer has a synapse model.
    """
    names = [name for placed in network.config.placed for name in placed.synapses]
    if not names and not any(placed.persistent for placed in network.config.placed):
        raise NetworkError(
            "no layer has a synapse model, by which it could learn",
            expected='a layer with `synapse = "stdp_pair"` or another one',
        )
    grid = 2.0**GRID_BITS
    weights = {name: np.asarray(network.weights[name], np.float64) for name in names}
    return with_weights(network, {name: np.rint(w * grid) / grid for name, w in weights.items()})


def check_held(
    network: Network, held: Held | None, presentations: int
) -> dict[str, NDArray[np.float64]]:
    """Return the held numbers of a network's rules for some presentations.

    Raises
    ------
    InputError
        If one is missing, unknown, or not one finite number for each presentation.
    """
    models = [model for placed in network.config.placed for model in placed.synapses.values()]
    rules = {name: model.name for model in models for name in model.held}
    instance(held, "held", (Mapping, NoneType), mend='Give for instance {"reward": numbers}')
    given = dict(held or {})
    for name in given:
        if name not in rules:
            raise InputError(
                f"no rule of the network has a held number {name!r}", where="held",
                expected=f"one of {', '.join(rules)}" if rules else "none",
            )  # fmt: skip
    for name, rule in rules.items():
        if name not in given:
            raise InputError(
                f"the synapse model {rule!r} needs {name!r} for each presentation",
                where="held", mend=f"Give held={{{name!r}: numbers}}",
            )  # fmt: skip
    values = {name: array(each, f"held {name!r}") for name, each in given.items()}
    for name, numbers in values.items():
        if numbers.shape != (presentations,):
            raise InputError(
                f"held {name!r} does not fit", expected=f"{presentations} numbers",
                found=f"an array of the shape {numbers.shape}",
            )  # fmt: skip
    return values


def check_range(network: Network, weights: Mapping[str, NDArray[np.float64]]) -> None:
    """Refuse weights beyond the range of the grid, which no rule can bound but its own `clip`.

    Raises
    ------
    NetworkError
        Naming the weights and their rule.
    """
    rules = {n: model for placed in network.config.placed for n, model in placed.synapses.items()}
    for name in rules.keys() & weights.keys():
        values = weights[name]
        if not (np.abs(values) < 2.0 ** (51 - GRID_BITS)).all():  # NaN neither
            raise NetworkError(
                f"the weights {name!r} grew without bounds as they learned",
                where=f"synapse model {rules[name].name!r}",
                expected=f"magnitudes below 2^{51 - GRID_BITS}",
                mend="Bound them in the rule: w = clip(w + ..., 0, 1)",
            )


def with_weights(network: Network, weights: Mapping[str, NDArray[np.float64]]) -> Network:
    """Return the network with other values of some weights, by name."""
    return Network(network.config, {**network.weights, **weights})
