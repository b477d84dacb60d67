"""Connections that structural plasticity exchanges: potential ones, and those that exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from bioae.errors import NetworkError
from bioae.networks.placed_layer import PlacedLayer
from bioae.random import named_stream
from bioae.structure.connections import Structure, random_connections

__all__ = [
    "check_connections",
    "draw_connections",
    "need_connections",
    "new_connections",
    "potential_connections",
    "structure_of",
]


def potential_connections(placed: PlacedLayer, name: str) -> NDArray[np.bool_]:
    """Return the potential connections of some weights (target, source), truth values."""
    possible = np.ones(placed.weight_shapes[name], bool)
    if name.endswith(".recurrent") and not placed.layer.autapses:
        np.fill_diagonal(possible, val=False)
    return possible


def structure_of(placed: PlacedLayer, name: str) -> Structure:
    """Return the structural plasticity of some weights, whose rule has a ``[structure]``.

    Raises
    ------
    NetworkError
        If there are fewer potential sources than each target needs.
    """
    model = placed.synapses[name]
    table, sources = model.structure, int(potential_connections(placed, name)[0].sum())
    if table is None:
        raise ValueError(f"the synapse model of {name} has no [structure]")
    fan_in = table.fan_in
    if isinstance(fan_in, float):
        fan_in = max(1, round(fan_in * sources))
    if fan_in > sources:
        raise NetworkError(
            "targets have fewer sources than the rule needs",
            where=f"layer {placed.name!r}, synapse model {model.name!r}, [structure] fan_in",
            expected=f"at most {sources}, or a fraction",
            found=str(fan_in),
        )
    return Structure(fan_in, table.period, table.swaps, table.by_fan_out)


def draw_connections(placed: PlacedLayer, name: str, seed: int) -> NDArray[np.bool_]:
    """Return random connections of some weights (target, source)."""
    possible = potential_connections(placed, name)
    rng = named_stream(seed, "connections", name)
    drawn = random_connections(
        len(possible), int(possible[0].sum()), structure_of(placed, name).fan_in, rng
    )
    connected = np.zeros_like(possible)
    connected[possible] = drawn.ravel()
    return connected


def check_connections(placed: PlacedLayer, arrays: Mapping[str, NDArray[np.floating]]) -> None:
    """Refuse connections that do not fit the rule or the weights; some may be missing.

    Raises
    ------
    NetworkError
        Naming the array.
    """
    for name, array in placed.connections.items():
        if array not in arrays:
            continue
        where = f"synapse model {placed.synapses[name].name!r}"
        values, fan_in = np.asarray(arrays[array]), structure_of(placed, name).fan_in
        connected = values == 1
        wrong = values[~np.isin(values, (0, 1))]
        counts = connected.sum(1)
        odd = int((counts != fan_in).argmax())
        if len(wrong) or counts[odd] != fan_in:
            raise NetworkError(
                f"the connections {array!r} do not fit",
                where=where,
                expected=f"1 for {fan_in} sources of each target, and 0 for others",
                found=f"{wrong[0]:g}" if len(wrong) else f"{counts[odd]} sources of target {odd}",
            )
        if (connected & ~potential_connections(placed, name)).any():
            raise NetworkError(
                f"the connections {array!r} contain autapses",
                where=where,
                hint="Set autapses = true in the layer, or the diagonal to 0",
            )
        absent = np.asarray(arrays[name])[~connected]
        if absent.any():
            raise NetworkError(
                f"connections that do not exist have weights in {name!r}",
                where=where,
                expected=f"0 where {array!r} is 0",
                found=f"{absent[absent != 0][0]:g}",
            )


def new_connections(
    layers: Iterable[PlacedLayer],
    before: Mapping[str, NDArray[np.floating]],
    after: Mapping[str, NDArray[np.floating]],
) -> dict[str, int]:
    """Return how many connections are new between two states, by the name of the weights."""
    return {
        name: int((np.asarray(before[array]) < after[array]).sum())
        for placed in layers
        for name, array in placed.connections.items()
    }


def need_connections(placed: PlacedLayer, arrays: Mapping[str, NDArray[np.floating]]) -> None:
    """Refuse a network without the connections that its rules exchange.

    Raises
    ------
    NetworkError
        Naming the array.
    """
    for name, array in placed.connections.items():
        if array not in arrays:
            raise NetworkError(
                f"the connections {array!r} are missing",
                where=f"synapse model {placed.synapses[name].name!r}",
                expected=f"an array {placed.weight_shapes[name]}: 1 for those that exist, else 0",
                hint="Network.initialise draws them; or use bioae.structure.random_connections, "
                "and set other weights to 0",
            )
