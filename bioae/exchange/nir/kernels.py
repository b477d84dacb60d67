"""Kernels that slide over images, and those of them that a layer `conv2d` can express."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bioae.exchange.nir.library import nir_error
from bioae.simulation.sharing.layouts import conv2d

Array = NDArray[np.float64]
Pair = tuple[int, int]

#: The most weights of a layer, and neurons of an output.
MOST_UNROLLED = 2**24


@dataclass(frozen=True)
class Kernel:
    """A kernel of any form, and the images that it slides over.

    `weight`: (out, in / groups, y, x).
    `shape`: (channel, y, x) of the images.
    `padding`: rows of zeros above and below, and columns to the left and right.
    `along_line`: whether the images are lines of one row.
    """

    weight: Array
    shape: tuple[int, ...]
    stride: Pair
    padding: tuple[Pair, ...]
    dilation: Pair
    groups: int
    along_line: bool = False

    @property
    def sizes(self) -> Pair:
        """Rows and columns of the output."""
        rows, columns = (
            (n + sum(pad) - d * (k - 1) - 1) // s + 1
            for n, pad, d, k, s in zip(
                self.shape[1:], self.padding, self.dilation, self.weight.shape[2:], self.stride,
                strict=True,
            )
        )  # fmt: skip
        return rows, columns

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the output, as NIR has it."""
        rows, columns = self.sizes
        channels = self.weight.shape[0]
        return (channels, columns) if self.along_line else (channels, rows, columns)

    def check(self, name: str) -> None:
        """Reject a kernel that does not fit the images, by the name of its node."""
        out, per_group = self.weight.shape[:2]
        channels = self.shape[0]
        if per_group * self.groups != channels or out % self.groups:
            raise nir_error(name, "the weights do not fit the channels of the input",
                            expected=f"{channels} channels in {self.groups} groups",
                            found=f"weights of the shape {self.weight.shape}")  # fmt: skip
        if min(self.sizes) < 1:
            raise nir_error(name, "the input is too small", found=f"the shape {self.shape}")
        padded = [n + sum(pad) for n, pad in zip(self.shape[1:], self.padding, strict=True)]
        if max(out * math.prod(self.sizes), channels * math.prod(padded)) > MOST_UNROLLED:
            raise nir_error(name, "the output, or the input with its padding, is too large",
                            expected=f"at most {MOST_UNROLLED:,} neurons",
                            found=f"the shape {self.output_shape}")  # fmt: skip

    def matrix(self) -> Any:
        """Return the sparse matrix (target, source)."""
        inside = np.pad(np.ones(self.shape, bool), ((0, 0), *self.padding))
        out, _, *taps = self.weight.shape
        channels, rows, columns = inside.shape
        unrolled = conv2d(
            (channels, rows, columns), out, kernel=(taps[0], taps[1]), stride=self.stride,
            dilation=self.dilation, groups=self.groups,
        ).unrolled()  # fmt: skip
        entries = (self.weight.ravel()[unrolled.weight], (unrolled.target, unrolled.source))
        size = (math.prod(self.output_shape), inside.size)
        return sparse.coo_array(entries, shape=size).tocsr()[:, inside.ravel()]

    def squared(self) -> Kernel | None:
        """Return the kernel as a layer `conv2d` has it, or None if there is none.

        It is square, with zeros around the taps, and has one stride, padding and dilation.
        """
        rows, columns = self.weight.shape[2:]
        # The dilation of a single tap has no effect.
        dilations = {d for k, d in zip((rows, columns), self.dilation, strict=True) if k > 1}
        (stride, other), dilation = self.stride, max(dilations, default=1)
        if stride != other or len(dilations) > 1:
            return None
        pairs = math.prod(self.weight.shape[:2])
        for size in range(max(rows, columns), 2 * max(rows, columns) + 1):
            if pairs * size**2 > MOST_UNROLLED:
                return None
            for padding in self._paddings(size, stride, dilation):
                # The zeros before the taps, which move the first one.
                before = [divmod(padding - pad[0], dilation) for pad in self.padding]
                (first, _), (second, _) = before
                fits = all(not rest for _, rest in before)
                if fits and 0 <= first <= size - rows and 0 <= second <= size - columns:
                    weight = np.zeros((*self.weight.shape[:2], size, size))
                    weight[:, :, first : first + rows, second : second + columns] = self.weight
                    around = ((padding, padding),) * 2
                    return Kernel(
                        weight, self.shape, self.stride, around, (dilation,) * 2, self.groups
                    )
        return None

    def _paddings(self, size: int, stride: int, dilation: int) -> range:
        """Return the paddings with which a square kernel of a size has the same output."""
        reach = dilation * (size - 1) + 1
        shape = zip(self.shape[1:], self.sizes, strict=True)
        least = [stride * (m - 1) + reach - n for n, m in shape]
        first = max(0, *(-(-each // 2) for each in least))
        return range(first, min((each + stride - 1) // 2 for each in least) + 1)

    def scaled(self, factors: Array) -> Kernel:
        """Return the kernel times a factor per output channel."""
        return replace(self, weight=self.weight * factors[:, None, None, None])

    def passed(self, values: Array) -> Array:
        """Return the output (channel) for images that have one value per channel."""
        per_channel = ungrouped(self.weight, self.groups).sum((2, 3))
        return np.asarray(per_channel @ values)

    def followed_by(self, last: Kernel) -> Kernel | None:
        """Return one kernel for this one and another after it, both square; None without one."""
        size, stride, around = self.weight.shape[2], self.stride[0], self.padding[0][0]
        # Zeros around the image in between stand for windows of zeros, if windows do not overlap.
        left = [(n + 2 * around - size) % stride for n in self.shape[1:]]
        alone = self.groups == len(self.weight) == self.shape[0] and self.dilation == (1, 1)
        if any(last.padding[0]) and (not alone or around or size > stride or any(left)):
            return None
        reach = (size - 1) * self.dilation[0] + 1
        taps, apart = last.weight.shape[2], last.dilation[0] * stride
        groups, product = self._product(last)
        sizes = ((taps - 1) * apart + reach,) * 2
        weight = np.zeros((*product(last.weight[..., 0, 0]).shape[:2], *sizes))
        for row in range(taps):
            for column in range(taps):
                rows, columns = (
                    slice(each * apart, each * apart + reach, self.dilation[0])
                    for each in (row, column)
                )
                weight[:, :, rows, columns] += product(last.weight[..., row, column])
        padding = ((around + last.padding[0][0] * stride,) * 2,) * 2
        strides = (stride * last.stride[0],) * 2
        joined = Kernel(weight, self.shape, strides, padding, (1, 1), groups)
        return joined if joined.output_shape == last.output_shape else None

    def _product(self, last: Kernel) -> tuple[int, Callable[[Array], Array]]:
        """Return the groups of this kernel and one after it, and the product with one of its taps.

        The tap is (out, in / groups), the product (out, in / groups, y, x).
        """
        first = self.weight
        if self.groups == len(first) == self.shape[0]:
            # Each channel alone: the groups are those of the last kernel.
            out, per_group = last.weight.shape[:2]
            group = np.arange(out) // (out // last.groups)
            channel = group[:, None] * per_group + np.arange(per_group)
            return last.groups, lambda tap: tap[..., None, None] * first[channel, 0]
        if last.groups == len(last.weight) == len(first):
            return self.groups, lambda tap: tap[..., None, None] * first
        every = ungrouped(first, self.groups)

        def product(tap: Array) -> Array:
            mixing = ungrouped(tap[..., None, None], last.groups)[..., 0, 0]
            return np.asarray(np.tensordot(mixing, every, 1), np.float64)

        return 1, product

    def table(self) -> dict[str, Any]:
        """Return the keys of the layer `conv2d` with these connections, of a square kernel."""
        return {
            "kind": "conv2d",
            "channels": self.weight.shape[0],
            "kernel": self.weight.shape[2],
            "stride": self.stride[0],
            "padding": self.padding[0][0],
            "dilation": self.dilation[0],
            "groups": self.groups,
        }


def ungrouped(weight: Array, groups: int) -> Array:
    """Return weights (out, in, y, x), with zeros between groups."""
    out, per_group = weight.shape[:2]
    full = np.zeros((out, per_group * groups, *weight.shape[2:]))
    for each in range(out):
        start = each // (out // groups) * per_group
        full[each, start : start + per_group] = weight[each]
    return full
