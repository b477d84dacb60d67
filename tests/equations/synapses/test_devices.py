"""Rules whose weights are pairs of bounded, quantised, noisy conductances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plastic_networks import network, signals
from refusals import refused

from bioae import learn, parity
from bioae.equations import SynapseModel, load_synapse, weight_changes, with_devices
from bioae.errors import InputError, ModelError
from bioae.networks import Network


def jump(change: str, **more: Any) -> SynapseModel:
    """Return a rule that changes the weight by a number with each spike of the source."""
    fields = {"description": "A rule.", "synapse": {"on_pre": f"w = w + {change}"}, **more}
    return SynapseModel.from_mapping("mine", fields, where="mine.toml")


def changes(model: SynapseModel, spikes: int, weight: float = 0.0, n: int = 1) -> Any:
    """Return the changes of weights by some spikes of their sources (synapse,)."""
    fired = np.zeros((2, n, spikes + 1), bool)
    fired[0, :, :spikes] = True
    return weight_changes(model, *fired, dt="1*ms", weight=weight)


@pytest.mark.medium
@settings(deadline=None, max_examples=25)
@given(
    levels=st.integers(2, 40), change=st.floats(-0.7, 0.7), noise=st.sampled_from([0.0, 0.5]),
    largest=st.sampled_from([0.5, 1.0, 3.0]),
)  # fmt: skip
def test_weights_are_levels(levels: int, change: float, noise: float, largest: float) -> None:
    model = with_devices(jump(repr(change)), levels, largest=largest, noise=noise)
    weights = changes(model, 5, n=20) / largest * (levels - 1)
    np.testing.assert_allclose(weights, np.rint(weights), atol=1e-6)
    assert (abs(weights) <= levels - 1).all()


def test_pulses_have_the_mean_that_the_rule_wishes() -> None:
    """Within five standard errors; a pulse of 1/4 level is 0 or 1."""
    level, n = 1 / 63, 40_000
    found = changes(with_devices(jump(repr(level / 4)), 64), 1, n=n) / level
    assert set(np.rint(found)) == {0.0, 1.0}
    assert abs(found.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / n)
    noisy = changes(with_devices(jump(repr(9 * level)), 64, noise=0.5), 1, n=n) / level
    assert abs(noisy.mean() - 9) < 5 * noisy.std() / np.sqrt(n)
    assert noisy.var() == pytest.approx(9 * 0.5**2 + 1 / 12, rel=0.05)  # and that of rounding


def test_whole_levels_are_written_exactly_up_to_the_bounds() -> None:
    up, down = (with_devices(jump(f"{sign}3*0.125"), 9) for sign in ("", "-"))
    assert [changes(up, k)[0] for k in range(1, 5)] == [0.375, 0.75, 1.0, 1.0]
    assert [changes(down, k)[0] for k in range(1, 5)] == [-0.375, -0.75, -1.0, -1.0]
    assert [changes(down, k, weight=0.5)[0] for k in (1, 4)] == [-0.375, -1.5]


@pytest.mark.medium
def test_conductances_stay_within_their_levels() -> None:
    start = network(recurrent=False, recurrent_synapse=None)
    rule = with_devices(load_synapse("stdp_pair"), 5, noise=0.3)
    layers = [each.model_dump() for each in start.config.layers]
    layers[0]["synapse"] = rule.name
    config = start.config.varied(layers=layers, synapses={rule.name: rule.to_mapping()})
    learned = learn(Network(config, start.weights), signals(), "torch").network.weights
    common = learned["hidden.weight_g_common"]
    levels = np.abs(learned["hidden.weight"]) * 4
    written = np.isclose(levels, np.rint(levels), atol=1e-5)
    assert written.mean() > 0.9
    assert common.min() >= 0
    assert (common + levels)[written].max() <= 4 + 1e-5
    assert common.max() > 0


@pytest.mark.medium
@pytest.mark.parametrize("name", ["stdp_pair", "csdp"])
def test_devices_have_parity(name: str) -> None:
    model = with_devices(load_synapse(name), 16, noise=0.2)
    report = parity(model, neurons=16, steps=30, examples=3)
    assert report.passed
    assert report.differing_weights == 0
    assert report.changed > 0.2


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ({"levels": 1}, "levels"), ({"levels": 4, "largest": 0}, "largest"),
        ({"levels": 4, "noise": -1}, "noise"), ({"levels": 2**20, "largest": 0.02}, "1.9e-08"),
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(numbers: dict[str, Any], name: str) -> None:
    with refused(InputError, name):
        with_devices(jump("0.1"), **numbers)


@pytest.mark.parametrize(
    ("change", "more", "name"),
    [
        ("0.1*highest", {"parameters": {"highest": "1"}}, "highest"),
        ("0.1", {"synapse": {"on_pre": "g_plus = 0.1; w = w + g_plus"}}, "g_plus"),
        ("0.1", {"synapse": {"equations": "g_wished : 1", "on_pre": "g_wished = 1; w = w + 0.1"}},
         "g_wished"),
        ("0.1", {"held": ["g_rest"]}, "g_rest"),
    ],
)  # fmt: skip
def test_names_of_devices_are_refused(change: str, more: dict[str, Any], name: str) -> None:
    with refused(ModelError, repr(name), where="mine.toml"):
        with_devices(jump(change, **more), 4)
    with refused(ModelError, "'g_common'"):
        with_devices(with_devices(jump("0.1"), 4), 4)
