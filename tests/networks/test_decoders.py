"""Decoders: worked examples, gradients, and the same bits from NumPy and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from bioae.networks.decoders import (
    CountDecoder,
    FirstSpikeDecoder,
    LastDecoder,
    MaxDecoder,
    MeanDecoder,
    PopulationDecoder,
    SummedSoftmaxDecoder,
    TrajectoryDecoder,
)
from bioae.random import stream

SIMPLE = [MaxDecoder(), LastDecoder(), MeanDecoder(), CountDecoder(), FirstSpikeDecoder()]
GROUPED = [PopulationDecoder(neurons=7), PopulationDecoder(neurons=9, of="spikes")]
ACTIVITY = np.array([[1.0, -2.0], [4.0, -1.0], [1.0, -3.0]])
#: (time, example, neuron): early and twice, late, never; then in the first step, in the last.
SPIKES = np.array(
    [
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ]
)


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        (MaxDecoder(), [4.0, -1.0]),
        (LastDecoder(), [1.0, -3.0]),
        (MeanDecoder(), [2.0, -2.0]),
        (CountDecoder(), [6.0, -6.0]),
    ],
)
def test_worked_examples(decoder: Any, expected: list[float]) -> None:
    assert decoder.decode(ACTIVITY, default_scale=1.0).tolist() == expected
    assert decoder.decode(ACTIVITY, default_scale=2.0).tolist() == [x / 2 for x in expected]
    scaled = type(decoder)(scale=4.0)
    assert scaled.decode(ACTIVITY, default_scale=2.0).tolist() == [x / 4 for x in expected]


def test_first_spike() -> None:
    decoded = FirstSpikeDecoder().decode(SPIKES, default_scale=1.0)
    assert decoded.tolist() == [[2.0, 1.0, 0.0], [3.0, 0.0, 1.0]]
    assert FirstSpikeDecoder(scale=2.0).decode(SPIKES, default_scale=1.0)[0].tolist() == [1, 0.5, 0]


def test_population_means() -> None:
    activity = np.arange(24.0).reshape(3, 2, 4)  # U = 8 t + 4 example + neuron
    means = PopulationDecoder(neurons=2).decode(activity, default_scale=1.0)
    assert means.tolist() == [[8.5, 10.5], [12.5, 14.5]]
    counts = PopulationDecoder(neurons=3, of="spikes").decode(SPIKES, default_scale=1.0)
    assert counts.tolist() == [[1.0], [pytest.approx(2 / 3)]]
    # As an image: groups follow the order (channel, y, x).
    image = activity.reshape(3, 2, 1, 2, 2)
    assert (PopulationDecoder(neurons=2).decode(image, default_scale=1.0) == means).all()


def test_summed_softmax_is_that_of_scipy() -> None:
    activity = stream(0, 0).normal(0, 30, size=(8, 3, 5))
    decoded = SummedSoftmaxDecoder().decode(activity, default_scale=1.0)
    np.testing.assert_allclose(decoded, softmax(activity, axis=-1).sum(0), rtol=1e-12)
    np.testing.assert_allclose(decoded.sum(1), 8.0)
    image = SummedSoftmaxDecoder().decode(activity.reshape(8, 3, 5, 1, 1), default_scale=1.0)
    assert (image.reshape(3, 5) == decoded).all()
    huge = SummedSoftmaxDecoder().decode(np.array([[[1e4, -1e4]]]), default_scale=1.0)
    assert huge.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("decoder", [*SIMPLE, *GROUPED], ids=lambda decoder: decoder.kind)
@pytest.mark.parametrize("steps", [1, 25])
def test_numpy_and_torch_give_the_same_bits(decoder: Any, steps: int) -> None:
    activity = stream(steps, 0).normal(size=(steps, 5, 1, 9, 7))
    if not decoder.reads_potential:
        activity = (activity > 0).astype(np.float64)
    array = decoder.decode(activity, default_scale=0.2 * steps)
    tensor = decoder.decode(torch.from_numpy(activity), default_scale=0.2 * steps)
    expected = (5, decoder.outputs(63)) if decoder in GROUPED else (5, 1, 9, 7)
    assert array.shape == tensor.shape == expected
    assert array.any()
    assert (array == tensor.numpy()).all()


def test_gradient_of_the_first_spike() -> None:
    """It is what moving a spike would change: exact differences, because it is multilinear."""
    spikes = torch.from_numpy(SPIKES).requires_grad_()
    decoder = FirstSpikeDecoder()
    decoder.decode(spikes, default_scale=1.0).sum().backward()  # type: ignore[no-untyped-call]
    assert spikes.grad is not None
    for place in np.ndindex(*SPIKES.shape):
        with_it, without = SPIKES.copy(), SPIKES.copy()
        with_it[place], without[place] = 1.0, 0.0
        change = decoder.decode(with_it, default_scale=1.0).sum()
        change -= decoder.decode(without, default_scale=1.0).sum()
        assert spikes.grad[place].item() == change


@pytest.mark.parametrize(
    "decoder",
    [*SIMPLE[:4], SummedSoftmaxDecoder(), TrajectoryDecoder(), PopulationDecoder(neurons=2)],
    ids=lambda decoder: decoder.kind,
)
def test_gradients_against_finite_differences(decoder: Any) -> None:
    activity = torch.from_numpy(stream(2, 0).normal(size=(4, 2, 6))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: decoder.decode(x, default_scale=2.0), activity)
