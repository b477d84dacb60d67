"""The fields of NIR's convolutions and pooling, checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bioae.exchange.nir.kernels import Kernel
from bioae.exchange.nir.library import Graph, array_of, nir_error

#: The largest size of a field.
_MOST = 10**6


def pairs(name: str, node: Graph, field: str, axes: int = 2) -> tuple[int, int]:
    """Return a field of a node for rows and columns; one number holds for both."""
    values = array_of(name, node, field).ravel()
    if values.size not in (1, axes) or (values != np.trunc(values)).any():
        raise nir_error(name, f"{field} does not fit", expected=f"{axes} whole numbers",
                        found=getattr(node, field))  # fmt: skip
    if not (values >= (0 if field == "padding" else 1)).all() or (values > _MOST).any():
        raise nir_error(name, f"{field} is out of bounds", found=getattr(node, field))
    rows, columns = np.broadcast_to(values, 2)
    return int(rows), int(columns)


def kernel_of(name: str, node: Graph, shape: tuple[int, ...]) -> Kernel:
    """Return the kernel of a convolution; one along a line is one of images of one row.

    The shape of the input is (channel, x) or (channel, y, x), perhaps after an axis of examples.
    """
    axes = 1 if type(node).__name__ == "Conv1d" else 2
    weight = array_of(name, node, "weight")
    leading = len(shape) - axes - 1
    if leading > 0 and math.prod(shape[:leading]) == 1:
        shape = shape[leading:]
    if len(shape) != axes + 1 or weight.ndim != axes + 2:
        raise nir_error(name, "the weights do not fit the input",
                        expected=f"(out, in, {'y, x' if axes == 2 else 'x'}) for an input {shape}",
                        found=f"the shape {weight.shape}")  # fmt: skip
    stride, dilation = (pairs(name, node, each, axes) for each in ("stride", "dilation"))
    groups = pairs(name, node, "groups", 1)[0]
    around = _padding(name, node, weight.shape[2:], dilation, stride)
    if axes == 1:
        weight = weight[:, :, None]
        around = ((0, 0), around[1])
        shape = (shape[0], 1, shape[1])
    return Kernel(weight, shape, stride, around, dilation, groups, along_line=axes == 1)


def _padding(
    name: str, node: Graph, kernel: tuple[int, ...], dilation: Any, stride: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return rows of zeros above and below, and columns to the left and right."""
    padding = node.padding
    if isinstance(padding, bytes):
        padding = padding.decode("utf8", "replace")
    if not isinstance(padding, str):
        rows, columns = pairs(name, node, "padding", len(kernel))
        return (rows, rows), (columns, columns)
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding != "same":
        raise nir_error(name, "padding does not fit", expected="numbers, 'same' or 'valid'",
                        found=padding)  # fmt: skip
    if stride != (1, 1):
        raise nir_error(name, "padding 'same' needs a stride of 1", found=f"a stride of {stride}")
    kernel = kernel if len(kernel) == 2 else (1, *kernel)
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    # The odd one of an even kernel is at the far end, as in PyTorch.
    rows_around, columns_around = ((total // 2, total - total // 2) for total in totals)
    return rows_around, columns_around
