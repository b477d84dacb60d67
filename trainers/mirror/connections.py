"""What each kind of connection is in PyTorch."""

from __future__ import annotations

from functools import singledispatch

from torch import Tensor
from torch.nn import functional

from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense, LayerBase, Shape

__all__ = ["connect", "connect_innermost"]


@singledispatch
def connect(layer: LayerBase, emitted: Tensor, weight: Tensor) -> Tensor:  # noqa: ARG001
    """Return what a layer receives.

    Parameters
    ----------
    layer
        The layer that receives.
    emitted
        What the layer before it emitted (batch, ...).
    weight
        The layer's weights.

    Returns
    -------
    Tensor
        The sums of weights that arrive at each neuron (batch, ...).
    """
    raise TypeError(f"no PyTorch connection for {type(layer).__name__}")


@connect.register
def _(layer: Dense, emitted: Tensor, weight: Tensor) -> Tensor:  # noqa: ARG001
    return functional.linear(emitted.flatten(1), weight)


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


def connect_innermost(source: Shape, target: Shape, emitted: Tensor, weight: Tensor) -> Tensor:
    """Return what a dense layer receives, where channels lie innermost on both sides.

    It is what `connect` returns, but for the order in memory: weights are sorted, which are few,
    and not what is sent.

    Parameters
    ----------
    source, target
        The shapes of the population that sends and of the one that receives.
    emitted
        What was emitted (batch, *source).
    weight
        The layer's weights (target, source).

    Returns
    -------
    Tensor
        (batch, *target).
    """
    axes = [*_innermost(len(target)), *(len(target) + a for a in _innermost(len(source)))]
    sorted_weight = weight.reshape(*target, *source).permute(axes).reshape(weight.shape)
    sent = emitted.permute(0, *(1 + axis for axis in _innermost(len(source)))).flatten(1)
    sums = functional.linear(sent, sorted_weight)
    if len(target) == 1:
        return sums
    channels, *place = target
    return sums.view(-1, *place, channels).movedim(-1, 1)


def _innermost(axes: int) -> tuple[int, ...]:
    """Return axes with the channel, the first of them, last."""
    return (*range(1, axes), 0)
