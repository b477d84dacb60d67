"""Learning windows of the shipped rules against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refused

from bioae.equations import SynapseModel, learning_window, load_synapse, weight_changes
from bioae.equations.synapses.windows import usual_weight
from bioae.errors import InputError

Times = NDArray[np.float64]

INTERVALS = np.array([-80.0, -20.0, -3.0, -0.1, 0.1, 3.0, 20.0, 80.0])


def unbounded(name: str, **parameters: str) -> SynapseModel:
    """Return a shipped rule with bounds that are never reached."""
    model = load_synapse(name)
    values = {**model.parameters, "w_min": "-1000", "w_max": "1000", **parameters}
    return model.model_copy(update={"parameters": values})


def test_the_window_of_pairs_has_its_closed_form() -> None:
    model = unbounded("stdp_pair", tau_pre="17*ms", tau_post="34*ms")
    before, after = INTERVALS < 0, INTERVALS > 0
    expected = np.zeros(len(INTERVALS))
    expected[after] = 0.005 * np.exp(-INTERVALS[after] / 17)
    expected[before] = -0.00525 * np.exp(INTERVALS[before] / 34)
    np.testing.assert_allclose(learning_window(model, INTERVALS), expected, rtol=0, atol=1e-12)
    assert learning_window(model, [0.0]) == 0  # neither comes first


def test_the_window_of_triplets_for_a_pair_has_depression_only() -> None:
    """In the minimal model potentiation needs two spikes of the target."""
    change = learning_window(unbounded("stdp_triplet"), INTERVALS)
    expected = np.where(INTERVALS < 0, -7.1e-3 * np.exp(INTERVALS / 33.7), 0.0)
    np.testing.assert_allclose(change, expected, rtol=0, atol=1e-12)


def test_the_window_of_a_reward_is_that_of_pairs_times_the_reward() -> None:
    pairs_only = learning_window(unbounded("stdp_pair"), INTERVALS)
    until = np.exp(-(80 - abs(INTERVALS)) / 1000)  # the end, after the longest interval
    for reward in (1.0, -2.0):
        found = learning_window(unbounded("stdp_reward"), INTERVALS, held={"reward": reward})
        np.testing.assert_allclose(found, reward * pairs_only * until, rtol=0, atol=1e-12)


def test_ojas_rule_has_its_closed_form() -> None:
    before = INTERVALS < 0
    expected = np.where(before, 0.0, 0.01 * np.exp(-INTERVALS / 20))
    np.testing.assert_allclose(
        learning_window(load_synapse("oja"), INTERVALS), expected, atol=1e-12
    )
    fired = np.zeros((2, 1, 400), bool)
    fired[1, 0, [100, 200]] = True  # the second spike forgets by the trace of the first
    (found,) = weight_changes(load_synapse("oja"), *fired, weight=0.5)
    assert found == pytest.approx(-0.01 * np.exp(-10 / 20) * 0.5, rel=1e-9)


def test_the_window_of_bcpnn_is_the_log_odds_of_its_traces() -> None:
    """Euler steps of 1 ms: z decays by the factor a, p by b, and is fed by the decayed z."""
    intervals, late = np.arange(-30.0, 31.0, 10.0), 100
    found = learning_window(unbounded("bcpnn"), intervals, dt="1*ms", after="0.1*second")
    a, b, jump, start = 1 - 1 / 10, 1 - 1 / 10_000, 2.0, 0.1
    steps, expected = np.arange(31 + late), []
    for interval in intervals:
        z, p = [], []
        for since in (steps - max(0, -interval), steps - max(0, interval)):
            # Traces jump in the step of the spike, after learning.
            fed = jump * (1 - b) * a * (b**since - a**since) / (b - a)
            z.append(np.where(since > 0, jump * a**since, 0))
            p.append(start * b ** (steps + 1) + np.where(since > 0, fed, 0))
        joint = start**2 * b ** len(steps) + (1 - b) * (z[0] * z[1] * b ** steps[::-1]).sum()
        expected.append(0.1 * np.log(joint / (p[0][-1] * p[1][-1])))
    assert max(expected) > 0.005
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_soft_bounds_have_their_closed_form() -> None:
    trace = np.where(INTERVALS > 0, np.exp(-INTERVALS / 20), 0.0)
    expected = 0.05 * (trace * (1 - 0.3) - 0.6 * 0.3)
    found = learning_window(load_synapse("stdp_postsynaptic"), INTERVALS, weight=0.3)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("every", [None, 1, 4, 9, 40])
def test_what_is_due_regularly_runs_in_the_last_step_too(every: int | None) -> None:
    fields = {"regularly": "w = w + 1"} | ({} if every is None else {"every": f"{every}*ms"})
    model = SynapseModel.from_mapping(
        "mine", {"description": "A rule.", "synapse": fields}, where="mine.toml"
    )
    (change,) = weight_changes(model, *np.zeros((2, 1, 10), bool), dt="1*ms")
    assert change == {None: 1, 1: 10, 4: 3, 9: 2, 40: 1}[every]


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_csdp_descends_the_loss_of_the_goodness(truth: float) -> None:
    """The change is -eta times the derivative of the cross-entropy by the trace z."""
    model = load_synapse("csdp").model_copy(update={"parameters": {
        **load_synapse("csdp").parameters, "theta_G": "0.2"}})  # fmt: skip
    gaps = np.array([1.0, 5.0, 20.0])
    z = (1 - 0.1 / 13) ** (10 * gaps)

    def loss(trace: Times) -> Times:
        p = 1 / (1 + np.exp(0.2 - trace**2))
        return -truth * np.log(p) - (1 - truth) * np.log(1 - p)

    slope = (loss(z + 1e-6) - loss(z - 1e-6)) / 2e-6
    found = learning_window(model, -gaps, held={"truth": truth})
    np.testing.assert_allclose(found, -0.001 * slope, rtol=1e-6)


def test_held_numbers_that_are_unknown_are_refused() -> None:
    with refused(InputError, expected="reward", found="'rewards'"):
        learning_window(load_synapse("stdp_reward"), [1.0], held={"rewards": 1.0})


@pytest.mark.parametrize(
    ("low", "high", "weight"),
    [(0.0, 0.2, 0.1), (1.0, 9.0, 5.0), (-0.2, 0.0, -0.1), (-0.3, 0.2, 0.1), (0.25, 0.25, 0.25)],
)
def test_windows_begin_in_the_middle_of_bounds(low: float, high: float, weight: float) -> None:
    model = load_synapse("stdp_pair")
    bounds = {"w_min": repr(low), "w_max": repr(high)}
    model = model.model_copy(update={"parameters": {**model.parameters, **bounds}})
    assert usual_weight(model) == pytest.approx(weight)
    window = learning_window(model, INTERVALS)
    if low < high:
        np.testing.assert_allclose(window, learning_window(load_synapse("stdp_pair"), INTERVALS))


def earlier(times: Times, at: Times, tau: float) -> Times:
    """Return the sums of exp(-(t - s)/tau) over the times s before each t."""
    gaps = at[:, None] - times[None]
    return np.where(gaps > 1e-9, np.exp(-np.where(gaps > 0, gaps, 0) / tau), 0.0).sum(1)


def pairs(pre: Times, post: Times) -> float:
    """Return the change by the all-to-all sum over pairs."""
    potentiation = 0.005 * earlier(pre, post, 20.0).sum()
    return float(potentiation - 0.00525 * earlier(post, pre, 20.0).sum())


def triplets(pre: Times, post: Times) -> float:
    """Return the change by equations 3 and 4 of Pfister & Gerstner 2006, minimal model."""
    potentiation = 6.5e-3 * (earlier(pre, post, 16.8) * earlier(post, post, 114.0)).sum()
    return float(potentiation - 7.1e-3 * earlier(post, pre, 33.7).sum())


CHANGES = {"stdp_pair": pairs, "stdp_triplet": triplets}
STEPS = st.lists(st.integers(0, 999), max_size=12, unique=True)


@pytest.mark.medium
@pytest.mark.parametrize("name", CHANGES)
@settings(max_examples=20, deadline=None)
@given(pre=STEPS, post=STEPS)
def test_spike_trains_change_the_weight_by_sums(name: str, pre: list[int], post: list[int]) -> None:
    fired = np.zeros((2, 1, 1000), bool)
    fired[0, 0, pre], fired[1, 0, post] = True, True
    found = weight_changes(unbounded(name), *fired, dt="0.5*ms")
    expected = CHANGES[name](0.5 * np.sort(pre).astype(float), 0.5 * np.sort(post).astype(float))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_spikes_that_do_not_fit_are_refused() -> None:
    with refused(InputError):
        weight_changes(load_synapse("stdp_pair"), np.zeros(3), np.zeros(3))


def test_the_window_of_a_rule_with_random_numbers_is_a_mean() -> None:
    """Within five standard errors of that of the rule in expectation."""
    model = unbounded("stdp_pair")
    synapse = {"on_post": "w = clip(w + A_plus*x_pre*2*int(rand() < 0.5), w_min, w_max)"}
    fields = {**model.to_mapping(), "synapse": synapse}
    random = SynapseModel.from_mapping("random", fields, where="random.toml")
    found = learning_window(random, INTERVALS)
    after = INTERVALS > 0
    expected = np.where(after, 0.005 * np.exp(-INTERVALS / 20), 0.0)
    assert (abs(found - expected) <= 5 * expected / np.sqrt(100) + 1e-12).all()
    assert (found[after] > 0).all()
