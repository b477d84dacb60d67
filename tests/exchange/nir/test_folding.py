"""Chains of operations that become one layer's connections, compared with PyTorch's."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
from exchange.nir.euler import operated
from exchange.nir.graphs import Drawn
from refusals import refused

from bioae.errors import InputError
from bioae.exchange.nir import from_nir
from bioae.exchange.nir.folding import Fold, folded

Shape = tuple[int, ...]


def applied(fold: Fold, x: Any) -> Any:
    """Return the output of a fold for an input, flat."""
    matrix = fold.as_matrix("x")
    return matrix.matrix @ x.ravel() + (0.0 if matrix.bias is None else matrix.bias)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_random_chains_are_those_of_torch(dimensions: int) -> None:
    kernels = 0
    for seed in range(150):
        drawn = Drawn(seed)
        shape: Shape = tuple(int(n) for n in drawn.rng.integers(4, 9, dimensions))
        shape = (int(drawn.rng.choice([1, 2, 4])), *shape[1:])
        image = shape if dimensions == 3 else (shape[0], 1, shape[1])
        source, operations = shape, []
        x = drawn.rng.normal(size=shape)
        y = x
        for place in range(int(drawn.rng.integers(1, 5))):
            node, shape = drawn.operation(shape, delays=False)
            operations.append((f"{place}", node))
            y = operated(node, y)
        fold = folded(tuple(operations), source, image=image)
        kernels += fold.kernel is not None
        assert fold.shape == shape == y.shape
        np.testing.assert_allclose(applied(fold, x), y.ravel(), atol=1e-12)
    assert kernels > 15


def test_a_scale_of_each_pixel_is_refused_before_it_takes_the_memory() -> None:
    shape = (1, 256, 256)
    conv = nir.Conv2d(None, np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1))
    scale = nir.Scale(np.random.default_rng(0).random(shape))
    neurons = nir.IF(np.ones(shape), np.ones(shape))
    nodes = nir.Input({"input": np.array(shape)}), conv, scale, neurons
    graph = nir.NIRGraph.from_list(*nodes, type_check=False)
    with refused(InputError, "'scale'", where="NIR node 'scale'"):
        from_nir(graph, dt="1*ms")
