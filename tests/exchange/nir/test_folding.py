"""Chains of operations that become one layer's connections, compared with PyTorch's."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
from exchange.nir.graphs import Drawn
from refusals import refused

from bioae.errors import InputError
from bioae.exchange.nir import from_nir
from bioae.exchange.nir.folding import Fold, folded

torch = pytest.importorskip("torch")

Shape = tuple[int, ...]


def applied(fold: Fold, x: Any) -> Any:
    """Return the output of a fold for an input, flat."""
    matrix = fold.as_matrix("x")
    return matrix.matrix @ x.ravel() + (0.0 if matrix.bias is None else matrix.bias)


def in_torch(node: Any, x: Any) -> Any:
    """Return the output of an operation of NIR for an input without a batch axis."""
    functional = torch.nn.functional
    tensor = lambda field: torch.as_tensor(np.asarray(getattr(node, field), float))  # noqa: E731
    ints = lambda field: [int(n) for n in np.ravel(getattr(node, field))]  # noqa: E731
    match type(node).__name__:
        case "Conv1d" | "Conv2d" as kind:
            convolve = getattr(functional, kind.lower())
            padding = node.padding if isinstance(node.padding, str) else ints("padding")
            return convolve(x, tensor("weight"), tensor("bias"), ints("stride"), padding,
                            ints("dilation"), node.groups)  # fmt: skip
        case "SumPool2d" | "AvgPool2d" as kind:
            sizes = ints("kernel_size"), ints("stride"), ints("padding")
            mean = functional.avg_pool2d(x, *sizes)
            return mean if kind == "AvgPool2d" else mean * float(np.prod(sizes[0]))
        case "Linear":
            return tensor("weight") @ x
        case "Affine":
            return tensor("weight") @ x + tensor("bias")
        case "Scale":
            return x * tensor("scale")
        case "Flatten":
            return x.flatten(node.start_dim, node.end_dim)
    raise TypeError(type(node).__name__)


# PyTorch warns that it copies what it pads unevenly.
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("dimensions", [2, 3])
def test_random_chains_are_those_of_torch(dimensions: int) -> None:
    kernels = 0
    for seed in range(150):
        drawn = Drawn(seed)
        shape: Shape = tuple(int(n) for n in drawn.rng.integers(4, 9, dimensions))
        shape = (int(drawn.rng.choice([1, 2, 4])), *shape[1:])
        image = shape if dimensions == 3 else (shape[0], 1, shape[1])
        source, operations = shape, []
        x = torch.as_tensor(drawn.rng.normal(size=shape))
        y = x
        for place in range(int(drawn.rng.integers(1, 5))):
            node, shape = drawn.operation(shape, delays=False)
            operations.append((f"{place}", node))
            y = in_torch(node, y)
        fold = folded(tuple(operations), source, image=image)
        kernels += fold.kernel is not None
        assert fold.shape == shape == tuple(y.shape)
        np.testing.assert_allclose(applied(fold, x.numpy()), y.numpy().ravel(), atol=1e-12)
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
