"""What a training run reports: one line of JSON an epoch, and the firing of each layer in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bioae.analysis import BURSTING_THRESHOLD
from bioae.errors import DataError
from bioae.files import atomic_output

if TYPE_CHECKING:
    from bioae.trainers.mirror.activity import LayerActivity

__all__ = ["LayerTally", "write_metrics"]


class LayerTally:
    """Counts the spikes of one layer's neurons over the batches of an evaluation set.

    Its figures are those of Hübotter, Lanillos, Tomczak 2021 (arXiv:2109.11045), who call a neuron
    dead that never spikes over the whole set; the density of the neurons alive is added because a
    mean over all of them hides dead and bursting ones beside each other.
    """

    def __init__(self) -> None:
        self._examples = 0
        self._steps = 0
        self._spikes: Tensor | None = None
        self._active: Tensor | None = None

    def add(self, layer: LayerActivity) -> None:
        """Count a batch.

        Parameters
        ----------
        layer
            With spikes of shape (time, example, *shape).
        """
        counts = layer.spikes.sum(0).flatten(1)
        spikes = counts.sum(0, dtype=torch.float64)
        active = (counts > 0).sum(0)
        self._steps = len(layer.spikes)
        self._examples += len(counts)
        self._spikes = spikes if self._spikes is None else self._spikes + spikes
        self._active = active if self._active is None else self._active + active

    def figures(self) -> dict[str, float]:
        """Return the layer's figures.

        Returns
        -------
        dict
            ``density``: spikes per neuron and step, the ``rate_per_step_mean`` of
            `bioae.analysis`; ``density_alive``: the same of the neurons that spiked at all, 0 where
            none did; ``dead``: the fraction of neurons that never spiked; ``bursting``: the
            fraction of neurons that spike, on average over the examples in which they fire, in more
            than `bioae.analysis.BURSTING_THRESHOLD` of the steps.

        Raises
        ------
        DataError
            If nothing was counted.
        """
        if self._spikes is None or self._active is None:
            raise DataError("no activity was counted", expected="at least one batch")
        rates = self._spikes / (self._examples * self._steps)
        alive = self._spikes > 0
        while_firing = self._spikes / (self._active.clamp(min=1) * self._steps)
        return {
            "density": rates.mean().item(),
            "density_alive": rates[alive].mean().item() if alive.any() else 0.0,
            "dead": (~alive).double().mean().item(),
            "bursting": (while_firing > BURSTING_THRESHOLD).double().mean().item(),
        }


def write_metrics(path: Path, history: Iterable[Mapping[str, Any]]) -> None:
    """Write one line of JSON an epoch, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written; what stood there before is untouched.
    """
    lines = "".join(json.dumps(epoch, allow_nan=False) + "\n" for epoch in history)
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(lines, encoding="utf-8")
