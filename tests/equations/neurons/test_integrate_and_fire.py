"""Integrate-and-fire neurons against closed forms: rates under a constant drive, and responses."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from stepping import simulate

from bioae.equations import NeuronModel, load_neuron


def test_without_a_leak_the_rate_is_the_drive() -> None:
    """n inputs of weight w reach theta; the next comes with the reset, and is lost with it."""
    drive = np.array([0.013, 0.037, 0.052, 0.11, 0.23, 0.49, 0.7, 1.3])
    result = simulate("if", 1.0, dt=1e-3, weights=drive)
    needed = np.floor(1 / drive) + 1
    for neuron, n in enumerate(needed):
        assert result.times(neuron)[0] == pytest.approx((n + 1) * 1e-3)
        np.testing.assert_allclose(result.intervals(neuron), (n + 1) * 1e-3)
    assert result.spikes.sum(axis=0).min() > 10


@pytest.mark.medium
def test_refractoriness_adds_to_the_interval() -> None:
    """The rate is 1/(t_ref + tau ln((mu - v_r)/(mu - theta))), to within a step or two of dt."""
    dt, tau, theta, v_r = 2e-5, 20e-3, 20e-3, 10e-3
    mu, t_ref = map(np.ravel, np.meshgrid([21e-3, 25e-3, 40e-3, 100e-3], [0.0, 2e-3, 10e-3]))
    drive = mu * (np.exp(dt / tau) - 1) / 10e-3
    result = simulate("lif_refractory", 0.25, dt=dt, weights=drive, parameters={"t_ref": t_ref})
    expected = t_ref + tau * np.log((mu - v_r) / (mu - theta))
    for neuron, interval in enumerate(expected):
        intervals = result.intervals(neuron)
        assert len(intervals) >= 2
        assert np.abs(intervals - interval).max() < 2.5 * dt


def test_the_quadratic_neuron_has_its_rate() -> None:
    """The interval is the integral of dv over its derivative, an arctangent.

    With x the distance from the middle of v_rest and v_t in units of their distance D, tau dx/dt =
    x^2 + e, where e is the drive beyond rheobase; so the interval is tau/sqrt(e) [arctan(x/sqrt e)]
    between reset and peak, and where both are far off, pi tau/sqrt(e).
    """
    dt, tau, middle, width = 1e-5, 10e-3, -57.5e-3, 15e-3
    excess = np.array([0.08, 0.32, 1.28, 5.12])
    # Per step and in units of `weight`; rheobase is 1/4.
    drive = (excess + 0.25) * width * dt / tau / 8e-3
    result = simulate("qif", 0.12, dt=dt, weights=drive, start={"v": np.full(4, -80e-3)})
    root = np.sqrt(excess)
    peak, reset = ((20e-3 - middle) / width, (-80e-3 - middle) / width)
    expected = tau / root * (np.arctan(peak / root) - np.arctan(reset / root))
    measured = np.array([result.times(neuron)[0] for neuron in range(4)])
    np.testing.assert_allclose(measured, expected, rtol=5e-3)
    # Near rheobase four times the excess doubles the rate, but for the finite reset and peak.
    assert measured[0] / measured[1] == pytest.approx(2, rel=0.15)


def test_the_quadratic_neuron_needs_its_rheobase() -> None:
    dt = 1e-4
    drive = (0.25 + np.array([-0.005, 0.005])) * 15e-3 * dt / 10e-3 / 8e-3
    assert simulate("qif", 1.0, dt=dt, weights=drive).spikes.any(axis=0).tolist() == [False, True]


def test_the_exponential_neuron_needs_its_rheobase() -> None:
    """The leak and the exponential balance last at v = V_T: I = V_T - E_L - Delta_T."""
    dt = 1e-4
    rheobase = -59.9 + 65 - 3.48
    drive = rheobase * np.array([0.9, 1.1]) * dt / 10e-3 / 4
    assert simulate("eif", 0.4, dt=dt, weights=drive).spikes.any(axis=0).tolist() == [False, True]


# The LIF in both orders of a step: with w arriving at each step and a leak l = exp(-dt/tau), v
# after n inputs is w (1 - l^n)/(1 - l), times l where the leak comes between the last input and the
# threshold.

BRIAN2 = ("update", "threshold", "receive", "reset")
PAPER = ("receive", "threshold", "reset", "update")

DRIVES = np.array([0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.26, 0.4, 0.5, 0.8, 0.99, 1.5])


def inputs_to_fire(w: float, leak: float, *, leaks_first: bool) -> int | None:
    """Return the smallest n with w (1 - l^n)/(1 - l) > 1, times l where the leak comes first."""
    needed = 1 - (1 - leak) / (w * (leak if leaks_first else 1))
    return int(np.floor(np.log(needed) / np.log(leak))) + 1 if needed > 0 else None


def lif(tau: float, refractory: int | None = None) -> NeuronModel:
    fields = load_neuron("lif").to_mapping()
    fields["parameters"] = {"tau": f"{tau}*ms", "theta": "1"}
    if refractory is not None:
        fields["equations"] = "dv/dt = -v/tau : 1 (unless refractory)"
        fields["refractory"] = f"{refractory}*ms"
    return builders.model(fields)


def spike_steps(model: NeuronModel, order: tuple[str, ...], steps: int) -> list[list[int]]:
    """Return the steps in which each neuron fires; neuron k receives ``DRIVES[k]`` at each step."""
    found = simulate(model, steps * 1e-3, dt=1e-3, weights=DRIVES, order=order)
    return [np.flatnonzero(spikes).tolist() for spikes in found.spikes.T]


@pytest.mark.parametrize("order", [BRIAN2, PAPER], ids=["brian2", "paper"])
@pytest.mark.parametrize("tau", [5.0, 20.0, 100.0])
def test_inputs_to_a_spike(tau: float, order: Any) -> None:
    """The interval between spikes is n inputs; in Brian2's order that of a spike's step is lost."""
    leak, steps, lost = np.exp(-1 / tau), 150, order == BRIAN2
    result = spike_steps(lif(tau), order, steps)
    for w, mine in zip(DRIVES, result, strict=True):
        n = inputs_to_fire(w, leak, leaks_first=lost)
        expected = [] if n is None else list(range(n if lost else n - 1, steps, n + lost))
        assert mine == expected, w
    assert sum(map(len, result)) > 200


@pytest.mark.parametrize("refractory", [1, 2, 5])
def test_refractory_steps_lengthen_the_interval(refractory: int) -> None:
    """In both orders the interval is n inputs, and r more steps.

    In Brian2's order the input of the step in which refractoriness ends is the first that counts.
    In the paper's it comes before that end, and is lost.
    """
    tau, steps = 20.0, 200
    leak = np.exp(-1 / tau)
    brian2, paper = (spike_steps(lif(tau, refractory), order, steps) for order in (BRIAN2, PAPER))
    compared = 0
    for w, theirs, ours in zip(DRIVES, brian2, paper, strict=True):
        first, again = (inputs_to_fire(w, leak, leaks_first=flag) for flag in (True, False))
        if first is not None:
            assert set(np.diff(theirs)) == {first + refractory}, w
            compared += len(theirs)
        if again is not None:
            assert set(np.diff(ours)) == {again + refractory}, w
            compared += len(ours)
    assert compared > 200


TAU_M, TAU_S = 15e-3, 3.75e-3


def one_spike(steps: int, weight: float = 1.0) -> NDArray[np.float64]:
    """Return a train (time, 1) whose spike arrives at the end of the first step."""
    train = np.zeros((steps, 1))
    train[0] = weight
    return train


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
def test_the_srm_kernel_is_the_double_exponential(dt: float) -> None:
    steps = round(0.1 / dt)
    result = simulate("srm", 0.1, dt=dt, weights=one_spike(steps, 0.5)).states["h"][:, 0]
    since = np.arange(steps) * dt
    kernel = np.exp(-since / TAU_M) - np.exp(-since / TAU_S)
    peak = TAU_M * TAU_S / (TAU_M - TAU_S) * np.log(TAU_M / TAU_S)
    highest = np.exp(-peak / TAU_M) - np.exp(-peak / TAU_S)
    np.testing.assert_allclose(result, 0.5 * kernel / highest, rtol=1e-10, atol=1e-14)
    assert since[result.argmax()] == pytest.approx(peak, abs=dt)


def test_the_after_potential_of_the_srm_falls_by_eta_0_at_each_spike() -> None:
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
def test_potentials_of_conductances(weights: float, inhibition: float, sign: int) -> None:
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
    name: str, membrane: tuple[float, float], tau: float, weight: float
) -> None:
    """One weak spike through membrane and synapse, without currents slower than 2 ms."""
    (capacitance, leak), dt, steps, strength = membrane, 1e-5, 200, 1e-3
    result = simulate(name, steps * dt, dt=dt, weights=one_spike(steps, strength))
    rise = (result.states["v"] - result.states["v"][0])[:, 0]
    tau_m, since = capacitance / leak, np.arange(steps) * dt
    kernel = (np.exp(-since / tau_m) - np.exp(-since / tau)) / (1 / tau - 1 / tau_m)
    expected = strength * weight / capacitance * kernel
    np.testing.assert_allclose(rise[1:], expected[1:], rtol=0.02, atol=expected.max() * 0.01)
