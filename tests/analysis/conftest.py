"""Builders of small results with known counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.tree import build_result

Make = Callable[..., xr.DataTree]


def make_result(raster: NDArray[np.bool_], name: str = "latent", **changes: Any) -> xr.DataTree:
    """Build a result of one layer from its raster (example, step, neuron)."""
    examples, steps, neurons = raster.shape
    example, step, neuron = np.nonzero(raster)
    layer = LayerSpikes.of(
        name, (neurons,),
        example=example, step=step, neuron=neuron, examples=examples, steps=steps,
    )  # fmt: skip
    images = np.full((examples, 1, 2, 2), 0.5)
    arguments: dict[str, Any] = {
        "images": images,
        "reconstruction": images,
        "example": np.arange(examples),
        "layers": [layer],
        "dt_ms": 0.5,
        "steps": steps,
        "target": "numpy",
        "seed": 1,
        "neuron_model": "a model",
        "network_sha256": "abc",
    }
    if "output" in changes:
        del arguments["reconstruction"]
    return build_result(**(arguments | changes))


@pytest.fixture(scope="session")
def make() -> Make:
    """Return the builder of one-layer results."""
    return make_result


@pytest.fixture
def counted() -> xr.DataTree:
    """Return 3 examples, 4 steps of 0.5 ms and 5 neurons, with known statistics.

    Neuron 0 is dead; 1 spikes once in total; 2 in every step of example 0 and nowhere else; 3 once
    in each of examples 0 and 1; 4 in two of the four steps of example 0. Example 2 is silent.
    """
    raster = np.zeros((3, 4, 5), bool)
    raster[1, 3, 1] = True
    raster[0, :, 2] = True
    raster[0, 1, 3] = raster[1, 2, 3] = True
    raster[0, :2, 4] = True
    return make_result(raster)
