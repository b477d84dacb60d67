"""Structural plasticity of networks that learn: connections come and go between presentations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plastic_networks import HIDDEN, custom, equal_weights, network, signals, with_rules
from refusals import refused
from stopping import at_presentation

import bioae
from bioae import learn
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.equations.synapses.lowering import lower_synapse
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network
from bioae.networks.structure import rewired
from bioae.simulation import Backend, Learned

STRUCTURE: dict[str, Any] = {
    "fan_in": 4, "period": 2, "swaps": 5, "score": "c + 0.125*x_pre",
    "new_weight": "start + 0.25*c",
}  # fmt: skip

RULE: dict[str, Any] = {
    "persistent": ["c", "x_pre", "y_post"],
    "pre": {"equations": "dx/dt = -x/(1*second) : 1", "on_spike": "x += step"},
    "post": {"equations": "dy/dt = -y/(1*second) : 1", "on_spike": "y += step"},
    "synapse": {
        "equations": "c : 1\nd : 1",
        "on_pre": "c = c + 0.25*(1 - c)",
        "on_post": "w = clip(w + 0.02*x_pre, -8, 8)",
        "regularly": "c = 0.75*c",
    },
    "parameters": {"step": "1/16", "start": "0.125"},
}

CONNECTIONS = ("hidden.weight", "hidden.recurrent", "output.weight")


def learner(schedule: str = "brian2", **changes: Any) -> Network:
    """Return a network all of whose pathways but one are rewired, in periods of 2 and of 3."""
    often = {**RULE, "structure": STRUCTURE | changes}
    seldom = {**RULE, "structure": {**STRUCTURE, "fan_in": 0.25, "period": 3} | changes}
    rules = with_rules(network(schedule), "often", "often", "seldom", often=often, seldom=seldom)
    return Network.initialise(rules.config, seed=1).quantised()


def moved(start: Network, learned: Learned) -> dict[str, int]:
    """Return how many connections have come, by the name of the weights."""
    before, after = start.weights, learned.network.weights
    arrays = {name: f"{name}_connected" for name in CONNECTIONS}
    return {name: int((after[each] > before[each]).sum()) for name, each in arrays.items()}


def check(one: Learned, other: Learned, start: Network) -> None:
    """Check that two networks are equal, and that connections of the same number have moved."""
    assert differing_spikes(one.result, other.result)["differing"].sum() == 0
    assert min(int(layer["spike_count"].sum()) for layer in one.result["layers"].values()) > 20
    assert min(moved(start, one).values()) > 0
    equal_weights(one.network.weights, other.network.weights)
    for name in CONNECTIONS:
        connected = one.network.weights[f"{name}_connected"]
        np.testing.assert_array_equal(
            connected.sum(1), start.weights[f"{name}_connected"].sum(1), err_msg=name
        )
        assert not one.network.weights[name][connected == 0].any()
        assert one.network.weights[name][connected == 1].any()


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["brian2", pytest.param("paper", marks=pytest.mark.slow)])
def test_the_mirror_rewires_as_brian2_does(schedule: str) -> None:
    start = learner(schedule)
    check(learn(start, signals(7), "numpy"), learn(start, signals(7), "torch"), start)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cython", "cpp_standalone"])
def test_targets_rewire_in_chunks_of_any_size(target: Any) -> None:
    start = learner()
    check(
        learn(start, signals(7), "numpy"), learn(start, signals(7), Backend(target, chunk=5)), start
    )


@pytest.mark.medium
@pytest.mark.parametrize("by_fan_out", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_connections_go_to_the_highest_scores(*, by_fan_out: bool) -> None:
    """One rewiring does what `rewired` does with the scores of a still network."""
    changes = {"by_fan_out": by_fan_out, "score": "(c + 0.125*x_pre)/(1 + y_post)"}
    start = learner(period=4, **changes)
    still = learn(learner(period=5, **changes), signals(), "numpy").network.weights
    after = learn(start, signals(), "numpy").network.weights
    for name in CONNECTIONS:
        before = start.weights[f"{name}_connected"] == 1
        np.testing.assert_array_equal(still[f"{name}_connected"] == 1, before)
        memory, post = still[f"{name}_c"], still[f"{name}_y_post"]
        assert np.unique(post).size > 2
        scores = (memory + 0.125 * still[f"{name}_x_pre"][None]) / (1 + post[:, None])
        potential = ~np.eye(len(before), dtype=bool) if "recurrent" in name else None
        found = rewired(before, scores, 5, by_fan_out=by_fan_out, potential=potential)
        assert len(found.swaps)
        np.testing.assert_array_equal(after[f"{name}_connected"] == 1, found.connected)
        new, kept = found.connected & ~before, found.connected & before
        begun = np.rint((0.125 + 0.25 * memory) * 2**24) / 2**24
        np.testing.assert_array_equal(after[name][new], begun[new])
        np.testing.assert_array_equal(after[name][kept], still[name][kept])


@pytest.mark.medium
def test_the_weakest_connections_make_way_for_random_ones() -> None:
    """Those with a weight below all others of their target, whatever the random numbers are."""
    changes = {
        "score": "connected*w + (1 - connected)*(8 + rand())", "swaps": 1000, "period": 4,
        "by_fan_out": False, "new_weight": "1 + randn()",
    }  # fmt: skip
    start = learner(**changes)
    learned, mirror = learn(start, signals(), "numpy"), learn(start, signals(), "torch")
    other = learn(start, signals(), "numpy", seed=1).network.weights
    for name in CONNECTIONS:
        array, weights = f"{name}_connected", learned.network.weights
        before, after = start.weights[array] == 1, weights[array] == 1
        layer = start.config.placed[name.startswith("output")]
        free = layer.potential_connections(name).sum(1) - before.sum(1)
        np.testing.assert_array_equal((after & ~before).sum(1), np.minimum(before.sum(1), free))
        # Within the layer there is no choice: the other four of eight take their place.
        assert (weights[array] != other[array]).any() == (name != "hidden.recurrent")
        for each in (name, array):
            np.testing.assert_array_equal(weights[each], mirror.network.weights[each])
        assert np.unique(weights[name][after & ~before]).size > 3


@pytest.mark.medium
def test_periods_go_on_from_earlier_calls(tmp_path: Path) -> None:
    start = learner(period=5)
    whole = learn(start, signals(6), "torch").network.weights
    half = learn(start, signals(6)[:3], "numpy")
    for target in ("numpy", "torch"):
        after = learn(half, signals(6)[3:], target)
        equal_weights(after.network.weights, whole)
        assert min(moved(start, after).values()) > 0
    # A network that is stored has ended a period.
    start = learner(period=3)
    whole = learn(start, signals(6), "torch").network.weights
    bioae.save(learn(start, signals(6)[:3], "torch").network, tmp_path / "half")
    stored = bioae.load(tmp_path / "half").network
    equal_weights(learn(stored, signals(6)[3:], "torch").network.weights, whole)
    assert bioae.simulate(stored, signals(2), "numpy")["layers/hidden"]["spike_count"].sum() > 0


@pytest.mark.medium
@pytest.mark.parametrize("optimiser", [None, "adam"])
def test_a_batch_is_rewired_after_it_by_all_periods_that_end_in_it(optimiser: str | None) -> None:
    settings: dict[str, Any] = {"optimiser": optimiser, "batch_size": 6}
    start = learner(period=3, swaps=2)
    learned, still, often = (
        learn(each, signals(6), "torch", **settings)
        for each in (start, learner(period=7), learner(period=1, swaps=1))
    )
    weights = still.network.weights
    for name in CONNECTIONS:
        before = start.weights[f"{name}_connected"] == 1
        scores = weights[f"{name}_c"] + 0.125 * weights[f"{name}_x_pre"][None]
        potential = ~np.eye(len(before), dtype=bool) if "recurrent" in name else None
        for swaps, other in ((4, learned), (6, often)):
            found = rewired(before, scores, swaps, potential=potential).connected
            np.testing.assert_array_equal(other.network.weights[f"{name}_connected"] == 1, found)
            assert not other.network.weights[name][~found].any()
            for key, moments in other.moments.items():
                if key.startswith(f"{name}/") and np.ndim(moments):
                    assert not moments.T[found != before].any()


@pytest.mark.medium
def test_a_run_goes_on_in_the_period_in_which_it_stopped(tmp_path: Path) -> None:
    tables = {
        "network": {
            "steps": 20, "decoder": {"kind": "count"},
            "task": {"kind": "representation", "outputs": 6},
            "layers": [{"kind": "dense", "name": "hidden", "units": 6, "weight": "0.4"}],
            "synapses": {"mine": custom(
                **RULE, structure={**STRUCTURE, "fan_in": 60, "period": 7},
            ).to_mapping()},
        },
        "data": {"train": 20, "test": 10},
        "learning": {"rule": "mine", "target": "torch", "checkpoint": 5, "epochs": 2},
    }  # fmt: skip
    whole = bioae.train(tables, out=tmp_path / "whole")
    exchanged = [row["new_connections"]["hidden.weight"] for row in whole.records]
    periods = np.array([0, *(row["presentations"] for row in whole.records)]) // 7
    due = np.diff(periods) > 0
    assert due.any()
    assert not due.all()
    assert not np.array(exchanged)[~due].any()
    assert (np.array(exchanged)[due] > 0).sum() > 2

    with pytest.raises(KeyboardInterrupt):
        bioae.train(tables, out=tmp_path / "parts", progress=at_presentation(15, KeyboardInterrupt))
    parts = bioae.train(tables, out=tmp_path / "parts", resume=True)
    assert [row["new_connections"]["hidden.weight"] for row in parts.records] == exchanged
    equal_weights(whole.network.weights, parts.network.weights)


def test_initial_connections_have_the_fan_in_and_its_weights() -> None:
    start = learner()
    for name, fan_in in {"hidden.weight": 4, "hidden.recurrent": 4, "output.weight": 2}.items():
        connected = start.weights[f"{name}_connected"]
        assert (connected.sum(1) == fan_in).all()
        assert ((start.weights[name] != 0) == (connected == 1)).all()
    assert not start.weights["hidden.recurrent_connected"].diagonal().any()
    wide = start.config.varied(input_shape=(400,))
    drawn = Network.initialise(wide, seed=0).weights["hidden.weight"]
    assert np.std(drawn[drawn != 0]) == pytest.approx(2 * np.sqrt(2 / 4), rel=0.4)  # of four
    own = start.synapse_counts()["hidden"]
    np.testing.assert_array_equal(own["hidden"], start.weights["hidden.recurrent_connected"].sum(0))
    np.testing.assert_array_equal(own["input"], start.weights["hidden.weight_connected"].sum(0))
    other = Network.initialise(start.config, seed=2).weights
    assert (other["hidden.weight_connected"] != start.weights["hidden.weight_connected"]).any()


@pytest.mark.medium
def test_rules_with_a_structure_pass_parity() -> None:
    rule = custom(**RULE, structure={**STRUCTURE, "fan_in": 0.25, "period": 100})
    report = bioae.parity(rule, neurons=16, steps=30, examples=4)
    assert report.passed
    assert report.exact
    assert report.exchanged
    with refused(ModelError, "42"):
        bioae.parity(custom(**RULE, structure={**STRUCTURE, "fan_in": 20}), neurons=20)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"score": "x_pre*z_post"}, "'z_post'"), ({"score": "d"}, "'d'"),
        ({"score": "c > 0"}, "score"), ({"score": "1*ms"}, "score"),
        ({"new_weight": "1*mV"}, "new_weight"), ({"score": " "}, "score"),
        ({"fan_in": 1.0}, "fan_in"), ({"fan_in": 0}, "fan_in"), ({"period": 0}, "period"),
        ({"density": 0.1}, "density"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_are_refused(changes: dict[str, Any], name: str) -> None:
    with refused(ModelError, name):
        lower_synapse(custom(**RULE, structure={**STRUCTURE, **changes}))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"score": "-1 - c"}, "-1"),
        ({"score": "log(-1 - c)"}, "nan"),
        ({"score": "c + inf"}, "inf"),
        ({"new_weight": "log(-1 - c)"}, "nan"),
        ({"new_weight": "exp(40)"}, "2.3"),
    ],
)
def test_scores_that_do_not_fit_stop_the_run(changes: dict[str, Any], found: str) -> None:
    with refused(NetworkError, found=re.compile(re.escape(found))):
        learn(learner(**changes), signals(), "torch")


@pytest.mark.parametrize(
    ("array", "values"),
    [
        ("hidden.weight_connected", 1.0),
        ("hidden.weight_connected", 0.5),
        ("hidden.weight_connected", -1.0),
        ("hidden.recurrent_connected", np.tri(HIDDEN) - np.tri(HIDDEN, k=-4)),
        ("hidden.recurrent_connected", np.tile(np.arange(HIDDEN) < 4, (HIDDEN, 1))),
        ("hidden.weight", 0.5),
    ],
)
def test_connections_that_do_not_fit_are_refused(array: str, values: Any) -> None:
    start = learner()
    spoiled = np.broadcast_to(values, start.weights[array].shape).astype(float)
    with refused(NetworkError, f"'{array}'"):
        Network(start.config, {**start.weights, array: spoiled})


def test_connections_that_are_missing_are_refused_by_who_needs_them() -> None:
    start = learner()
    arrays = {n: each for n, each in start.weights.items() if n != "hidden.weight_connected"}
    network = Network(start.config, arrays)
    assert bioae.simulate(network, signals(1), "numpy")["layers/hidden"]["spike_count"].sum() > 0
    for use in (
        lambda: learn(network, signals(), "numpy"),
        lambda: learn(network, signals(), "torch"),
        lambda: build(network, 1, learning=True),
    ):
        with refused(NetworkError, "'hidden.weight_connected'"):
            use()


def test_gradients_do_not_train_connections_that_change(tmp_path: Path) -> None:
    tables = {
        "network": {
            "steps": 5, "decoder": {"kind": "count"},
            "task": {"kind": "classification", "classes": 10},
            "layers": [
                {"kind": "dense", "name": "out", "units": 10, "synapse": "stdp_structural"},
            ],
        },
        "data": {"train": 20, "test": 10},
    }  # fmt: skip
    with refused(NetworkError):
        bioae.train(tables, out=tmp_path / "run")
