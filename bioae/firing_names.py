"""Names of firing measures, and bursting, the same in training's metrics, results and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Spikes per step above which a neuron bursts; see `bioae.analysis.is_bursting`.
BURSTING_THRESHOLD = 0.5

#: Where bursting would need a higher rate, tables leave it out unless neurons are bursting.
_MOST_HZ = 1000

#: Names of measures of a layer in metrics of earlier versions.
_EARLIER = {
    "density": "rate_per_step_mean",
    "density_alive": "rate_per_step_mean_alive",
    "active": "active_fraction_mean",
    "dead": "dead_fraction",
    "bursting": "bursting_fraction",
}
#: The tables of metrics that hold measures by layer.
_TABLES = ("layers", "test_layers")


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


def with_current_names(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics, of any version, with the current names of firing measures."""
    return {
        name: {layer: _renamed(each) for layer, each in value.items()}
        if name in _TABLES and isinstance(value, Mapping)
        else value
        for name, value in metrics.items()
    }


def _renamed(layer: Any) -> Any:
    if not isinstance(layer, Mapping):
        return layer
    measures = {_EARLIER.get(name, name): value for name, value in layer.items()}
    if "active" in layer and "dead" not in layer:
        # Learning by rules stored the fraction of neurons that fire for any example.
        measures["dead_fraction"] = 1 - measures.pop("active_fraction_mean")
    return measures
