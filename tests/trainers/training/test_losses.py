"""Losses against scikit-learn and small examples."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from sklearn.metrics import mean_squared_error as oracle

from bioae.errors import NetworkError
from bioae.trainers.training.objective import LOSSES, loss_function, squared_error
from bioae.trainers.training.sections import LossName


def test_against_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    images, guesses = torch.rand(2, 4, 1, 5, 3, generator=generator, dtype=torch.float64)
    expected = oracle(images.flatten(1), guesses.flatten(1))
    assert expected > 0
    assert loss_function("mean_squared_error")(guesses, images).item() == pytest.approx(expected)
    assert loss_function("sum_squared_error")(guesses, images).item() == pytest.approx(
        15 * expected
    )


def test_squared_error_by_image() -> None:
    images = torch.zeros(2, 1, 2, 2)
    guesses = torch.tensor([[1.0, 0, 0, 2], [0, 3, 0, 0]]).reshape(2, 1, 2, 2)
    assert squared_error(guesses, images).tolist() == [5.0, 9.0]


def test_names() -> None:
    assert set(get_args(LossName)) == set(LOSSES)
    with pytest.raises(NetworkError, match=r"expected sum_squared_error or .*'mse'"):
        loss_function("mse")
