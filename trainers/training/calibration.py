"""Calibration of weights: factors at which layers fire as often as required."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from bioae.networks.layer_base import ENCODER
from bioae.noise import Key
from bioae.trainers.mirror.activity import LayerActivity
from bioae.trainers.training.averaging import in_place_of

#: Sparse firing: the mean spikes of a neuron in a presentation.
SPIKES = 0.25

#: The largest power of 2 by which weights are scaled, and halvings of the last interval.
_POWER, _HALVINGS = 20, 6

#: That largest power where a network has been trained.
_NEAR = 3

#: The ratio to the least misfit up to which another is as good.
_EQUAL = 1.1

#: How badly the spike counts of a layer, by its name, fit those that it should have.
Misfit: TypeAlias = Callable[[str, Tensor], float]


@dataclass(frozen=True)
class FiringScale:
    """A network, and examples that show how its layers fire.

    `components` are the layers that `run` runs together, in order, and `connections` the weights of
    each layer; `received` are batches as the first layer receives them, with the keys of their
    noise, and `as_stored` returns a context with the weights that are stored at the end.
    """

    components: Sequence[Sequence[str]]
    run: Callable[..., Mapping[str, LayerActivity]]
    connections: Mapping[str, Sequence[Tensor]]
    received: Sequence[tuple[Tensor, Key]]
    as_stored: Callable[[], AbstractContextManager[None]]

    @torch.no_grad()
    def scale(self, names: Collection[str], misfit: Misfit | None = None) -> None:
        """Scale the weights of layers in order, so that each fires sparsely, or fits best.

        Layers that depend on each other's spikes come in the network's order.
        A layer that no factor makes fire so stays as it is. `misfit` of a layer's name and spike
        counts (example, neuron) is made about as small as a power of the square root of 2 can, from
        1/8 to 8.
        """
        for name in names:
            factor = self._fitting(name, misfit) if misfit else self._sparse(name)
            for weights in self.connections[name]:
                weights.mul_(factor)

    def _fitting(self, layer: str, misfit: Misfit) -> float:
        counts = self._counts(layer)
        fits = {n / 2: misfit(layer, counts(n / 2)) for n in range(-2 * _NEAR, 2 * _NEAR + 1)}
        # The largest that is about as good: spikes are what gradients pass through.
        good = [power for power, each in fits.items() if each <= _EQUAL * min(fits.values())]
        return float(2 ** max(good)) if len(good) < len(fits) else 1.0

    def _sparse(self, layer: str) -> float:
        """Return the factor on a layer's weights at which it starts to fire sparsely; else 1.

        It is found by bisection from 1, to 1 %, up to a power of 2, on the grid.
        """
        if not self.connections[layer]:
            return 1.0
        counts = self._counts(layer)

        def fires(power: float) -> bool:
            return float(counts(power).mean()) >= SPIKES

        power, firing = 0, fires(0)
        step = -1 if firing else 1
        while fires(power + step) is firing:
            power += step
            if abs(power) == _POWER:
                return 1.0
        low, high = sorted((float(power), float(power + step)))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if fires(middle) else (middle, high)
        return float(2**high)

    def _counts(self, layer: str) -> Callable[[float], Tensor]:
        """Return the spike counts of a layer as a function of a power of 2 on its weights."""
        run, arriving, weights = self.run, [], self.connections[layer]
        before = [*itertools.takewhile(lambda each: layer not in each, self.components)]
        component = self.components[len(before)]
        emitted: dict[str, Tensor]
        with self.as_stored():
            for received, key in self.received:
                emitted = {ENCODER: received}
                for each in before:
                    fired = run(each, emitted, key=key)
                    emitted |= {name: activity.spikes for name, activity in fired.items()}
                arriving.append((emitted, key))

        def counts(power: float) -> Tensor:
            with in_place_of(weights, [each * 2.0**power for each in weights]), self.as_stored():
                ran = [run(component, each, key=key)[layer] for each, key in arriving]
            return torch.cat([each.counts for each in ran]).double()

        return counts
