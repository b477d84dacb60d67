"""Bursting, the same in training's metrics, results and reports."""

from __future__ import annotations

from typing import Any

#: Spikes per step above which a neuron bursts; see `bioae.analysis.is_bursting`.
BURSTING_THRESHOLD = 0.5

#: Where bursting would need a higher rate, tables leave it out unless neurons are bursting.
_MOST_HZ = 1000


def bursts(spikes: Any, responses: Any, steps: int, threshold: float = BURSTING_THRESHOLD) -> Any:
    """Return whether neurons spike in more than a part of the steps of examples they respond to.

    `spikes` and `responses` are arrays per neuron: the total count, and the number of examples with
    a spike.
    """
    return spikes > threshold * steps * responses


def bursting_note(dt_ms: float, threshold: float = BURSTING_THRESHOLD) -> str:
    """Return why no neuron bursts in steps so short that it would need an impossible rate."""
    limit = 1e3 * threshold / dt_ms
    if limit <= _MOST_HZ:
        return ""
    rate = f"{threshold:g} spikes per step, here {limit:,.0f} Hz"
    return f"Bursting neurons fire more than {rate}: see the burst index of an analysis instead."
