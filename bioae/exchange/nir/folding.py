"""Linear operations between two populations, folded into the connections of one layer.

A fold starts as the identity. Each operation changes it: convolutions and pooling make a kernel,
which stays one as long as a layer `conv2d` can express it, and everything else a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bioae.exchange.nir.kernels import MOST_UNROLLED, Kernel
from bioae.exchange.nir.library import Graph, array_of, nir_error
from bioae.exchange.nir.spatial import kernel_of, pairs

Array = NDArray[np.float64]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Fold:
    """Operations from one population to the next.

    `shape`: the shape of the output, as NIR has it.
    `source`: the number of neurons of the source.
    `image`: the source as a layer of (channel, y, x), over which a kernel may slide; None if the
        source is no image.
    `kernel`: the kernel; None for a matrix.
    `matrix`: (target, source), an array or a sparse one; None for a kernel. Both are None for the
        identity.
    `bias`: added to the output, per channel of a kernel or per target; None for 0.
    `delay`: of all connections, in seconds.
    `source_delay`, `target_delay`: in addition, of each source and target; None for 0.
    `steps`: what became of each node, in order.
    """

    shape: Shape
    source: int
    image: Shape | None = None
    kernel: Kernel | None = None
    matrix: Any = None
    bias: Array | None = None
    delay: float = 0.0
    source_delay: Array | None = None
    target_delay: Array | None = None
    steps: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)

    @property
    def size(self) -> int:
        """The number of targets."""
        return math.prod(self.shape)

    @property
    def is_identity(self) -> bool:
        """True as long as nothing was folded but delays and shapes."""
        return self.kernel is None and self.matrix is None

    def as_matrix(self, name: str) -> Fold:
        """Return the fold with a matrix, unless the node `name` would make the layer too large."""
        if self.matrix is None:
            check_unrolled(name, self.size, self.source)
        return self._unrolled()

    def _unrolled(self) -> Fold:
        if self.matrix is not None:
            return self
        if self.kernel is None:
            return replace(self, matrix=sparse.eye_array(self.source, format="csr"))
        matrix = self.kernel.matrix()
        bias = self.bias
        if bias is not None:
            bias = np.repeat(bias, matrix.shape[0] // len(bias))
        return replace(self, kernel=None, matrix=matrix, bias=bias)

    def then(self, name: str, matrix: Any, shape: Shape) -> Fold:
        """Return the fold followed by a matrix (target, source)."""
        self._check_mixing(name)
        if self.is_identity:
            return replace(self, matrix=matrix, shape=shape)
        check_unrolled(name, matrix.shape[0], self.source)
        before = self._unrolled()  # of any size: it is sparse, and multiplied at once
        bias = None if before.bias is None else np.asarray(matrix @ before.bias)
        return replace(before, matrix=_product(matrix, before.matrix), bias=bias, shape=shape)

    def plus(self, bias: Array) -> Fold:
        """Return the fold with something added to its output (channel,) or (target,)."""
        if not bias.any():
            return self
        return replace(self, bias=bias if self.bias is None else self.bias + bias)

    def _check_mixing(self, name: str) -> None:
        if self.target_delay is not None:
            raise nir_error(
                name, "this node sums what arrives with different delays",
                expected="neurons after delays that differ, or one delay",
            )  # fmt: skip


def folded(
    operations: tuple[tuple[str, Graph], ...], source: Shape, *, image: Shape | None
) -> Fold:
    """Return operations, names and nodes in order, as the connections of one layer.

    `source` is the shape of their input, as NIR has it, `image` that of the layer before, see
    `Fold`. Raise InputError if a node does not fit its input, or the layer would be too large.
    """
    fold = Fold(source, math.prod(source), image)
    for name, node in operations:
        kind = type(node).__name__
        fold, becomes = _RULES[kind](fold, name, node)
        fold = replace(fold, steps=(*fold.steps, (name, kind, becomes)))
    return fold


def check_unrolled(name: str, targets: int, sources: int) -> None:
    """Reject a dense layer that is too large, by the node that needs it."""
    if targets * sources > MOST_UNROLLED:
        raise nir_error(
            name, "this needs one weight for every pair of neurons",
            expected=f"at most {MOST_UNROLLED:,} weights", found=f"{targets:,} x {sources:,}",
        )  # fmt: skip


def _product(last: Any, first: Any) -> Any:
    if not isinstance(first, np.ndarray) and isinstance(last, np.ndarray):
        return (first.T @ last.T).T
    return last @ first


def _linear(fold: Fold, name: str, node: Graph) -> tuple[Fold, str]:
    weight = array_of(name, node, "weight")
    if weight.ndim != 2:
        raise nir_error(name, "there is no rule for such weights", expected="a matrix",
                        found=f"the shape {weight.shape}")  # fmt: skip
    targets, sources = weight.shape
    leading, last = fold.shape[:-1], fold.shape[-1] if fold.shape else 1
    fits = (math.prod(leading) == 1 and last == sources) or (
        fold.size == sources and last != sources
    )
    if not fits:
        raise nir_error(name, "the weights do not fit the input",
                        expected=f"a matrix of {fold.size} columns",
                        found=f"the shape {weight.shape}")  # fmt: skip
    composed = not fold.is_identity
    fold = fold.then(name, weight, (targets,))
    becomes = "weights"
    if type(node).__name__ == "Affine":
        bias = _bias(name, node, targets)
        fold = fold.plus(bias)
        becomes += " and bias" if bias.any() else ""
    return fold, f"{becomes}, multiplied by those before" if composed else becomes


def _bias(name: str, node: Graph, count: int) -> Array:
    bias = array_of(name, node, "bias")
    if bias.size not in (1, count):
        raise nir_error(name, "the bias does not fit", expected=f"{count} numbers",
                        found=f"the shape {bias.shape}")  # fmt: skip
    return np.broadcast_to(bias.ravel(), count).copy()


def _convolution(fold: Fold, name: str, node: Graph) -> tuple[Fold, str]:
    kernel = kernel_of(name, node, fold.shape)
    fold, becomes = _slide(fold, name, kernel)
    if node.bias is None:
        return fold, becomes
    channels = len(kernel.weight)
    bias = _bias(name, node, channels)
    each = 1 if fold.kernel is not None else math.prod(kernel.output_shape) // channels
    return fold.plus(np.repeat(bias, each)), f"{becomes} and bias" if bias.any() else becomes


def _pool(fold: Fold, name: str, node: Graph) -> tuple[Fold, str]:
    size, stride, padding = (pairs(name, node, f) for f in ("kernel_size", "stride", "padding"))
    if len(fold.shape) != 3:
        raise nir_error(name, "pooling needs an input of (channel, y, x)", found=fold.shape)
    channels = fold.shape[0]
    value = 1.0 if type(node).__name__ == "SumPool2d" else 1 / math.prod(size)
    weight = np.full((channels, 1, *size), value)
    around = tuple((each, each) for each in padding)
    return _slide(fold, name, Kernel(weight, fold.shape, stride, around, (1, 1), channels))


def _slide(fold: Fold, name: str, sliding: Kernel) -> tuple[Fold, str]:
    """Return a fold followed by a kernel that slides over its output."""
    sliding.check(name)
    shape = sliding.output_shape
    fold._check_mixing(name)
    source = fold.image if fold.kernel is None else fold.kernel.output_shape
    kernel = sliding.squared() if sliding.shape == source else None
    if kernel is not None and fold.is_identity:
        return replace(fold, kernel=kernel, shape=shape), "kernel"
    if (
        kernel is not None
        and fold.kernel is not None
        and (fold.bias is None or not any(kernel.padding[0]))
        and (joined := fold.kernel.followed_by(kernel))
    ):
        bias = None if fold.bias is None else kernel.passed(fold.bias)
        fold = replace(fold, kernel=joined, shape=shape, bias=bias)
        return fold, "kernel, joined with the one before"
    check_unrolled(name, math.prod(shape), fold.source)
    return fold.then(name, sliding.matrix(), shape), "unrolled into weights"


def _scale(fold: Fold, name: str, node: Graph) -> tuple[Fold, str]:
    scale = array_of(name, node, "scale")
    values = broadcast(name, "scale", scale, fold.shape)
    if fold.kernel is not None:
        each = values.reshape(fold.kernel.output_shape[0], -1)
        if (each == each[:, :1]).all():
            kernel = fold.kernel.scaled(each[:, 0])
            bias = None if fold.bias is None else fold.bias * each[:, 0]
            return replace(fold, kernel=kernel, bias=bias), "multiplied into the kernel"
    before = fold.as_matrix(name)
    bias = None if before.bias is None else before.bias * values.ravel()
    matrix = sparse.diags_array(values.ravel(), format="csr") @ before.matrix
    return replace(before, matrix=matrix, bias=bias), "multiplied into the weights"


def _flatten(fold: Fold, name: str, node: Graph) -> tuple[Fold, str]:
    dimensions = len(fold.shape)
    axes = (array_of(name, node, each).ravel()[0] for each in ("start_dim", "end_dim"))
    first, last = (int(axis) + dimensions * (axis < 0) for axis in axes)
    if not 0 <= first <= last + 1 <= dimensions:
        raise nir_error(name, "the axes do not fit the input",
                        expected=f"axes of the shape {fold.shape}",
                        found=f"{node.start_dim} to {node.end_dim}")  # fmt: skip
    shape = fold.shape
    if first <= last:
        shape = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    return replace(fold, shape=shape), "the order of the neurons, which stays"


def _delay(fold: Fold, name: str, node: Graph) -> tuple[Fold, str]:
    values = broadcast(name, "delay", array_of(name, node, "delay"), fold.shape).ravel()
    if (values < 0).any():
        raise nir_error(name, "a delay is negative", found=values.min())
    if fold.bias is not None and values.any():
        raise nir_error(
            name, "this delays a bias, which would be 0 at first and not constant",
            hint="Put the delay before the operation with the bias",
        )  # fmt: skip
    if (values == values[0]).all():
        return replace(fold, delay=fold.delay + float(values[0])), "delay"
    place = "source_delay" if fold.is_identity else "target_delay"
    before = getattr(fold, place)
    changes: dict[str, Any] = {place: values if before is None else before + values}
    return replace(fold, **changes), "delay"


def broadcast(name: str, field_name: str, values: Array, shape: Shape) -> Array:
    """Return a parameter of every neuron, in their shape: it may have a batch axis, or be flat."""
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    each = values
    while each.ndim > len(shape) and len(each) == 1:
        each = each[0]
    # Fewer axes than the neurons have could be channels as well as columns.
    if each.ndim == len(shape) and all(n in (1, m) for n, m in zip(each.shape, shape, strict=True)):
        return np.broadcast_to(each, shape)
    while each.ndim > 1 and len(each) == 1:
        each = each[0]
    if each.shape == (math.prod(shape),):
        return each.reshape(shape)
    raise nir_error(name, f"{field_name} does not fit the neurons",
                    expected=f"the shape {shape}, flat, or one number",
                    found=f"the shape {values.shape}")  # fmt: skip


_RULES: dict[str, Callable[[Fold, str, Graph], tuple[Fold, str]]] = {
    "Linear": _linear,
    "Affine": _linear,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Scale": _scale,
    "Flatten": _flatten,
    "Delay": _delay,
}
