"""An example result with all features that the analysis measures, for documentation and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.checks import whole

if TYPE_CHECKING:
    from bioae.simulation.results.chunk import LayerSpikes

_EXAMPLES, _SIDE, _STEPS, _DT_MS = 12, 12, 20, 1.0


def example_result(seed: int = 0) -> xr.DataTree:
    """Return a synthetic result: blurred blobs, a healthy layer, a half dead, half bursting one.

    Nothing was simulated. Equal seeds give equal results.

    Parameters
    ----------
    seed
        The seed of the blobs' positions and of the spikes.
    """
    # The format is defined once, by the writer.
    from bioae.simulation.results.tree import build_result

    rng = np.random.default_rng(whole(seed, "seed"))
    centre = rng.uniform(3, _SIDE - 3, (2, _EXAMPLES, 1, 1, 1))
    y, x = np.mgrid[:_SIDE, :_SIDE]
    images = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * 1.5**2))
    noise = 0.03 * rng.standard_normal(images.shape)
    layers = [
        _layer("conv", (4, 6, 6), rng.uniform(0.02, 0.2, 144), rng),
        _layer("latent", (10,), np.repeat([0.0, 0.9], 5), rng),
        _layer("output", (1, _SIDE, _SIDE), rng.uniform(0.0, 0.1, _SIDE**2), rng),
    ]
    return build_result(
        images=images,
        reconstruction=np.clip(0.9 * images + noise, 0, 1),
        example=np.arange(100, 100 + _EXAMPLES),
        label=rng.integers(0, 10, _EXAMPLES),
        layers=layers,
        dt_ms=_DT_MS,
        steps=_STEPS,
        target="example",
        seed=seed,
        neuron_model='equations = "dv/dt = -v/tau : 1"',
        network_sha256="0" * 64,
    )


def _layer(
    name: str, shape: tuple[int, ...], density: NDArray[np.float64], rng: np.random.Generator
) -> LayerSpikes:
    from bioae.simulation.results.chunk import LayerSpikes

    spikes = rng.random((_EXAMPLES, _STEPS, density.size)) < density
    example, step, neuron = np.nonzero(spikes)
    return LayerSpikes.of(
        name, shape,
        example=example, step=step, neuron=neuron, examples=_EXAMPLES, steps=_STEPS,
    )  # fmt: skip
