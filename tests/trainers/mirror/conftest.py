"""Smooth spikes for finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bioae.trainers.mirror import NeuronMirror
from bioae.trainers.mirror import gradients as mirror_gradients
from bioae.trainers.mirror.derivatives import Gaussian, SpikeFunction
from bioae.trainers.mirror.gradients import ACTIVE


class SmoothSpike(SpikeFunction):
    """Forward the primitive of the derivative `Gaussian`, backward the mirror's rule."""

    @staticmethod
    def forward(
        ctx: Any, threshold: Tensor, distance: Tensor, scale: Tensor, rule: Gaussian
    ) -> Tensor:
        hard: Tensor = SpikeFunction.forward(ctx, threshold, distance, scale, rule)
        return torch.special.ndtr(distance / (rule.sigma * scale.abs())).expand_as(hard)


@pytest.fixture
def smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make spikes of the derivative `Gaussian` smooth, and their effects proportional to them.

    The rest is the mirror's: the conditions, and the writes that refractory neurons skip without a
    gradient.
    """
    scales: dict[tuple[NeuronMirror, float], Tensor] = {}
    hard = NeuronMirror._spikes

    def spikes(self: Any, values: dict[str, Tensor], fired: Tensor) -> Tensor:
        if not isinstance(self.backward.derivative, Gaussian):
            return hard(self, values, fired)
        # A rule takes the scale as given; so must the differences, or theta would count twice.
        now = self._stepper.scale(values).detach().clone()
        scale = scales.setdefault((self, float(values["t"])), now)
        distance = self._stepper.distance(values).expand_as(fired)
        spike: Tensor = SmoothSpike.apply(fired, distance, scale, self.backward.derivative)  # type: ignore[no-untyped-call]
        if not self.program.refractory:
            return spike
        detached = self.backward.detach_refractory
        return spike * values["not_refractory" if detached else ACTIVE]

    def written(condition: Tensor, weight: Tensor, value: Any, old: Tensor) -> Tensor:
        if not old.is_floating_point():
            return torch.where(condition, value, old)
        proportional: Tensor = old + weight * (value - old)
        return proportional

    def released(active: Tensor, weight: Tensor) -> Tensor:
        return torch.where(active, 1, weight)

    monkeypatch.setattr(NeuronMirror, "_spikes", spikes)
    monkeypatch.setattr(mirror_gradients, "_written", written)
    monkeypatch.setattr(mirror_gradients, "_released", released)
