"""Compiled steps of layers that pool, and of layers with biases."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from builders import COBA, SCHEDULES, deconv, dense, described
from mirrors import mirror_of
from torch import Tensor

from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.compiled.build import compiler
from bioae.trainers.mirror.derivatives import ArcTan

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler to compile with"),
]

STEPS = 15


def network(model: str, schedule: str, *, recurrent: bool = False) -> Network:
    """Pooling, a dense and a transposed convolution, with biases of both signs."""
    config = described(
        {"kind": "avg_pool2d", "name": "pooled", "kernel": 3, "stride": 1, "bias": True},
        dense("middle", shape=[2, 3, 3], bias=True, recurrent=recurrent),
        deconv("last", 2, 3, bias=True),
        input_shape=[2, 5, 5], steps=STEPS, schedule=schedule, neuron=model,
        decoder={"kind": "mean"}, neurons={"coba": COBA},
    )  # fmt: skip
    drawn = Network.initialise(config, seed=4)
    biases = {
        name: stream(6, key).normal(0.1, 0.2, drawn.weights[name].shape)
        for key, name in enumerate(("pooled.bias", "middle.bias", "last.bias"))
    }
    return Network(config, {**drawn.weights, **biases}).quantised()


def learn(mirror: NetworkMirror) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Return spikes and potentials, and the gradients of a loss on all of them."""
    # On the grid, like the weights: sums are exact in any order.
    drive = torch.from_numpy(stream(0, 0).integers(0, 4096, (STEPS, 2, 2, 5, 5)) / 4096)
    drive.requires_grad_()
    activity = mirror(drive)
    read = [activity.reconstruction]
    for layer in activity.layers.values():
        assert layer.spikes.any()
        assert layer.potential is not None
        read += [layer.spikes, layer.potential]
    terms = [
        (torch.from_numpy(stream(key, 1).normal(size=values.shape)) * values).sum()
        for key, values in enumerate(read)
    ]
    torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]
    gradients = {"drive": drive.grad, **{n: w.grad for n, w in mirror.weights.items()}}
    return read, {name: grad for name, grad in gradients.items() if grad is not None}


@pytest.mark.parametrize(
    ("model", "schedule", "recurrent"),
    [
        ("lif", "paper", False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in product(["lif", "coba"], SCHEDULES, [False, True])
            if case != ("lif", "paper", False)
        ),
    ],
)
def test_pooling_and_biases(model: str, schedule: str, *, recurrent: bool) -> None:
    described_network = network(model, schedule, recurrent=recurrent)
    options: dict[str, Any] = {
        "derivative": ArcTan(), "potentials": "all", "dtype": torch.float64,
    }  # fmt: skip
    plain, expected = learn(mirror_of(described_network, **options))
    compiled, found = learn(mirror_of(described_network, compile=True, **options))
    assert found.keys() == expected.keys() == {"drive", *described_network.weights}
    for one, other in zip(plain, compiled, strict=True):
        assert torch.equal(one, other)
    for name, gradient in expected.items():
        assert gradient.any(), name
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-10)
