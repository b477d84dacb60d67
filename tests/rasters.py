"""Results of one layer, made of the raster of its spikes, and rasters for properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_names
from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.tree import build_result

#: Spikes (example, step, neuron).
Raster = NDArray[np.bool_]


def make(raster: Raster, name: str = "latent", shape: Any = None, **changes: Any) -> xr.DataTree:
    """Build a result of one layer from its raster (example, [repeat,] step, neuron)."""
    examples, *repeats, steps, neurons = raster.shape
    flat = raster.reshape(-1, steps, neurons)
    example, step, neuron = np.nonzero(flat)
    layer = LayerSpikes.of(
        name, shape or (neurons,),
        example=example, step=step, neuron=neuron, examples=len(flat), steps=steps,
    )  # fmt: skip
    arguments: dict[str, Any] = {
        "images": np.full((examples, 1, 2, 2), 0.5),
        "reconstruction": np.full((len(flat), 1, 2, 2), 0.5),
        "example": np.arange(examples), "layers": [layer], "dt_ms": 0.5, "steps": steps,
        "target": "numpy", "seed": 1, "neuron_model": "a model", "network_sha256": "abc",
        "repeats": repeats[0] if repeats else 1,
    }  # fmt: skip
    if "output" in changes:
        del arguments["reconstruction"]
    return build_result(**(arguments | changes))


def of_layers(
    results: Mapping[str, xr.DataTree], function: Callable[[xr.DataTree, str], Any]
) -> dict[str, dict[str, Any]]:
    """Return what a function finds in each layer of each result, as plots take it."""
    return {
        name: {layer: function(tree, layer) for layer in layer_names(tree)}
        for name, tree in results.items()
    }


def rasters(
    examples: tuple[int, int] = (1, 4),
    steps: tuple[int, int] = (1, 5),
    neurons: tuple[int, int] = (1, 6),
) -> st.SearchStrategy[Raster]:
    """Return random rasters of sizes between these."""
    return arrays(bool, st.tuples(*(st.integers(*each) for each in (examples, steps, neurons))))


def _except(value: bool, shape: tuple[int, ...], *places: tuple[int, ...]) -> Raster:
    raster = np.full(shape, value)
    for place in places:
        raster[place] = not value
    return raster


#: What random numbers rarely produce: silence, saturation, equal trains, and a single spike.
ODD: tuple[Raster, ...] = (
    np.zeros((2, 5, 2), bool),
    np.ones((3, 9, 2), bool),
    np.repeat(np.random.default_rng(1).random((2, 12, 1)) < 0.4, 3, axis=2),
    _except(False, (3, 6, 2), (1, 2, 0)),
)
#: Nearly constant firing, whose mean is far larger than the deviations from it.
NEARLY = _except(True, (300, 30, 3), (7, 3, 1), (7, 4, 2), (9, 4, 2))


def properties(
    strategy: st.SearchStrategy[Raster], *more: Raster, **others: tuple[st.SearchStrategy[Any], Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on random rasters, `ODD` ones and more; others have a strategy and one value."""

    def decorated(test: Callable[..., None]) -> Callable[..., None]:
        for raster in (*ODD, *more):
            test = example(raster=raster, **{name: one for name, (_, one) in others.items()})(test)
        return given(raster=strategy, **{name: each for name, (each, _) in others.items()})(test)

    return decorated
