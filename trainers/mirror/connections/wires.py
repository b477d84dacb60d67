"""Synapses one by one, as compiled code delivers spikes."""

from __future__ import annotations

import torch
from torch import Tensor


class Wire:
    """Synapses of a projection with one delay in steps, sorted by source.

    `places` are those of their weights among the projection's, `source` and `target` the neurons
    that each joins (synapse), `sources` the number of neurons of the source.
    """

    def __init__(
        self, delay: int, places: Tensor, source: Tensor, target: Tensor, sources: int
    ) -> None:
        order = torch.argsort(source, stable=True)
        counts = torch.bincount(source, minlength=sources)
        self.delay, self.places = delay, places[order]
        self.first = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        self.target = target[order].to(torch.int32)
