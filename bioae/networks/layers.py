"""Layers: the shape of a population, its neuron model, and the connections that feed it.

Indices are in C order of (channel, y, x). A connection names the weight between two neurons; each
target computes it in its own way.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, Strict, field_validator, model_validator

from bioae.fields import Natural, Positive, Size, Table

__all__ = [
    "Background",
    "Connections",
    "Conv2d",
    "ConvTranspose2d",
    "Delay",
    "Dense",
    "Layer",
    "LayerBase",
    "Shape",
    "all_to_all",
    "as_text",
]

Shape = tuple[int, ...]
Index = NDArray[np.int64]

#: One time for all connections, or the range from which each connection draws its own.
Delay = str | Annotated[tuple[str, str], Strict(False)] | None

#: The standard deviation of Gaussian noise, in network weights per square root of a millisecond;
#: or the weight and the rate of background spikes.
Background = float | Annotated[tuple[float, str], Strict(False)] | None


def as_text(value: Any) -> Any:
    """Return a quantity of Brian2 as text; return anything else unchanged."""
    if "brian2" not in sys.modules or value is None or isinstance(value, str):
        return value  # nobody has a quantity who has not imported it
    from bioae.equations.quantities import text_of

    return text_of(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


class Connections(NamedTuple):
    """The synapses of a pathway, one entry per synapse.

    Attributes
    ----------
    source, target
        Indices of neurons (synapse).
    weight
        Indices into the flattened weight array (synapse).
    """

    source: Index
    target: Index
    weight: Index


class LayerBase(Table):
    """The keys of all kinds of layers.

    Initial weights are drawn from a normal distribution of mean 0 and standard deviation
    ``gain * sqrt(2 / fan_in)``.
    """

    # Instances too: `model_copy` does not check what it changes.
    model_config = ConfigDict(revalidate_instances="always")

    name: str = Field(
        pattern=r"^[a-z](_?[a-z0-9])*$", description="lower case, no `__`, unique in the network"
    )
    neuron: str | None = Field(
        None, description="a neuron model's name or file; the network's `neuron` by default"
    )
    parameters: dict[str, str] = Field(
        default_factory=dict, description="parameters of the neuron model that replace its own"
    )
    weight: str | None = Field(
        None, min_length=1, description="the unit of weight: replaces the model's `weight`"
    )
    background: Background = Field(
        None,
        description="noise from outside the network, in network weights: the standard deviation of "
        "Gaussian noise per square root of a millisecond; or the weight and rate of spikes, "
        '[0.1, "20*Hz"]',
    )
    readout: str = Field(
        "leaky_readout", description="the model of the potential U, which is never reset"
    )
    delay: Delay = Field(
        None,
        description="the delay of spikes from the layer before, beyond one step: a time, or a pair "
        "from which each connection draws its own",
    )
    recurrent: bool = Field(False, description="whether neurons also project to each other")
    recurrent_delay: Delay = Field(None, description="the delay within the layer")
    autapses: bool = Field(False, description="whether a recurrent neuron also projects to itself")
    gain: Positive = Field(1.0, description="scale of the initial weights")

    @field_validator("delay", "recurrent_delay", mode="before")
    @classmethod
    def _time_or_pair(cls, value: Any) -> Any:
        value = [*map(as_text, value)] if isinstance(value, list | tuple) else as_text(value)
        pair = isinstance(value, list | tuple) and [type(text) for text in value] == [str, str]
        if value is None or isinstance(value, str) or pair:
            return value
        raise ValueError(
            f'expected a time such as "2*ms", or a pair such as ["1*ms", "5*ms"], found {value!r}'
        )

    @field_validator("weight", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return as_text(value)

    @field_validator("parameters", mode="before")
    @classmethod
    def _texts(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {name: as_text(value) for name, value in values.items()}

    @field_validator("background", mode="before")
    @classmethod
    def _noise_or_spikes(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            value = [*map(as_text, value)]
            fits = [_is_number(each) for each in value] == [True, False] and type(value[1]) is str
        else:
            fits = value is None or _is_number(value)
        if not fits:
            raise ValueError(
                "expected a standard deviation such as 0.1, or the weight and rate of spikes, such "
                f'as [0.1, "20*Hz"], found {value!r}'
            )
        return value

    @model_validator(mode="after")
    def _recurrent_keys(self) -> LayerBase:
        if not self.recurrent and (self.autapses or self.recurrent_delay is not None):
            key = "autapses" if self.autapses else "recurrent_delay"
            raise ValueError(f"`{key}` needs `recurrent = true`")
        return self

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the population's shape: (channel, y, x), or (neuron,)."""

    @abstractmethod
    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the weights, in PyTorch's order."""

    @abstractmethod
    def fan_in(self, input_shape: Shape) -> int:
        """Return the number of inputs of a neuron."""

    @abstractmethod
    def connections(self, input_shape: Shape) -> Connections:
        """Return the layer's feed-forward synapses."""

    def recurrent_connections(self, input_shape: Shape) -> Connections:
        """Return the synapses within the layer, without autapses unless `autapses` is true."""
        size = math.prod(self.output_shape(input_shape))
        every = all_to_all(size, size)
        other = every.source != every.target
        return every if self.autapses else Connections(*(index[other] for index in every))


class Dense(LayerBase):
    """A fully connected layer; weights (neuron, input)."""

    kind: Literal["dense"] = "dense"
    units: Size | None = Field(None, description="the number of neurons; or give `shape`")
    shape: Annotated[tuple[Size, Size, Size], Strict(False)] | None = Field(
        None, description="(channel, y, x) of the population, if it is an image"
    )
    gain: Positive = Field(2.0, description="scale of the initial weights")

    @model_validator(mode="after")
    def _one_size(self) -> Dense:
        if (self.units is None) == (self.shape is None):
            raise ValueError("a dense layer has either `units` or `shape`")
        return self

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron,), or the image's shape."""
        return self.shape if self.shape is not None else (self.units or 0,)

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron, input)."""
        return math.prod(self.output_shape(input_shape)), math.prod(input_shape)

    def fan_in(self, input_shape: Shape) -> int:
        """Return the number of inputs."""
        return math.prod(input_shape)

    def connections(self, input_shape: Shape) -> Connections:
        """Return all pairs."""
        return all_to_all(*reversed(self.weight_shape(input_shape)))


class _Convolution(LayerBase):
    channels: Size
    kernel: Size
    stride: Size = 1
    padding: Natural = 0
    dilation: Size = 1
    groups: Size = 1

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

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (out, in / groups, kernel, kernel)."""
        channels = self._check(input_shape)[0]
        return self.channels, channels // self.groups, self.kernel, self.kernel


class ConvTranspose2d(_Convolution):
    """A transposed convolution; weights (in, out / groups, y, x)."""

    kind: Literal["conv_transpose2d"] = "conv_transpose2d"
    output_padding: Natural = 0
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

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (in, out / groups, kernel, kernel)."""
        channels = self._check(input_shape)[0]
        return channels, self.channels // self.groups, self.kernel, self.kernel


Layer = Annotated[Dense | Conv2d | ConvTranspose2d, Field(discriminator="kind")]


def all_to_all(sources: int, targets: int) -> Connections:
    """Return every pair of neurons, weights (target, source)."""
    weight = np.arange(sources * targets)
    target, source = np.divmod(weight, sources)
    return Connections(source, target, weight)


def _outer(channel: Index, position: Any) -> Index:
    return np.asarray(channel[:, None] + position.ravel()).ravel()


def _positive(shape: Shape) -> Shape:
    if min(shape) < 1:
        raise ValueError(f"the layer would have the shape {shape}: its input is too small")
    return shape
