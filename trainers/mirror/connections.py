"""What each kind of connection is in PyTorch."""

from __future__ import annotations

from functools import singledispatch

from torch import Tensor
from torch.nn import functional

from bioae.layers import Conv2d, ConvTranspose2d, Dense, LayerBase

__all__ = ["connect"]


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
