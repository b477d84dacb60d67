"""Responses to a single spike, against closed forms and a fine ODE solver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

Simulate = Callable[..., Any]

TAU_M, TAU_S = 15e-3, 3.75e-3


def one_spike(steps: int, weight: float = 1.0) -> NDArray[np.float64]:
    """Return a train (time, 1) whose spike arrives at the end of the first step."""
    train = np.zeros((steps, 1))
    train[0] = weight
    return train


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_the_srm_kernel_is_the_double_exponential(dt: float, simulate: Simulate) -> None:
    steps = round(0.1 / dt)
    result = simulate("srm", 0.1, dt=dt, weights=one_spike(steps, 0.5)).states["h"][:, 0]
    since = np.arange(steps) * dt
    kernel = np.exp(-since / TAU_M) - np.exp(-since / TAU_S)
    peak = TAU_M * TAU_S / (TAU_M - TAU_S) * np.log(TAU_M / TAU_S)
    highest = np.exp(-peak / TAU_M) - np.exp(-peak / TAU_S)
    np.testing.assert_allclose(result, 0.5 * kernel / highest, rtol=1e-10, atol=1e-14)
    assert since[result.argmax()] == pytest.approx(peak, abs=dt)


def test_the_after_potential_of_the_srm_falls_by_eta_0_at_each_spike(simulate: Simulate) -> None:
    result = simulate("srm", 0.1, weights=one_spike(1000, 1.5))
    eta, fired = result.states["eta"][:, 0], result.spikes[:, 0]
    times = np.flatnonzero(fired)
    assert len(times) >= 1
    since = (np.arange(1000)[:, None] - times) * result.dt
    expected = -(np.exp(-since / 15e-3) * (since > 0)).sum(axis=1)
    np.testing.assert_allclose(eta, expected, atol=1e-12)
    assert (np.diff(result.states["h"][:, 0])[times[:-1]] > 0).all(), "the potential is not reset"


@pytest.mark.parametrize(
    ("weights", "inhibition", "sign"), [(0.25, 0.0, 1), (0.0, 2.0, -1), (0.5, 2.0, 0)]
)
def test_conductances_give_the_potential_of_the_equations(
    weights: float, inhibition: float, sign: int, simulate: Simulate
) -> None:
    """A unitary PSP of `coba`, and both conductances at once, against a fine ODE solver."""
    c, g_l, e_l, e_e, e_i, tau_e, tau_i = 200, 10, -60, 0, -80, 5e-3, 10e-3

    def slope(t: float, v: NDArray[np.float64]) -> NDArray[np.float64]:
        excitatory = 12 * weights * np.exp(-t / tau_e)
        inhibitory = 12 * inhibition * np.exp(-t / tau_i)
        # nS mV/pF is mV/ms.
        flow = g_l * (e_l - v) + excitatory * (e_e - v) + inhibitory * (e_i - v)
        return np.asarray(flow / c * 1e3)

    errors = []
    for dt in (1e-4, 5e-5):
        steps = round(0.1 / dt)
        result = simulate(
            "coba", 0.1, dt=dt, weights=one_spike(steps, weights),
            inhibition=one_spike(steps, inhibition),
        )  # fmt: skip
        trace = result.states["v"][:, 0] * 1e3
        times = np.arange(steps) * dt
        exact = solve_ivp(slope, (0, 0.1), [e_l], t_eval=times, rtol=1e-10, atol=1e-10).y[0]
        assert not result.spikes.any()
        size = np.abs(exact - e_l).max()
        assert size > 0.5
        errors.append(np.abs(trace - exact).max() / size)
        assert sign == 0 or np.sign(exact[np.abs(exact - e_l).argmax()] - e_l) == sign
    assert errors[0] < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1), "exponential Euler is of order 1"


@pytest.mark.parametrize(
    ("name", "membrane", "tau", "weight"),
    [("adex", (281e-12, 30e-9), 5e-3, 1e-9), ("glif", (58.72e-12, 9.43e-9), 2e-3, 200e-12)],
)
def test_a_small_current_gives_the_linear_response(
    name: str, membrane: tuple[float, float], tau: float, weight: float, simulate: Simulate
) -> None:
    """One weak spike through membrane and synapse, without currents slower than 2 ms."""
    (capacitance, leak), dt, steps, strength = membrane, 1e-5, 200, 1e-3
    result = simulate(name, steps * dt, dt=dt, weights=one_spike(steps, strength))
    rise = (result.states["v"] - result.states["v"][0])[:, 0]
    tau_m, since = capacitance / leak, np.arange(steps) * dt
    kernel = (np.exp(-since / tau_m) - np.exp(-since / tau)) / (1 / tau - 1 / tau_m)
    expected = strength * weight / capacitance * kernel
    np.testing.assert_allclose(rise[1:], expected[1:], rtol=0.02, atol=expected.max() * 0.01)
