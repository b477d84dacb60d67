"""Neurons with further variables: adaptation, bursts, recurrences of papers, Hodgkin-Huxley.

Figures of the Izhikevich types are those of his table and figure 2: a step of current 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from stepping import simulate


def izhikevich(kind: str, current: ArrayLike = 10.0) -> Any:
    """Return 600 ms of a type under constant currents (neuron): mV each ms; `weight` is 10 mV."""
    dt = 1e-4
    return simulate(kind, 0.6, dt=dt, weights=np.asarray(current) * (dt / 1e-3) / 10)


def test_regular_spiking_adapts() -> None:
    intervals = izhikevich("izhikevich").intervals(0)
    assert len(intervals) > 5
    assert intervals[-1] > 1.5 * intervals[0]
    np.testing.assert_allclose(intervals[-3:], intervals[-1], rtol=0.02)


@pytest.mark.medium
def test_fast_spiking_does_not() -> None:
    """It fires fast, and from the fourth spike on at one interval."""
    fast = izhikevich("izhikevich_fs").intervals(0)
    regular = izhikevich("izhikevich").intervals(0)
    np.testing.assert_allclose(fast[3:], fast[-1], rtol=0.03)
    assert fast[-1] < 2 * fast[0]
    assert len(fast) > 4 * len(regular)


def test_chattering_bursts_again_and_again() -> None:
    intervals = izhikevich("izhikevich_ch").intervals(0)
    within, between = intervals < 7e-3, intervals > 15e-3
    assert (within | between).all()
    assert between.sum() >= 5
    assert np.diff(np.flatnonzero(between)).min() >= 3, "at least three spikes a burst"


@pytest.mark.medium
def test_low_threshold_spiking_fires_where_regular_spiking_does_not() -> None:
    """It has no fixed point where 0.04 v^2 + (5 - b) v + 140 + I has no root.

    With u as it is at rest a step does nothing while 0.04 v^2 + 5 v + 140 - u + I has one.
    """
    for kind, b, rest in (("izhikevich", 0.2, -70.0), ("izhikevich_lts", 0.25, -64.41)):
        rheobase = (5 - b) ** 2 / 0.16 - 140
        harmless = 25 / 0.16 - 140 + b * rest
        assert 0 < harmless < rheobase
        fires = izhikevich(kind, [0.9 * harmless, 1.1 * rheobase, 1.5]).spikes.any(axis=0)
        assert fires.tolist() == [False, True, kind.endswith("lts")]


def test_the_exponential_neuron_has_its_rheobase() -> None:
    """The largest current with a fixed point, (g_L + a)(V* - E_L) - g_L Delta_T (1 + a/g_L).

    There the derivative of the current is 0: exp((V* - V_T)/Delta_T) = 1 + a/g_L.
    """
    g_l, a, e_l, v_t, delta_t = 30e-9, 4e-9, -70.6e-3, -50.4e-3, 2e-3
    highest = v_t + delta_t * np.log(1 + a / g_l)
    rheobase = (g_l + a) * (highest - e_l) - g_l * delta_t * (1 + a / g_l)
    # Long steps of current, raised so slowly that adaptation follows.
    current = rheobase * np.array([0.98, 1.02])
    settled = highest - 1e-3
    result = simulate(
        "adex", 1.5, dt=1e-3, hold={"I": current},
        start={"v": settled, "w": a * (settled - e_l)},
    )  # fmt: skip
    assert result.spikes.any(axis=0).tolist() == [False, True]


def test_adlif_is_the_recurrence_of_its_paper() -> None:
    """u and w as in the paper, a spike's effects between steps, and (1 - beta) tau_w a for a."""
    steps, dt = 300, 1e-3
    train = np.random.default_rng(3).uniform(0.0, 0.6, (steps, 4))
    result = simulate("adlif", steps * dt, dt=dt, weights=train)
    alpha, beta = np.exp(-dt / 15e-3), np.exp(-dt / 75e-3)
    u, w = np.zeros(4), np.zeros(4)
    for step in range(steps):
        gain = (1 - beta) * 75e-3 * 20.0
        u, w = alpha * u - (1 - alpha) * w, beta * w + gain * u
        np.testing.assert_allclose(result.states["u"][step], u, atol=1e-12)
        np.testing.assert_allclose(result.states["w"][step], w, atol=1e-12)
        spike = u > 1
        assert (spike == result.spikes[step]).all()
        u, w = u + train[step] - spike, w + spike
    assert result.spikes.sum() > 20


@pytest.mark.medium
def test_glif_follows_its_reset_rules() -> None:
    """After the refractory period: f I exp(-k dt) + delta_I, theta_s likewise, V scaled."""
    dt = 5e-5
    result = simulate("glif", 0.3, dt=dt, hold={"I": 500e-12})
    (spikes,) = result.spikes.T
    first, second = np.flatnonzero(spikes)[:2]
    states = {name: trace[:, 0] for name, trace in result.states.items()}
    t_ref, during = 3.75e-3, round(3.75e-3 / dt)
    assert second - first > during
    at = states["v"][second] + 78.85e-3
    held = slice(second + 1, second + during)
    expected = {
        "v": -78.85e-3 + 0.2 * at + 18.51e-3,
        "I_1": states["I_1"][second] * np.exp(-3.0 * t_ref) - 9.18e-12,
        "I_2": states["I_2"][second] * np.exp(-100.0 * t_ref) - 198.94e-12,
        "theta_s": states["theta_s"][second] * np.exp(-9.0 * t_ref) + 0.37e-3,
        "theta_v": states["theta_v"][second],
    }
    for name, value in expected.items():
        np.testing.assert_allclose(states[name][held], value, rtol=1e-12, err_msg=name)


def test_the_adaptive_threshold_settles_where_spikes_and_decay_balance() -> None:
    """At regular intervals T, `alif`'s a jumps to 1/(1 - exp(-T/tau_adapt)) after each spike."""
    result = simulate("alif", 3.0, dt=1e-3, weights=0.2)
    interval = result.intervals(0)[-1]
    spike = np.flatnonzero(result.spikes[:, 0])[-1]
    decay = np.exp(-interval / 0.2)
    assert result.states["a"][spike, 0] == pytest.approx(decay / (1 - decay), rel=0.05)
    assert interval > 1.5 * result.intervals(0)[0]


@pytest.mark.parametrize("dt", [1e-3, 5e-4])
def test_alif_subtract_is_the_published_recursion(dt: float) -> None:
    """Yin et al. 2020: eta <- rho eta + (1 - rho) s; u <- alpha u + (1 - alpha) I - B s."""
    count, steps = 6, 600
    random = np.random.default_rng(3)
    drive = 0.4 * random.random((steps, count)) * (random.random((steps, count)) < 0.5)
    tau_m, tau_adapt = np.linspace(5e-3, 40e-3, count), np.linspace(20e-3, 700e-3, count)
    found = simulate(
        "alif_subtract", steps * dt, dt=dt, weights=drive,
        parameters={"tau_m": tau_m, "tau_adapt": tau_adapt},
    )  # fmt: skip
    alpha, rho = np.exp(-dt / tau_m), np.exp(-dt / tau_adapt)
    u = eta = spikes = np.zeros(count)
    fired = []
    for step in range(steps):
        # The input of a step acts in the next one.
        arriving = drive[step - 1] if step else np.zeros(count)
        eta = rho * eta + (1 - rho) * spikes
        threshold = 0.01 + 1.8 * eta
        u = alpha * u + (1 - alpha) * arriving - threshold * spikes
        spikes = (u > threshold).astype(float)
        fired.append(spikes)
        np.testing.assert_allclose(found.states["u"][step], u, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.states["eta"][step], eta, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.spikes, np.array(fired) > 0)
    assert (found.spikes.sum(0) > 20).all()
    assert not found.spikes.all(0).any()


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


def test_it_rests_where_its_currents_cancel() -> None:
    rest = brentq(lambda v: float(ionic(v, *steady(v))), -70, -63)
    result = simulate("hodgkin_huxley", 0.05)
    np.testing.assert_allclose(result.states["v"] * 1e3, rest, atol=1e-5)
    for name, gate in zip("mhn", steady(rest), strict=True):
        np.testing.assert_allclose(result.states[name], gate, rtol=1e-4)


def test_its_gates_end_in_their_steady_state() -> None:
    """The potential is clamped, also beyond where a spike goes."""
    clamp = np.array([-119.0, -90.0, -65.1, -40.1, -20.1, 0.1, 30.0, 79.0])
    result = simulate("hodgkin_huxley", 0.1, hold={"v": clamp * 1e-3})
    for name, gate in zip("mhn", steady(clamp), strict=True):
        np.testing.assert_allclose(result.states[name][-1], gate, rtol=1e-6, err_msg=name)


@pytest.mark.medium
def test_its_threshold_current() -> None:
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
def test_its_spikes_converge_to_those_of_its_equations() -> None:
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
