"""The pathways into a layer: from the layer before it, and from the layer itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bioae.networks.inputs import Steps
from bioae.networks.layers import Dense
from bioae.networks.placed_layer import PlacedLayer
from bioae.trainers.mirror.compiled.arrays import Arrays
from bioae.trainers.mirror.connections.dense_events import event_linear
from bioae.trainers.mirror.connections.events import EventConnection
from bioae.trainers.mirror.connections.functional import (
    all_to_all,
    connect,
    connect_innermost,
)
from bioae.trainers.mirror.connections.pathways import Pathway


def layer_pathways(
    placed: PlacedLayer, delays: Mapping[str, Steps], arrays: Arrays
) -> tuple[Pathway, Pathway | None]:
    """Return the pathways of a layer: from the layer before it, and from the layer itself.

    Parameters
    ----------
    placed
        The layer.
    delays
        The delays of its connections in steps, by the name of their weights.
    arrays
        The source of memory for connections that follow sparse spikes.
    """
    name, size = placed.name, placed.size
    common: dict[str, Any] = {
        "shape": placed.shape,
        "separate_inhibition": placed.separate_inhibition,
    }
    events = _on_events(placed, arrays)
    feed = partial(connect, placed.layer)
    forward = Pathway(feed, delay=delays[f"{name}.weight"], events=events, **common)
    if not placed.layer.recurrent:
        return forward, None
    others = None if placed.layer.autapses else ~torch.eye(size, dtype=torch.bool)
    delay = delays[f"{name}.recurrent"]
    return forward, Pathway(all_to_all, delay=delay, present=others, **common)


def _on_events(placed: PlacedLayer, arrays: Arrays) -> Callable[[Tensor, Tensor], Tensor] | None:
    """Return a layer's connection for sparse spikes with channels innermost, if there is one."""
    shapes = placed.input_shape, placed.shape
    if isinstance(placed.layer, Dense):
        return partial(connect_innermost, *shapes, partial(event_linear, arrays))
    return EventConnection.for_layer(placed.layer, *shapes, arrays)
