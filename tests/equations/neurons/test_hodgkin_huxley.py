"""The Hodgkin-Huxley neuron: its rest, its gates, its threshold current and its spike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Simulate = Callable[..., Any]
Array = NDArray[np.floating[Any]]


def rates(v: Array | float) -> Array:
    """Return the rates (m, h, n; opening, closing) at a potential in mV, per ms: Traub & Miles."""
    u = v + 63

    def linoid(x: Array | float, y: float) -> Array:
        return np.asarray(x / np.expm1(x / y))

    return np.array(
        [
            [0.32 * linoid(13 - u, 4), 0.28 * linoid(u - 40, 5)],
            [0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5))],
            [0.032 * linoid(15 - u, 5), 0.5 * np.exp((10 - u) / 40)],
        ]
    )


def steady(v: Array | float) -> Array:
    """Return the steady state of the gates (m, h, n) at a potential."""
    opening, closing = rates(v).swapaxes(0, 1)
    return np.asarray(opening / (opening + closing))


def ionic(v: Array | float, m: Array, h: Array, n: Array) -> Array:
    """Return the current into the cell in pA."""
    sodium, potassium = 20e3 * m**3 * h * (50 - v), 6e3 * n**4 * (-90 - v)
    return np.asarray(10 * (-65 - v) + sodium + potassium)


def test_it_rests_where_its_currents_cancel(simulate: Simulate) -> None:
    rest = brentq(lambda v: float(ionic(v, *steady(v))), -70, -63)
    result = simulate("hodgkin_huxley", 0.05)
    np.testing.assert_allclose(result.states["v"] * 1e3, rest, atol=1e-5)
    for name, gate in zip("mhn", steady(rest), strict=True):
        np.testing.assert_allclose(result.states[name], gate, rtol=1e-4)


def test_its_gates_end_in_their_steady_state(simulate: Simulate) -> None:
    """The potential is clamped, also beyond where a spike goes."""
    clamp = np.array([-119.0, -90.0, -65.1, -40.1, -20.1, 0.1, 30.0, 79.0])
    result = simulate("hodgkin_huxley", 0.1, hold={"v": clamp * 1e-3})
    for name, gate in zip("mhn", steady(clamp), strict=True):
        np.testing.assert_allclose(result.states[name][-1], gate, rtol=1e-6, err_msg=name)


@pytest.mark.medium
def test_its_threshold_current(simulate: Simulate) -> None:
    """Above the largest current with a fixed point it fires repetitively; below it rests."""
    v = np.linspace(-66, -55, 20_001)
    rheobase = float(-ionic(v, *steady(v)).min()) * 1e-12
    assert rheobase > 0
    current = rheobase * np.array([0.9, 1.5])
    fired = simulate("hodgkin_huxley", 0.25, hold={"I": current}).spikes
    assert not fired[:, 0].any()
    assert fired[1250:, 1].any()


def crossings(times: Array, potential: Array) -> Array:
    """Return the times at which the potential rises through -20 mV, interpolated."""
    above = potential > -20
    (last,) = np.nonzero(above[1:] & ~above[:-1])
    part = (-20 - potential[last]) / (potential[last + 1] - potential[last])
    return np.asarray(times[last] + part * (times[last + 1] - times[last]))


def fine(current: float, duration: float) -> tuple[Array, Array]:
    """Return times (ms) and the potential (mV) under a current (pA), by a fine ODE solver."""
    rest = brentq(lambda v: float(ionic(v, *steady(v))), -70, -63)

    def slope(_: float, y: Array) -> Array:
        (opening, closing), gates = rates(y[0]).swapaxes(0, 1), y[1:]
        flow = (ionic(y[0], *gates) + current) / 200
        return np.array([flow, *(opening * (1 - gates) - closing * gates)])

    times = np.arange(0, duration, 0.01)
    start = [rest, *steady(rest)]
    result = solve_ivp(slope, (0, duration), start, "LSODA", times, rtol=1e-8, atol=1e-10)
    return times, result.y[0]


@pytest.mark.medium
def test_its_spikes_converge_to_those_of_its_equations(simulate: Simulate) -> None:
    """The error of spike times is proportional to dt; at 0.1 ms intervals are 11 % too long."""
    times, potential = fine(800.0, 25.0)
    exact = crossings(times, potential)
    assert len(exact) == 3
    result, heights = [], []
    for dt in (1e-4, 5e-5, 2.5e-5):
        run = simulate("hodgkin_huxley", 0.026, dt=dt, hold={"I": 800e-12})
        trace = run.states["v"][:, 0] * 1e3
        result.append(crossings(np.arange(1, len(trace) + 1) * dt * 1e3, trace)[:3])
        heights.append(trace.max())
    errors = np.abs(np.array(result) - exact).max(axis=1)
    np.testing.assert_allclose(errors[:-1] / errors[1:], 2, rtol=0.1)
    np.testing.assert_allclose(np.diff(result[0]) / np.diff(exact), 1.11, atol=0.02)
    # Extrapolated to dt = 0 by Richardson's rule.
    np.testing.assert_allclose((result[0] - 6 * result[1] + 8 * result[2]) / 3, exact, atol=0.02)
    assert 20 < potential.max() < 50
    np.testing.assert_allclose(heights, potential.max(), atol=1.0)
