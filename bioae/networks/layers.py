"""Layers: the shape of a population, its neuron model, and the connections that feed it."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict, model_validator

from bioae.fields import Count, Natural, Positive, Size
from bioae.networks.layer_base import (
    Connections,
    Index,
    LayerBase,
    Shape,
    all_to_all,
)


class _Neurons(LayerBase):
    """Base of layers whose size does not follow from their input."""

    shares_weights: ClassVar[bool] = False

    units: Size | None = Field(None, description="the number of neurons; or give `shape`")
    shape: Annotated[tuple[Size, Size, Size], Strict(False)] | None = Field(
        None, description="(channel, y, x) of the population, if it is an image"
    )
    gain: Positive = Field(2.0, description="scale of the initial weights")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.units is None) == (self.shape is None):
            raise ValueError(f"a {self.kind} layer has either `units` or `shape`")  # type: ignore[attr-defined]
        return self

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron,), or the image's shape."""
        return self.shape if self.shape is not None else (self.units or 0,)


class Dense(_Neurons):
    """A fully connected layer; weights (neuron, input)."""

    kind: Literal["dense"] = "dense"

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron, input)."""
        return math.prod(self.output_shape(input_shape)), math.prod(input_shape)

    def fan_in(self, input_shape: Shape) -> int:
        """Return the number of inputs."""
        return math.prod(input_shape)

    def connections(self, input_shape: Shape) -> Connections:
        """Return all pairs."""
        return all_to_all(*reversed(self.weight_shape(input_shape)))


class Sparse(_Neurons):
    """A layer with some of all connections; weights (synapse).

    Synapses are arrays of the network, drawn at random unless they are given: several may join the
    same two neurons.
    """

    kind: Literal["sparse"] = "sparse"
    listed: ClassVar[bool] = True

    probability: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="the share of all pairs that are connected"
    )
    indegree: Size | None = Field(None, description="the number of synapses of each neuron")
    synapses: Count | None = Field(None, description="the number of all synapses")

    @model_validator(mode="after")
    def _one_number(self) -> Sparse:
        if sum(each is not None for each in (self.probability, self.indegree, self.synapses)) != 1:
            raise ValueError("expected one of `probability`, `indegree` and `synapses`")
        return self

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (synapse,)."""
        targets, sources = math.prod(self.output_shape(input_shape)), math.prod(input_shape)
        if self.synapses is not None:
            return (self.synapses,)
        if self.indegree is not None:
            return (self.indegree * targets,)
        return (max(round((self.probability or 0.0) * targets * sources), 1),)

    def fan_in(self, input_shape: Shape) -> int:
        """Return the mean number of synapses of a neuron."""
        (synapses,) = self.weight_shape(input_shape)
        return max(round(synapses / math.prod(self.output_shape(input_shape))), 1)

    def connections(self, input_shape: Shape) -> Connections:
        """Raise an error: the synapses are arrays of the network."""
        raise TypeError("the synapses of a sparse layer are arrays of the network")


class _Convolution(LayerBase):
    channels: Size = Field(description="output channels")
    kernel: Size = Field(description="rows and columns of the kernel")
    stride: Size = Field(
        1, description="rows and columns from one position of the kernel to the next"
    )
    padding: Natural = Field(0, description="rows and columns of zeros around the image")
    dilation: Size = Field(1, description="rows and columns from one tap of the kernel to the next")
    groups: Size = Field(1, description="groups of channels, each connected within itself")

    #: Whether the kernel slides over the output (transposed) rather than over the input.
    transposed: ClassVar[bool]

    def _check(self, input_shape: Shape) -> tuple[int, int, int]:
        if len(input_shape) != 3:
            raise ValueError(f"expected an input of (channel, y, x), found {input_shape}")
        channels, height, width = input_shape
        for count, which in ((channels, "input"), (self.channels, "output")):
            if count % self.groups:
                raise ValueError(f"{self.groups} groups do not divide {count} {which} channels")
        return channels, height, width

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (out, in / groups, kernel, kernel), or transposed (in, out / groups, ...)."""
        channels = self._check(input_shape)[0], self.channels
        wide, narrow = reversed(channels) if self.transposed else channels
        return narrow, wide // self.groups, self.kernel, self.kernel

    def fan_in(self, input_shape: Shape) -> int:
        """Return the size of the kernel times the number of its input channels."""
        return self.kernel**2 * self._check(input_shape)[0] // self.groups

    def connections(self, input_shape: Shape) -> Connections:
        """Return the unrolled kernel: one synapse for each tap inside the image."""
        shapes = self._check(input_shape), self.output_shape(input_shape)
        wide, narrow = reversed(shapes) if self.transposed else shapes
        rows = self.taps(wide[1], narrow[1])
        columns = self.taps(wide[2], narrow[2])
        # (tap y, tap x), as broadcast arrays: position on each side, and in the kernel.
        wide_yx = rows[0][:, None] * wide[2] + columns[0]
        narrow_yx = rows[1][:, None] * narrow[2] + columns[1]
        kernel_yx = rows[2][:, None] * self.kernel + columns[2]
        wide_channel, narrow_channel, pair = self._channel_pairs(wide[0], narrow[0])
        on_wide = _outer(wide_channel * wide[1] * wide[2], wide_yx)
        on_narrow = _outer(narrow_channel * narrow[1] * narrow[2], narrow_yx)
        weight = _outer(pair * self.kernel**2, kernel_yx)
        source, target = (on_narrow, on_wide) if self.transposed else (on_wide, on_narrow)
        return Connections(source, target, weight)

    def taps(self, wide: int, narrow: int) -> tuple[Index, Index, Index]:
        """Return the taps inside: positions on the wide and narrow side and in the kernel."""
        position, tap = np.divmod(np.arange(narrow * self.kernel), self.kernel)
        reached = position * self.stride - self.padding + tap * self.dilation
        inside = (reached >= 0) & (reached < wide)
        return reached[inside], position[inside], tap[inside]

    def _channel_pairs(self, wide: int, narrow: int) -> tuple[Index, Index, Index]:
        """Return channels on the wide and narrow side, and the index of the kernel between them.

        PyTorch stores a convolution as (out, in / groups), which is (narrow, wide / groups), and a
        transposed one as (in, out / groups), which is again (narrow, wide / groups).
        """
        per_group = wide // self.groups
        narrow_channel, within = np.divmod(np.arange(narrow * per_group), per_group)
        group = narrow_channel // (narrow // self.groups)
        return group * per_group + within, narrow_channel, np.arange(narrow * per_group)


class Conv2d(_Convolution):
    """A convolution; weights (out, in / groups, y, x)."""

    kind: Literal["conv2d"] = "conv2d"
    transposed = False

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (channel, y, x)."""
        reach = self.dilation * (self.kernel - 1) + 1
        sizes = [
            (n + 2 * self.padding - reach) // self.stride + 1 for n in self._check(input_shape)[1:]
        ]
        return _positive((self.channels, *sizes))


class ConvTranspose2d(_Convolution):
    """A transposed convolution; weights (in, out / groups, y, x)."""

    kind: Literal["conv_transpose2d"] = "conv_transpose2d"
    output_padding: Natural = Field(
        0, description="rows and columns added at the far end of the output"
    )
    transposed = True

    @model_validator(mode="after")
    def _small_output_padding(self) -> ConvTranspose2d:
        # No kernel reaches neurons beyond it; PyTorch refuses it too.
        if self.output_padding >= max(self.stride, self.dilation):
            raise ValueError("`output_padding` must be smaller than `stride` or `dilation`")
        return self

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (channel, y, x)."""
        reach = self.dilation * (self.kernel - 1) + 1 + self.output_padding
        sizes = [
            (n - 1) * self.stride - 2 * self.padding + reach for n in self._check(input_shape)[1:]
        ]
        return _positive((self.channels, *sizes))


class Pool2d(LayerBase):
    """Base of pooling layers, whose neurons receive the spikes of a window, per channel.

    Every spike of the window has the same weight, which is not trained and not stored.
    """

    kernel: Size = Field(description="rows and columns of a window")
    stride: Size | None = Field(
        None, description="rows and columns from one window to the next; `kernel` by default"
    )
    padding: Natural = Field(0, description="rows and columns of zeros around the image")

    @model_validator(mode="after")
    def _fits(self) -> Pool2d:
        # A larger padding would leave windows without a neuron; PyTorch refuses it too.
        if self.padding > self.kernel // 2:
            raise ValueError(
                f"`padding` is at most half of the kernel, {self.kernel // 2}, found {self.padding}"
            )
        if isinstance(self.delay, tuple):
            raise ValueError("the connections of a pooling layer have one delay, found a pair")
        for key in ("gain", "initial"):
            if not self.recurrent and getattr(self, key) != LayerBase.model_fields[key].default:
                raise ValueError(
                    f"`{key}` has no effect: the weights of a pooling layer are fixed. `weight` "
                    "scales the input of its neurons"
                )
        return self

    @property
    @abstractmethod
    def spike_weight(self) -> float:
        """The weight of a spike."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (channel, y, x)."""
        return self.convolution(input_shape).output_shape(input_shape)

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (channel, 1, kernel, kernel)."""
        return self.convolution(input_shape).weight_shape(input_shape)

    def fixed_weights(self, input_shape: Shape) -> NDArray[np.float64]:
        """Return the weight of a spike for every tap."""
        return np.full(self.weight_shape(input_shape), self.spike_weight)

    def fan_in(self, input_shape: Shape) -> int:
        """Return the number of neurons of a window."""
        return self.convolution(input_shape).fan_in(input_shape)

    def connections(self, input_shape: Shape) -> Connections:
        """Return one synapse for each neuron of each window."""
        return self.convolution(input_shape).connections(input_shape)

    def convolution(self, input_shape: Shape) -> Conv2d:
        """Return the convolution with the same connections: one group per channel."""
        if len(input_shape) != 3:
            raise ValueError(f"expected an input of (channel, y, x), found {input_shape}")
        channels = input_shape[0]
        return Conv2d(
            name=self.name,
            channels=channels,
            groups=channels,
            kernel=self.kernel,
            stride=self.stride or self.kernel,
            padding=self.padding,
        )


class AvgPool2d(Pool2d):
    """Average pooling: a spike has the weight 1 / kernel^2."""

    kind: Literal["avg_pool2d"] = "avg_pool2d"

    @property
    def spike_weight(self) -> float:
        """The weight of a spike, rounded to 24 significant bits, so that sums are exact."""
        return float(np.float32(1 / self.kernel**2))


class SumPool2d(Pool2d):
    """Sum pooling: a spike has the weight 1."""

    kind: Literal["sum_pool2d"] = "sum_pool2d"

    @property
    def spike_weight(self) -> float:
        """The weight of a spike."""
        return 1.0


Layer = Annotated[
    Dense | Sparse | Conv2d | ConvTranspose2d | AvgPool2d | SumPool2d, Field(discriminator="kind")
]


def _outer(channel: Index, position: Any) -> Index:
    return np.asarray(channel[:, None] + position.ravel()).ravel()


def _positive(shape: Shape) -> Shape:
    if min(shape) < 1:
        raise ValueError(f"the layer would have the shape {shape}: its input is too small")
    return shape
