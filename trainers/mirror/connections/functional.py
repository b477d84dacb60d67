"""Dense, convolutional and pooling connections in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from torch import Tensor
from torch.nn import functional

from bioae.networks.layer_base import LayerBase, Shape
from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense, Pool2d

Product = Callable[[Tensor, Tensor], Tensor]


@singledispatch
def connect(layer: LayerBase, emitted: Tensor, weight: Tensor) -> Tensor:  # noqa: ARG001
    """Return the sums of weights that arrive at each neuron of a layer (batch, ...).

    `emitted` is the output of the layer before it (batch, ...).
    """
    raise TypeError(f"no PyTorch connection for {type(layer).__name__}")


@connect.register
def _(layer: Dense, emitted: Tensor, weight: Tensor) -> Tensor:  # noqa: ARG001
    return all_to_all(emitted, weight)


@connect.register
def _(layer: Conv2d, emitted: Tensor, weight: Tensor) -> Tensor:
    return functional.conv2d(
        emitted, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )


@connect.register
def _(layer: ConvTranspose2d, emitted: Tensor, weight: Tensor) -> Tensor:
    return functional.conv_transpose2d(
        emitted,
        weight,
        None,
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.dilation,
    )


@connect.register
def _(layer: Pool2d, emitted: Tensor, weight: Tensor) -> Tensor:
    counts = functional.avg_pool2d(
        emitted, layer.kernel, layer.stride, layer.padding, divisor_override=1
    )
    # All weights of a channel are the same.
    return counts * weight[:, 0, :1, :1]


def all_to_all(emitted: Tensor, weight: Tensor) -> Tensor:
    """Return the sums of the weights from every source to each target (batch, target)."""
    return functional.linear(emitted.flatten(1), weight)


def connect_innermost(
    source: Shape, target: Shape, product: Product, emitted: Tensor, weight: Tensor
) -> Tensor:
    """Return the input of a dense layer (batch, *target), with channels innermost on both sides.

    It differs from `connect` in memory order only: the weights (target, source), which are few, are
    permuted instead of the spikes (batch, *source). `product` is `functional.linear`, or as it.
    """
    axes = [*_innermost(len(target)), *(len(target) + a for a in _innermost(len(source)))]
    sorted_weight = weight.reshape(*target, *source).permute(axes).reshape(weight.shape)
    permuted = emitted.permute(0, *(1 + axis for axis in _innermost(len(source)))).flatten(1)
    sums = product(permuted, sorted_weight)
    if len(target) == 1:
        return sums
    channels, *place = target
    return sums.view(-1, *place, channels).movedim(-1, 1)


def _innermost(axes: int) -> tuple[int, ...]:
    """Return the axes with the channel, the first, moved to the end."""
    return (*range(1, axes), 0)
