"""Attributes of a result that describe its network and its run."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.networks.network import Network
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.results.root import Root
from bioae.simulation.results.tree import build_result


def result_of(
    network: Network, presented: Presentations, chunk: Chunk, *, target: str, dtype: str
) -> xr.DataTree:
    """Build the result of a network from its activity in all presentations.

    `target` and `dtype` are the side that ran it, and its type of state variables.
    """
    root = describe_run(network, presented, chunk.output, target, dtype)
    return build_result(layers=chunk.layers, **root)


def describe_run(
    network: Network, presented: Presentations, output: NDArray[np.float64], target: str, dtype: str
) -> Root:
    """Return the contents of a result's root; the arguments are those of `result_of`."""
    config, settings = presented.config, dict(network.described())
    root: Root = {
        "images": presented.inputs(),
        "repeats": presented.repeats,
        "example": presented.examples,
        "dt_ms": config.dt_seconds * 1e3,
        "steps": config.steps,
        "target": target,
        "seed": presented.seed,
        "neuron_model": settings.pop("neuron_model"),
        "network_sha256": settings.pop("network_sha256"),
        "label": presented.data.labels,
        "attrs": {"schedule": config.schedule, "dtype": dtype, **settings},
        "task": config.task.kind,
    }
    if config.task.target == "images":
        root["reconstruction"] = output
    else:
        root["output"] = output
        known = config.task.target == "targets"
        root["desired"] = config.task.known_target(presented.data, config.steps) if known else None
    return root
