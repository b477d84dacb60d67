"""Parity networks fire, chaos is distinguished from disagreement, many models share a build."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import dense, drawn, model, pictures
from one_build import survey
from refusals import refused

from bioae import parity, simulate
from bioae.api import engine_of
from bioae.equations import NeuronModel, load_neuron, load_synapse
from bioae.errors import InputError, ModelError, TargetError
from bioae.networks import Network
from bioae.simulation.targets import activation as targets
from bioae.simulation.targets.activation import check_target
from bioae.trainers.parity import AGREEMENT, Parity, comparison, parity_network
from bioae.trainers.parity.networks import ACTIVE, BURSTING, scaled
from bioae.trainers.parity.rules import rule_parity

SMALL: dict[str, Any] = {"neurons": 8, "steps": 30, "examples": 2}


def map_model(growth: float) -> NeuronModel:
    """Return a logistic map, by Euler's method with a step of its time constant.

    Near r = 4 the distance of two orbits doubles with each step; below r = 3 orbits converge. The
    exponential differs from 1 by less than the input does.
    """
    fields = {
        "description": "Logistic map.",
        "equations": f"""
        dv/dt = ({growth}*u*(1 - u)*exp(-1e-9*u) - v)/(1*ms) : 1
        u = clip(v, 0.0, 1.0) : 1
        """,
        "threshold": "v > 0.6",
        "method": "euler",
        "input": "v",
        "weight": "0.05",
        "initial": {"v": "0.3 + 0.4*i/N"},
    }
    return model(fields, "map")


@pytest.mark.medium
def test_chaos_is_detected_by_perturbing_brian2() -> None:
    # Whether the two sides agree is left to chance: on some processors their exponentials do.
    report = parity(map_model(3.99), neurons=10, steps=200, perturb=True)
    assert not report.exact
    assert report.self_agreement is not None
    assert report.self_agreement < AGREEMENT
    assert report.chaotic
    assert report.one_step == 1.0
    assert replace(report, spike_agreement=0.5).passed
    assert not replace(report, spike_agreement=0.5, self_agreement=1.0).passed


@pytest.mark.medium
def test_the_same_map_without_chaos_must_agree() -> None:
    report = parity(map_model(2.7), neurons=10, steps=200, perturb=True)
    assert report.self_agreement is not None
    assert report.self_agreement >= AGREEMENT
    assert report.chaotic is False
    assert report.spike_agreement >= AGREEMENT
    assert report.passed
    assert not replace(report, spike_agreement=0.99).passed


@pytest.mark.medium
@pytest.mark.parametrize("factor", [1.0, 2.0**-8, 2.0**8])
@pytest.mark.parametrize("name", ["lif", "izhikevich"])
def test_networks_neither_die_nor_burst(name: str, factor: float) -> None:
    network, images = parity_network(load_neuron(name), neurons=20, steps=60, examples=2, seed=1)
    weights = {
        n: np.abs(factor * w) if n.endswith(".weight") else w for n, w in network.weights.items()
    }
    found = scaled(Network(network.config, weights), images, seed=1)
    result = simulate(found, images, "torch", seed=1)
    for placed in found.config.placed:
        count = result[f"/layers/{placed.name}/spike_count"]
        assert float((count > 0).any("example").mean()) >= ACTIVE
        assert float(count.mean()) / found.config.steps <= BURSTING
    for name_, values in found.weights.items():
        if name_.endswith((".weight", ".recurrent")):
            np.testing.assert_array_equal(values * 2**12, np.rint(values * 2**12))


def test_a_model_that_cannot_fire_is_refused() -> None:
    fields = load_neuron("lif").to_mapping() | {"threshold": "v > 1 and v < 0"}
    fields["surrogate"] = {"distance": "v - theta", "scale": "theta"}
    never = model(fields, "never")
    with refused(ModelError, "'never'"):
        parity(never, **SMALL)
    with refused(TargetError, "'nest'"):  # the target is checked first
        parity(never, target="nest")
    with refused(TargetError, "'nest'"):
        comparison.compare("none.zip", None, engine_of, target="nest")


@pytest.mark.medium
def test_targets_share_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        comparison, "parity_network", lambda *a, **k: (made.append(a), parity_network(*a, **k))[1]
    )
    first, second = comparison.model_parities(
        load_neuron("lif"), ["numpy", "numpy"], engine_of, **SMALL
    )
    assert first == second
    assert len(made) == 1


def test_a_misspelt_size_is_refused() -> None:
    lif = load_neuron("lif")
    with refused(InputError, "'step'"):
        comparison.model_parities(lif, ["numpy"], engine_of, step=5)
    with refused(InputError, "'step'"):
        rule_parity(load_synapse("stdp_pair"), engine_of, neuron=lif, step=5)


@pytest.mark.slow
def test_many_models_in_one_build(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        check_target("cpp_standalone")
    except TargetError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(targets, "IEEE_FLAGS", ["-w", "-O0", "-ffp-contract=off"])
    models = [load_neuron(name) for name in ("eif", "noisy_lif")]
    together = survey(models, target="cpp_standalone", **SMALL)
    separate = [parity(model, **SMALL) for model in models]
    for found, expected in zip(together, separate, strict=True):
        assert (found.target, expected.target) == ("cpp_standalone", "numpy")
        assert found.passed
        assert found.one_step == 1.0
        # Libraries compute an exponential differently, in its last bits.
        loose = {} if found.exact else {"max_state_error": 0.0}
        changes: dict[str, Any] = {"target": "", **loose}
        assert replace(found, **changes) == replace(expected, **changes)


def test_states_that_diverge_are_named_and_do_not_pass(caplog: pytest.LogCaptureFixture) -> None:
    diverging = NeuronModel(
        name="x", description="d", equations="dv/dt = v*v/ms : 1\nu : 1", threshold="u > 1",
        reset="u = 0", input="v", inputs={"u": "0.3"}, method="euler",
    )  # fmt: skip
    report = parity(diverging, **SMALL)
    assert (report.differing, report.passed) == (0, False)
    assert report.diverged["first"].startswith("v diverged in 4 of 4 neurons, first in neuron ")
    lines = [line.getMessage() for line in caplog.records]
    assert f"bioae: numpy, first: {report.diverged['first']}" in lines


def test_a_report_passes_if_it_meets_its_requirement() -> None:
    report = parity(load_neuron("lif"), **SMALL)
    assert isinstance(report, Parity)
    assert report.passed
    assert report.to_json()["passed"] is True
    assert not replace(report, differing=1).passed
    assert not replace(report, spikes=0).passed
    assert not replace(report, max_state_error=1e-300).passed
    assert replace(report, exact=False, max_state_error=1e-9).passed
    assert replace(report, exact=False, differing=1).passed
    assert not replace(report, exact=False, one_step=0.9999).passed


def test_a_network_of_one_step() -> None:
    network = drawn(dense("hidden", 8, gain=40.0), dense("output", shape=[1, 6, 6], gain=40.0),
                    input_shape=[1, 6, 6], steps=1)  # fmt: skip
    report = parity(network, pictures(3, 1, 6, 6))
    assert report.spikes > 0
    assert report.passed
    assert report.one_step == 1.0
