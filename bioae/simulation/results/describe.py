"""Attributes of a result that describe its network and its run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.networks.base import NetworkBase
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.results.root import Root
from bioae.simulation.results.tree import build_result

__all__ = ["describe_run", "result_of", "spread_text"]


def result_of(
    network: NetworkBase, images: Presentations, chunk: Chunk, *, target: str, dtype: str
) -> xr.DataTree:
    """Build the result of a network on images, from either side.

    Parameters
    ----------
    network, images
        The network and its images.
    chunk
        The activity in all presentations.
    target, dtype
        The side that ran the network, and its type of state variables.
    """
    root = describe_run(network, images, chunk.output, target=target, dtype=dtype)
    return build_result(layers=chunk.layers, **root)


def describe_run(
    network: NetworkBase,
    images: Presentations,
    output: NDArray[np.float64],
    *,
    target: str,
    dtype: str,
) -> Root:
    """Return the contents of a result's root; the arguments are those of `result_of`."""
    config = network.config
    models = {placed.model.name: placed.model for placed in config.placed}
    root: Root = {
        "images": images.inputs(),
        "repeats": images.repeats,
        "example": images.examples,
        "dt_ms": config.dt_seconds * 1e3,
        "steps": config.steps,
        "target": target,
        "seed": images.seed,
        "neuron_model": "\n".join(model.to_toml() for model in models.values()),
        "network_sha256": network.sha256,
        "label": images.labels,
        "attrs": {"schedule": config.schedule, "dtype": dtype, **_settings(network)},
        "task": config.task.kind,
    }
    if config.task.target == "images":
        root["reconstruction"] = output
    else:
        root["output"] = output
        known = config.task.target == "targets"
        root["desired"] = config.task.known_target(images, config.steps) if known else None
    return root


def _settings(network: NetworkBase) -> dict[str, str]:
    """Return the settings of the layers other than their neurons.

    One text where all layers agree, else one per layer.
    """
    settings = {}
    for name in ("weight", "background", "delay"):
        values = {layer.name: getattr(layer, name) for layer in network.config.layers}
        texts = {
            layer: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for layer, value in values.items()
            if value is not None
        }
        same = len(texts) == len(values) and len(set(texts.values())) == 1
        text = next(iter(texts.values()), "") if same else "; ".join(map(": ".join, texts.items()))
        if text:
            settings[name] = text
    if network.spread:
        settings["spread"] = spread_text(network)
    return settings


def spread_text(network: NetworkBase) -> str:
    """Return the coefficients of variation of a network's parameters, as results store them."""
    return ", ".join(f"{name}={variation:g}" for name, variation in network.spread.items())
