"""The figures of a layer against NumPy, and rounding to the grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bioae.runs.splits import encoder_seed, example_order
from bioae.trainers.mirror.activity import LayerActivity
from bioae.trainers.training.descent import reproducible
from bioae.trainers.training.problem import LayerTally, on_grid


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
