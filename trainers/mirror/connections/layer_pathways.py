"""Pathways into a layer, from its projections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from bioae.networks.inputs import Steps
from bioae.networks.layer_base import Index
from bioae.networks.layers import Dense
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.projections import PlacedProjection
from bioae.trainers.mirror.compiled.arrays import Arrays
from bioae.trainers.mirror.connections.dense_events import DenseEvents
from bioae.trainers.mirror.connections.events import ConvolutionEvents
from bioae.trainers.mirror.connections.functional import connect, connect_innermost
from bioae.trainers.mirror.connections.pathways import Pathway
from bioae.trainers.mirror.connections.sparse import SparseConnection
from bioae.trainers.mirror.connections.trained_delays import TrainedDelays


def pathway_of(
    placed: PlacedLayer,
    projection: PlacedProjection,
    delay: Steps,
    arrays: Arrays,
    *,
    shift: int,
    indices: tuple[Index, ...],
    trained: TrainedDelays | None = None,
    gated: bool = False,
) -> Pathway:
    """Return the pathway of a projection to a layer.

    `delay` is in steps; for `shift` see `Timing.shift`, for the synapses of a sparse projection
    `PlacedProjection.indices`. `arrays` is the memory of connections that follow sparse spikes, and
    `gated` for a source whose derivative discards the gradient where it is silent.
    """
    possible = projection.possible
    connection: Callable[[Tensor, Tensor], Tensor] = partial(connect, projection.layer)
    gated = gated and trained is None  # delays get gradients from silent steps
    events = None if projection.own else _on_events(projection, arrays, gated=gated)
    if projection.layer.listed:
        source, target = indices
        connection = SparseConnection(source, target, placed.size)
        events = None
    return Pathway(
        connection,
        placed.shape,
        delay,
        # Spikes of the layer itself are known from its lead-in on, see `LayerMirror.arrived`.
        lag=0 if projection.own else shift,
        target=projection.target,
        separate_inhibition=placed.separate_inhibition and projection.target is None,
        present=None if possible is None else torch.from_numpy(possible),
        events=events,
        trained=trained,
    )


def _on_events(
    projection: PlacedProjection, arrays: Arrays, *, gated: bool
) -> Callable[[Tensor, Tensor], Tensor] | None:
    """Return a connection for sparse spikes with channels innermost, if there is one."""
    shapes = projection.source_shape, projection.shape
    if isinstance(projection.layer, Dense):
        return partial(connect_innermost, *shapes, DenseEvents(arrays, gated=gated))
    return ConvolutionEvents.for_layer(projection.layer, *shapes, arrays, gated=gated)
