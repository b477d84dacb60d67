"""Networks from the objects of a Brian2 script: groups and synapses become a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import (
    Network,
    Quantity,
    Synapses,
)
from numpy.typing import NDArray

from bioae.equations.groups import callers_namespace, has_run
from bioae.equations.quantities import time_in_seconds
from bioae.errors import InputError
from bioae.exchange.brian2.conversion import Conversion
from bioae.networks import network as networks
from bioae.networks.layer_base import as_text
from bioae.networks.schedule import SCHEDULES
from bioae.showing import Shown, Summary


@dataclass(frozen=True, repr=False)
class Explained(Shown):
    """The objects of a Brian2 script by name, and what each becomes, or why it cannot."""

    rows: tuple[tuple[str, str], ...]

    def _summary(self) -> Summary:
        return Summary(f"Brian2 objects: {len(self.rows)}", [("object", "becomes"), *self.rows])


@dataclass(frozen=True, repr=False)
class Converted(Explained):
    """A network from the objects of a Brian2 script, and its input.

    Attributes
    ----------
    network
        The network, on a common clock: its only presentation is the run of the script.
    data
        Its input, as `bioae.simulate` takes it.
    rows
        The objects by name, and what each became.
    """

    network: networks.Network
    data: NDArray[np.float64]


def from_brian2(
    *objects: Any,
    duration: Quantity | str,
    namespace: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Converted:
    """Convert the objects of a Brian2 script to a network; nothing is run.

    Groups become populations that start in their present state; synapses whose ``on_pre`` adds
    expressions of their parameters to variables become sparse projections, with their weights
    and delays. Those that learn, or add what changes, have a synapse model in the script's order,
    by which `bioae.learn` ends with the script's weights. Spike generators and Poisson sources
    become the input. Sums are rounded otherwise than in the script: weights that arrive in one step
    are added first.

    Parameters
    ----------
    objects
        A `brian2.Network`, or its objects; before the first run.
    duration
        The length of the run, with its unit.
    namespace
        Constants by name, besides those of the objects; by default, as in Brian2, those that the
        caller sees.
    seed
        The seed of the spikes of Poisson inputs, and of Poisson groups whose rates change.

    Raises
    ------
    InputError
        If an object has no meaning here.
    ModelError, NetworkError
        If a group is no neuron model, or values do not fit.
    """
    names = callers_namespace() if namespace is None else namespace
    length = time_in_seconds(str(as_text(duration)), where="duration")
    parts = _single(objects)
    for each in parts:
        if has_run(each):
            raise _ran(each)
    conversion = Conversion(parts, length, names)
    network, data = conversion.converted(seed)
    return Converted(
        tuple((each.name, conversion.rows[each.name]) for each in parts), network, data
    )


def explain(*objects: Any, namespace: Mapping[str, Any] | None = None) -> Explained:
    """List the objects of a Brian2 script, and what `from_brian2` makes of each; nothing is run.

    Parameters
    ----------
    objects, namespace
        As for `from_brian2`.
    """
    names = callers_namespace() if namespace is None else namespace
    return Explained(tuple(Conversion(_single(objects), 1.0, names).explained()))


def _ran(one: Any) -> InputError:
    return InputError(
        "it has run already: spikes under way and refractoriness cannot be read",
        where=str(one.name), hint="Convert it before its first run",
    )  # fmt: skip


def _single(objects: Iterable[Any]) -> list[Any]:
    """Return objects one by one: those of a network, which has not run yet."""
    parts: list[Any] = []
    for one in objects:
        if isinstance(one, Network) and one.t_ > 0:
            raise _ran(one)
        if isinstance(one, Network) and list(one.schedule) != list(SCHEDULES["brian2"].slots):
            raise InputError(
                "the network has another order of a step", where=str(one.name),
                expected=", ".join(SCHEDULES["brian2"].slots), found=", ".join(one.schedule),
            )  # fmt: skip
        inside = sorted(getattr(one, "objects", ()), key=lambda each: str(each.name))
        parts += inside if isinstance(one, Network) else [one]
    inner = {part.name for each in parts for part in getattr(each, "contained_objects", ())
             if type(part) is not Synapses}  # fmt: skip
    # Those that collect() returns have resets too.
    return [each for each in parts if getattr(each, "name", None) not in inner]
