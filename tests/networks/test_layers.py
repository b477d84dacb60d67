"""A layer's shapes and synapses, with PyTorch's own operations as the oracle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bioae.networks.layer_base import Connections, LayerBase, all_to_all
from bioae.networks.layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, Pool2d, SumPool2d
from bioae.trainers.mirror.connections.functional import connect

Shape = tuple[int, ...]


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2d | ConvTranspose2d, Shape]:
    """A convolution of either kind, and an input that fits it."""
    kind = draw(st.sampled_from([Conv2d, ConvTranspose2d]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    settings: dict[str, Any] = {
        "channels": groups * draw(st.integers(1, 2)), "kernel": draw(st.integers(1, 4)),
        "stride": draw(st.integers(1, 3)), "padding": draw(st.integers(0, 3)),
        "dilation": draw(st.integers(1, 3)), "groups": groups,
    }  # fmt: skip
    if kind is ConvTranspose2d:
        most = max(settings["stride"], settings["dilation"]) - 1
        settings["output_padding"] = draw(st.integers(0, most))
    shape = (groups * draw(st.integers(1, 2)), draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    return kind(name="layer", **settings), shape


def module(layer: Conv2d | ConvTranspose2d, channels: int) -> nn.Module:
    settings = layer.model_dump(
        include={"stride", "padding", "dilation", "groups", "output_padding"}
    )
    made: nn.Module = {Conv2d: nn.Conv2d, ConvTranspose2d: nn.ConvTranspose2d}[type(layer)](
        channels, layer.channels, layer.kernel, bias=False, dtype=torch.float64, **settings
    )
    return made


def dyadic(seed: int, *shape: int) -> NDArray[np.float64]:
    """Numbers whose sums are exact in any order."""
    return np.random.default_rng(seed).integers(-4096, 4096, shape) / 4096


def matrix(connections: Connections, weight: NDArray[np.float64], shape: Shape) -> Tensor:
    """The weights from every source (column) to every target (row)."""
    dense = np.zeros(shape)
    np.add.at(dense, (connections.target, connections.source), weight.ravel()[connections.weight])
    return torch.from_numpy(dense)


def through(layer: LayerBase, shape: Shape, images: Tensor, weight: NDArray[np.float64]) -> Tensor:
    output = layer.output_shape(shape)
    sizes = math.prod(output), math.prod(shape)
    dense = matrix(layer.connections(shape), weight, sizes)
    return (images.flatten(1) @ dense.T).reshape(-1, *output)


@given(convolutions())
def test_convolutions_are_those_of_torch(case: tuple[Conv2d | ConvTranspose2d, Shape]) -> None:
    layer, shape = case
    reference = module(layer, shape[0])
    images = torch.from_numpy(dyadic(1, 2, *shape))
    try:
        expected_shape = reference(images).shape[1:]
    except RuntimeError:  # the input is too small
        expected_shape = None
    if expected_shape is None or min(expected_shape) < 1:
        with pytest.raises(ValueError, match="its input is too small"):
            layer.output_shape(shape)
        return
    assert layer.output_shape(shape) == expected_shape
    assert layer.weight_shape(shape) == reference.get_parameter("weight").shape
    weight = dyadic(2, *layer.weight_shape(shape))
    with torch.no_grad():
        reference.get_parameter("weight").copy_(torch.from_numpy(weight))
        expected = reference(images)
    assert torch.equal(through(layer, shape, images, weight), expected)


@given(convolutions())
def test_a_pair_of_neurons_has_one_synapse(case: tuple[Conv2d | ConvTranspose2d, Shape]) -> None:
    layer, shape = case
    try:
        layer.output_shape(shape)
    except ValueError:
        return
    source, target, weight = layer.connections(shape)
    assert len(source) == len(target) == len(weight)
    assert len(np.unique(target * math.prod(shape) + source)) == len(source)
    if len(target):
        assert 0 <= weight.min() <= weight.max() < math.prod(layer.weight_shape(shape))
        assert np.bincount(target).max() <= layer.fan_in(shape)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool2d, Shape]:
    """Pooling of either kind, and an input that fits it."""
    kernel = draw(st.integers(1, 4))
    settings: dict[str, Any] = {
        "kernel": kernel,
        "stride": draw(st.sampled_from([None, 1, 2, 3])),
        "padding": draw(st.integers(0, kernel // 2)),
    }
    shape = tuple(draw(st.integers(low, 8)) for low in (1, kernel, kernel))
    return draw(st.sampled_from([AvgPool2d, SumPool2d]))(name="layer", **settings), shape


@given(pools())
def test_pooling_is_that_of_torch(case: tuple[Pool2d, Shape]) -> None:
    layer, shape = case
    images = torch.from_numpy(dyadic(1, 2, *shape))
    averages = functional.avg_pool2d(images, layer.kernel, layer.stride, layer.padding)
    assert layer.output_shape(shape) == averages.shape[1:]
    found = through(layer, shape, images, layer.fixed_weights(shape))
    if isinstance(layer, SumPool2d):
        assert torch.equal(found, (averages * layer.kernel**2 * 4096).round() / 4096)
    else:
        assert torch.allclose(found, averages, rtol=2.0**-24, atol=0)
    assert torch.equal(found, connect(layer, images, torch.from_numpy(layer.fixed_weights(shape))))


@pytest.mark.parametrize(("kernel", "exact"), [(2, True), (4, True), (3, False), (5, False)])
def test_the_weight_of_average_pooling_has_24_bits(kernel: int, *, exact: bool) -> None:
    weight = AvgPool2d(name="layer", kernel=kernel).spike_weight
    assert (weight == 1 / kernel**2) == exact
    assert weight == pytest.approx(1 / kernel**2, rel=2.0**-24)
    # A sum of all spikes of a window, one by one, is exact.
    assert sum([weight] * kernel**2) == weight * kernel**2


@pytest.mark.parametrize("size", [{"units": 6}, {"shape": (2, 1, 3)}])
def test_dense_is_linear(size: dict[str, Any]) -> None:
    layer, shape = Dense(name="layer", **size), (2, 3, 4)
    weight = dyadic(0, *layer.weight_shape(shape))
    assert weight.shape == (6, 24)
    assert (layer.fan_in(shape), layer.output_shape(shape)) == (24, size.get("shape", (6,)))
    images = torch.from_numpy(dyadic(1, 5, *shape))
    actual = through(layer, shape, images, weight)
    expected = functional.linear(images.flatten(1), torch.from_numpy(weight))
    assert torch.equal(actual.flatten(1), expected)


def test_all_to_all_counts_every_pair_once() -> None:
    source, target, weight = all_to_all(3, 2)
    assert sorted(zip(source, target, strict=True)) == [(i, j) for i in range(3) for j in range(2)]
    assert (weight == target * 3 + source).all()
