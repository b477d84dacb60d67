"""Synthetic histories of materials: laws against closed forms, random paths, and data sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.synthetic import materials

#: Histories of strain: any zigzag of up to 4 %, some 28 times the strain at first yield.
histories = st.lists(st.floats(-0.04, 0.04), min_size=1, max_size=25).map(np.array)


def finely(strain: NDArray[np.float64], parts: int) -> NDArray[np.float64]:
    """Return a history, from the undeformed state on, with each step divided into equal parts."""
    ends = np.concatenate([[0.0], strain])
    steps = (
        np.linspace(ends[:-1], ends[1:], parts, endpoint=False, axis=1)
        + (np.diff(ends) / parts)[:, None]
    )
    return steps.ravel()


@given(histories)
def test_the_stress_never_leaves_the_yield_surface(strain: NDArray[np.float64]) -> None:
    stress, plastic, accumulated = materials.elastoplastic_history(strain)
    limit = materials.YIELD_STRESS + materials.HARDENING * accumulated
    assert (np.abs(stress) <= limit * (1 + 1e-12)).all()
    np.testing.assert_allclose(stress, materials.YOUNG * (strain - plastic), rtol=0, atol=1e-9)
    before = np.concatenate([[0.0], plastic[:-1]])
    slip = np.diff(accumulated, prepend=0.0)
    assert (slip >= 0).all()
    # Flow is along the stress, and only on the yield surface: loading or unloading, never both.
    moved = plastic - before
    np.testing.assert_allclose(moved, slip * np.sign(stress), atol=1e-15)
    np.testing.assert_allclose(np.abs(stress)[slip > 0], limit[slip > 0], rtol=1e-12)


@given(histories)
def test_steps_in_one_direction_may_be_divided(strain: NDArray[np.float64]) -> None:
    """Return mapping is exact for such steps, so small ones give the same."""
    divided = materials.elastoplastic_history(finely(strain, 20))
    for fine, whole in zip(divided, materials.elastoplastic_history(strain), strict=True):
        np.testing.assert_allclose(fine[19::20], whole, atol=1e-7)


@given(st.floats(-0.05, 0.05), st.floats(50, 900))
def test_the_residual_is_zero(strain: float, limit: float) -> None:
    stress = materials.ramberg_osgood_stress(strain, limit)
    ratio = np.abs(stress) / limit
    found = np.sign(stress) * (
        np.abs(stress) / materials.YOUNG + materials.OFFSET * ratio**materials.EXPONENT
    )
    assert found == pytest.approx(strain, rel=1e-9, abs=1e-15)


def test_turning_points_are_random() -> None:
    paths = materials.plasticity(4000, 50, seed=1).as_float()[..., 0]
    assert np.abs(paths).max() <= 1
    steps = np.diff(paths, axis=1, prepend=0.0)
    assert np.abs(steps).min() >= 0.04
    assert np.abs(steps).max() <= 0.12
    up = steps > 0
    # Either direction at every time: neither the start nor the clock tells it.
    assert np.abs(up.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(4000)
    turns = (up[:, 1:] != up[:, :-1]).mean(axis=0)
    assert turns[0] == pytest.approx(0.08, abs=5 * np.sqrt(0.08 * 0.92 / 4000))
    assert (turns > 0.05).all()
    assert (turns < 0.2).all()
    # A random turn draws another speed, uniformly; nothing else does.
    speeds = np.abs(steps)
    changed = ~np.isclose(speeds[:, 1:], speeds[:, :-1], rtol=1e-9)
    assert changed.mean() == pytest.approx(0.08, abs=5 * np.sqrt(0.08 * 0.92 / changed.size))
    drawn = speeds[:, 1:][changed]
    assert drawn.mean() == pytest.approx(0.08, abs=5 * 0.08 / np.sqrt(12 * len(drawn)))


def test_units_of_the_sets() -> None:
    elastic = materials.elasticity(20, 4, seed=0)
    assert elastic.targets is not None
    assert (elastic.as_float().shape, elastic.targets.shape) == ((20, 4, 1), (20, 1))
    slope = (
        elastic.targets[:, 0]
        * materials.STRESS
        / (elastic.as_float()[:, -1, 0] * materials.ELASTIC_STRAIN)
    )
    np.testing.assert_allclose(slope, materials.YOUNG, rtol=1e-12)

    nonlinear = materials.ramberg_osgood(20, 30, seed=0)
    assert nonlinear.targets is not None
    strain, limit = np.moveaxis(nonlinear.as_float(), -1, 0)
    assert (limit == limit[:, :1]).all()
    stress = nonlinear.targets[..., 0] * 300
    plastic_strain = 0.002 * np.sign(stress) * np.abs(stress / (300 + 200 * limit)) ** 10
    np.testing.assert_allclose(stress / 210_000 + plastic_strain, 0.01 * strain, atol=1e-12)

    plastic = materials.plasticity(20, 30, seed=0)
    assert plastic.targets is not None
    stress, *_ = materials.elastoplastic_history(
        materials.LARGEST_STRAIN * plastic.as_float()[..., 0]
    )
    np.testing.assert_allclose(plastic.targets[..., 0] * materials.STRESS, stress, rtol=1e-12)
    assert np.abs(plastic.targets).max() > 1  # some have yielded
