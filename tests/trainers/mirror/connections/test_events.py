"""Event-driven connections: the sums and gradients of PyTorch's, in every form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import needs_compiler
from torch import Tensor
from torch.nn import functional

from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense
from bioae.random import stream
from bioae.trainers.mirror.connections import dense_events
from bioae.trainers.mirror.connections.dense_events import DenseEvents, EventConnection
from bioae.trainers.mirror.connections.events import ConvolutionEvents
from bioae.trainers.mirror.connections.functional import connect, connect_innermost
from bioae.trainers.training.descent import reproducible

#: 11 examples: 8 are taken together, and the rest one by one.
BATCH = 11


@st.composite
def layers(draw: Any) -> Conv2d | ConvTranspose2d:
    stride = draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 2))
    common: dict[str, Any] = {
        "name": "layer", "channels": draw(st.sampled_from([1, 3, 16, 19])),
        "kernel": draw(st.integers(1, 4)), "stride": stride, "dilation": dilation,
        "padding": draw(st.integers(0, 1)),
    }  # fmt: skip
    if draw(st.booleans()):
        return Conv2d(**common)
    more = draw(st.integers(0, max(stride, dilation) - 1))
    return ConvTranspose2d(**common, output_padding=more)


def sent(channels: int, *, density: float = 0.1, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(channels)
    shape = BATCH, channels, 8, 9
    fired = torch.rand(shape, generator=generator) < density
    return (fired * torch.randint(1, 4, shape, generator=generator)).to(dtype).requires_grad_()


def made(layer: Conv2d | ConvTranspose2d, emitted: Tensor) -> tuple[EventConnection, Tensor]:
    """Return a connection and dyadic weights for it, whose sums are exact."""
    source = (emitted.shape[1], emitted.shape[2], emitted.shape[3])
    connection = ConvolutionEvents(layer, source, layer.output_shape(source))
    generator = torch.Generator().manual_seed(5)
    weight = torch.randint(-64, 64, layer.weight_shape(source), generator=generator) / 64
    return connection, weight.to(emitted.dtype).requires_grad_()


def gradients(sums: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(7)
    towards = torch.randint(-8, 8, sums.shape, generator=generator).to(sums.dtype)
    return torch.autograd.grad(sums, of, towards)


@pytest.mark.medium
@needs_compiler
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    layers(), st.sampled_from([1, 2, 16, 17]), st.sampled_from([torch.float32, torch.float64]),
    st.sampled_from([1, 3]),
)  # fmt: skip
def test_every_form(
    layer: Conv2d | ConvTranspose2d, channels: int, dtype: torch.dtype, threads: int
) -> None:
    emitted = sent(channels, dtype=dtype)
    try:
        connection, weight = made(layer, emitted)
    except ValueError:  # it leaves nothing of the image
        return
    expected = connect(layer, emitted, weight)
    assert expected.any()
    with reproducible(threads):
        found = connection(emitted, weight)
        slopes = gradients(found, emitted, weight)
        connection.gated = True
        at_spikes, _ = gradients(connection(emitted, weight), emitted, weight)
    to_emitted, to_weight = gradients(expected, emitted, weight)
    assert torch.equal(found, expected)
    assert torch.equal(slopes[0], to_emitted)
    assert torch.equal(slopes[1], to_weight)
    assert torch.equal(at_spikes, to_emitted.where(emitted != 0, 0))


def dense(connection: EventConnection, emitted: Tensor, weight: Tensor) -> bool:
    """Return whether PyTorch computes the sums."""
    function = connection(emitted, weight).grad_fn
    assert function is not None
    return "Convolution" in function.name()


@pytest.mark.medium
@needs_compiler
def test_pytorch_computes_dense_output() -> None:
    layer = Conv2d(name="layer", channels=4, kernel=3)
    for density, expected in ((0.1, False), (0.9, True)):
        emitted = sent(2, density=density)
        connection, weight = made(layer, emitted)
        assert dense(connection, emitted, weight) == expected


@pytest.mark.parametrize("product", [functional.linear, DenseEvents()])
@pytest.mark.parametrize("target", [(6,), (3, 2, 2)])
@pytest.mark.parametrize("source", [(8,), (2, 3, 4)])
def test_dense_layers_with_channels_innermost(
    source: tuple[int, ...], target: tuple[int, ...], product: Callable[[Tensor, Tensor], Tensor]
) -> None:
    layer = Dense(name="layer", **({"units": 6} if len(target) == 1 else {"shape": target}))
    generator = torch.Generator().manual_seed(1)
    emitted = torch.randn((5, *source), generator=generator, dtype=torch.float64)
    if len(source) == 3:
        emitted = emitted.contiguous(memory_format=torch.channels_last)
    emitted = emitted.where(emitted > 1, 0)
    assert 0 < emitted.count_nonzero() < emitted.numel() / 4
    shape = layer.weight_shape(source)
    weight = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    found = connect_innermost(source, target, product, emitted, weight)
    expected = connect(layer, emitted, weight).reshape(-1, *target)
    assert found.shape == expected.shape
    assert len(target) == 1 or found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients(found, weight), gradients(expected, weight))


def share(active: float, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Return graded output of which a fraction is active."""
    values = torch.from_numpy(stream(5, 1).uniform(0.5, 1.5, shape))
    return values.where(torch.from_numpy(stream(6, 1).random(shape)) < active, 0).to(dtype)


@pytest.mark.medium
@needs_compiler
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(300, 50, 277), (2, 3, 5), (129, 1, 64)])
def test_dense_events(
    sizes: tuple[int, int, int], dtype: torch.dtype, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that are no multiple of a tile, of a vector or of a chunk of rows."""
    batch, sources, targets = sizes
    emitted = share(0.2, (batch, sources), dtype).requires_grad_()
    weight = torch.from_numpy(stream(7, 1).normal(size=(targets, sources))).to(dtype)
    weight.requires_grad_()
    expected = functional.linear(emitted, weight)
    monkeypatch.setattr(dense_events, "_DENSE", 1.0)
    monkeypatch.setattr(functional, "linear", None)
    with reproducible(threads):
        found, gated = (DenseEvents(gated=each)(emitted, weight) for each in (False, True))
        rtol = 1e-12 if dtype == torch.float64 else 1e-4
        torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol)
        one, other = (
            torch.autograd.grad(sums.square().sum(), (emitted, weight))
            for sums in (found, expected)
        )
        at_spikes = torch.autograd.grad(gated.square().sum(), emitted)
        other_at_spikes = other[0].where(emitted != 0, 0)
        torch.testing.assert_close(one, other, rtol=10 * rtol, atol=10 * rtol * batch)
        torch.testing.assert_close(
            at_spikes, (other_at_spikes,), rtol=10 * rtol, atol=10 * rtol * batch
        )
