"""Decoders: worked examples, and the same bits from NumPy and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bioae.networks.decoders import CountDecoder, LastDecoder, MaxDecoder, MeanDecoder
from bioae.random import stream

DECODERS = [MaxDecoder(), LastDecoder(), MeanDecoder(), CountDecoder()]
ACTIVITY = np.array([[1.0, -2.0], [4.0, -1.0], [1.0, -3.0]])


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


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.kind)
@pytest.mark.parametrize("steps", [1, 25, 100])
def test_numpy_and_torch_give_the_same_bits(decoder: Any, steps: int) -> None:
    activity = stream(steps, 0).normal(size=(steps, 5, 1, 9, 7))
    if not decoder.reads_potential:
        activity = (activity > 0).astype(np.float64)
    array = decoder.decode(activity, default_scale=0.2 * steps)
    tensor = decoder.decode(torch.from_numpy(activity), default_scale=0.2 * steps)
    assert array.shape == tensor.shape == (5, 1, 9, 7)
    assert array.any()
    assert (array == tensor.numpy()).all()


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.kind)
def test_decoding_is_differentiable(decoder: Any) -> None:
    activity = torch.tensor(ACTIVITY).requires_grad_()
    decoder.decode(activity, default_scale=1.0).sum().backward()
    expected = {
        "max": [[0, 0], [1, 1], [0, 0]],
        "last": [[0, 0], [0, 0], [1, 1]],
        "mean": [[1 / 3, 1 / 3]] * 3,
        "count": [[1, 1]] * 3,
    }[decoder.kind]
    assert activity.grad is not None
    torch.testing.assert_close(activity.grad, torch.tensor(expected, dtype=torch.float64))
