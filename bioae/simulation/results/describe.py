"""Attributes of a result that describe its network and its run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.networks.base import NetworkBase
from bioae.networks.own_parameters import own_texts
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.results.root import Root
from bioae.simulation.results.tree import build_result

__all__ = ["describe_run", "result_of", "spread_text"]

#: The settings of layers that are attributes of a result.
_SETTINGS = ("weight", "background", "delay")


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
    # Without the parameters of layers, which are an attribute of their own.
    files = [config.model(layer.neuron or config.neuron) for layer in config.layers]
    models = {model.name: model for model in files}
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
        root["desired"] = config.task.known_target(images.data, config.steps) if known else None
    return root


def _settings(network: NetworkBase) -> dict[str, str]:
    """Return the settings of the layers, and what they do not take from their model's file.

    One text where all layers agree, else one per layer.
    """
    layers = network.config.layers
    named = {name: {each.name: getattr(each, name) for each in layers} for name in _SETTINGS}
    named["parameters"] = {
        placed.name: tuple(own_texts(placed, network.weights)) or None
        for placed in network.config.placed
    }
    settings = {}
    for name, values in named.items():
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
