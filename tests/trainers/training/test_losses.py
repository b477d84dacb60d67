"""Losses, scores and figures of layers against scikit-learn and NumPy, and rounding to the grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from sklearn import metrics

from bioae.errors import NetworkError
from bioae.networks.tasks import Classification, LossName, Reconstruction, Regression, Sequence
from bioae.runs.splits import encoder_seed, example_order
from bioae.trainers.mirror.activity import LayerActivity
from bioae.trainers.training.descent import reproducible
from bioae.trainers.training.losses import LOSSES, loss_function, scores
from bioae.trainers.training.problem import LayerTally, on_grid


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_against_scikit_learn() -> None:
    images, guesses = drawn(2, 4, 1, 5, 3)
    flat = images.flatten(1), guesses.flatten(1)
    expected = metrics.mean_squared_error(*flat)
    assert expected > 0
    assert loss_function("mean_squared_error")(guesses, images).item() == pytest.approx(expected)
    summed = loss_function("sum_squared_error")(guesses, images).item()
    assert summed == pytest.approx(15 * expected)
    absolute = loss_function("mean_absolute_error")(guesses, images).item()
    assert absolute == pytest.approx(metrics.mean_absolute_error(*flat))


def test_losses_of_classes() -> None:
    outputs, labels = 4 * drawn(6, 3), torch.tensor([0, 2, 1, 1, 0, 2])
    expected = metrics.log_loss(labels, outputs.softmax(1))
    assert loss_function("cross_entropy")(outputs, labels).item() == pytest.approx(expected)
    one_hot = torch.eye(3, dtype=torch.float64)[labels]
    for name in ("sum_squared_error", "mean_squared_error"):
        loss = loss_function(name)
        assert loss(outputs, labels).item() == pytest.approx(loss(outputs, one_hot).item())
    margins = 1 - outputs[torch.arange(6), labels][:, None] + outputs
    margins[torch.arange(6), labels] = 0
    expected = margins.clamp(min=0).sum(1).mean().item() / 3
    assert loss_function("multi_margin")(outputs, labels).item() == pytest.approx(expected)


def test_names() -> None:
    assert set(get_args(LossName)) == set(LOSSES)
    with refused(NetworkError, "sum_squared_error", "'mse'"):
        loss_function("mse")


def evaluate_scores(task: Any, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> Any:
    outputs, targets = zip(*batches, strict=True)
    return scores(task, outputs, targets)


def in_batches(outputs: torch.Tensor, targets: torch.Tensor) -> Any:
    return ((outputs[part], targets[part]) for part in (slice(0, 5), slice(5, 6), slice(6, None)))


def test_scores_of_classes() -> None:
    outputs, labels = drawn(20, 4), torch.from_numpy(np.arange(20) % 4)
    outputs[0] = 0.5  # the first of equals
    found = evaluate_scores(Classification(classes=4), in_batches(outputs, labels))
    expected = metrics.accuracy_score(labels.numpy(), outputs.numpy().argmax(1))
    assert 0 < expected < 1
    entropy = metrics.log_loss(labels.numpy(), outputs.softmax(1).numpy())
    assert found == pytest.approx({"accuracy": expected, "cross_entropy": entropy})


@pytest.mark.parametrize(
    ("task", "shape"), [(Regression(outputs=3), (3,)), (Sequence(outputs=3), (7, 3))]
)
def test_scores_of_numbers(task: Any, shape: tuple[int, ...]) -> None:
    outputs, targets = drawn(20, *shape), 1e6 + drawn(20, *shape, seed=1)
    found = evaluate_scores(task, in_batches(outputs + 1e6, targets))
    flat = targets.flatten(1).numpy(), (outputs + 1e6).flatten(1).numpy()
    r2 = metrics.r2_score(*flat, multioutput="variance_weighted")
    assert found == {
        "mean_squared_error": pytest.approx(metrics.mean_squared_error(*flat)),
        "mean_absolute_error": pytest.approx(metrics.mean_absolute_error(*flat)),
        "r2": pytest.approx(r2),
    }


def test_an_undefined_score_is_left_out() -> None:
    same = torch.ones(2, 3)
    found = evaluate_scores(Regression(outputs=3), [(same, same)])
    assert found == {"mean_squared_error": 0.0, "mean_absolute_error": 0.0}
    images = torch.ones(2, 1, 2, 2)
    assert evaluate_scores(Reconstruction(), [(0 * images, images)]) == {"sum_squared_error": 4.0}


def layer(spikes: torch.Tensor) -> LayerActivity:
    return LayerActivity("layer", spikes)


@given(seed=st.integers(0, 1000), batch=st.integers(1, 9), rate=st.sampled_from([0.0, 0.02, 0.6]))
def test_figures_against_numpy_in_any_batches(seed: int, batch: int, rate: float) -> None:
    spikes = np.random.default_rng(seed).random((6, 9, 2, 3)) < rate
    tally = LayerTally()
    for start in range(0, 9, batch):
        tally.add(layer(torch.tensor(spikes[:, start : start + batch], dtype=torch.float32)))
    flat = spikes.reshape(6, 9, 6)
    dead = flat.sum((0, 1)) == 0
    firing = [flat[:, flat[:, :, n].any(0), n].mean() for n in range(6) if not dead[n]]
    assert tally.figures() == pytest.approx(
        {
            "rate_per_step_mean": flat.mean(),
            "rate_per_step_mean_alive": flat[:, :, ~dead].mean() if firing else 0.0,
            "active_fraction_mean": flat.any(0).mean(),
            "dead_fraction": dead.mean(),
            "bursting_fraction": sum(rate > 0.5 for rate in firing) / 6,
        }
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_grid(dtype: torch.dtype) -> None:
    weight = torch.nn.Parameter(
        torch.randn(50, generator=torch.Generator().manual_seed(0)).to(dtype)
    )
    before = weight.detach().clone()
    expected = np.rint(before.double().numpy() * 4096) / 4096
    assert not np.array_equal(expected, before.double().numpy())
    with on_grid([weight], 12):
        np.testing.assert_array_equal(weight.detach().double().numpy(), expected)
        assert weight.requires_grad
    assert torch.equal(weight, before)
    with on_grid([weight], None):
        assert torch.equal(weight, before)


def test_order_and_seeds_depend_on_seed_and_epoch_only() -> None:
    orders = {
        (seed, epoch): example_order(seed, epoch, 50) for seed in range(3) for epoch in range(3)
    }
    assert len({order.tobytes() for order in orders.values()}) == 9
    for (seed, epoch), order in orders.items():
        assert sorted(order) == list(range(50))
        assert np.array_equal(order, example_order(seed, epoch, 50))
    assert len({encoder_seed(seed, epoch) for seed in range(10) for epoch in range(10)}) == 100


def test_reproducible_leaves_settings_as_they_were() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with reproducible(1):
        assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (1, True)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with reproducible(1):
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(before[1])
