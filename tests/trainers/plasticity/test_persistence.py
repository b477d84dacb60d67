"""Variables of rules that persist over presentations, and the random numbers that they draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import plastic_networks as plastic
import pytest
from refusals import refused

import bioae
from bioae import learn
from bioae.api import build
from bioae.datasets import Data
from bioae.equations import lower_synapse
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.noise import Key, draw, pathway_number
from bioae.simulation import Backend, Learned

MEMORY: dict[str, Any] = {
    "persistent": ["x_pre", "y_post", "c"],
    "pre": {"equations": "dx/dt = -x/(10*second) : 1", "on_spike": "x += 1/16",
            "initial": {"x": "0.5"}},
    "post": {"equations": "dy/dt = -y/(10*second) : 1", "on_spike": "y += 1/16"},
    "synapse": {
        "equations": "dc/dt = (0.25 - c)/(5*second) : 1\nd : 1",
        "initial": {"c": "0.125", "d": "1"},
        "on_pre": "c = c + 0.01*(y_post - c); d = 0",
        "on_post": "w = clip(w + 0.05*(x_pre*(1 - w) - (y_post + c)*w) + 0.01*d, 0, 1)",
    },
    "parameters": {},
}  # fmt: skip

CHANCE: dict[str, Any] = {
    "synapse": {
        "on_pre": "w = clip(w + 0.02*(rand() - 0.5), 0, 1)",
        "on_post": "w = clip(w + 0.1*int(rand() < 0.5)*x_pre, 0, 1)",
        "regularly": "w = clip(w + 0.001*randn(), 0, 1)",
        "every": "9*ms",
    }
}

#: The arrays of what the networks of `learner` remember.
ARRAYS = {
    f"{weights}_{name}": shape
    for weights, (targets, sources) in {
        "hidden.weight": (plastic.HIDDEN, plastic.INPUTS), "output.weight": (5, plastic.HIDDEN),
        "hidden.recurrent": (plastic.HIDDEN, plastic.HIDDEN),
    }.items()
    for name, shape in {"x_pre": (sources,), "y_post": (targets,), "c": (targets, sources)}.items()
}  # fmt: skip


def learner(changes: dict[str, Any], schedule: str = "brian2") -> Network:
    """Return a network all of whose pathways but one learn by a rule with other keys."""
    return plastic.with_rules(plastic.network(schedule), "mine", "mine", "mine", mine=changes)


def check(one: Learned, other: Learned, start: Network) -> None:
    """Check that two networks are equal, and remember what they learned."""
    plastic.check_equal(one, other, start)
    plastic.equal_weights(one.network.weights, other.network.weights)
    for name, values in one.network.weights.items():
        if name in ARRAYS:
            assert values.shape == ARRAYS[name]
            assert np.unique(values).size > 3, name


@pytest.mark.medium
@pytest.mark.parametrize("changes", [MEMORY, CHANCE], ids=["memory", "chance"])
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_the_mirror_remembers_and_draws_alike(schedule: str, changes: dict[str, Any]) -> None:
    start = learner(changes, schedule)
    brian, mirror = (learn(start, plastic.signals(), each, seed=5) for each in ("numpy", "torch"))
    check(brian, mirror, start)
    assert (changes is MEMORY) == (brian.network.weights.keys() >= ARRAYS.keys())


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cython", "cpp_standalone"])
def test_targets_remember_and_draw_in_chunks_of_any_size(target: Any) -> None:
    chance = {"regularly": "w = clip(w + 0.01*rand(), 0, 1)"}
    start = learner({**MEMORY, "synapse": MEMORY["synapse"] | chance})
    whole = learn(start, plastic.signals(), "numpy", seed=5)
    check(whole, learn(start, plastic.signals(), Backend(target, chunk=3), seed=5), start)


@pytest.mark.medium
def test_learning_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a stored network, and in the objects of Brian2."""
    monkeypatch.setitem(b2.prefs, "codegen.target", "numpy")
    start = learner(MEMORY, "paper")
    whole = learn(start, plastic.signals(), "numpy").network.weights
    bioae.save(learn(start, plastic.signals()[:3], "numpy").network, tmp_path / "half")
    half = bioae.load(tmp_path / "half").network
    assert "mine" in half.config.synapses
    plastic.equal_weights(learn(half, plastic.signals()[3:], "torch").network.weights, whole)
    built = build(half, 1, learning=True)
    built.present(plastic.signals()[3:])
    built.run()
    for name, pathway in built.plastic.items():
        for variable, values in pathway.learned.items():
            array = name if variable == "w" else f"{name}_{variable}"
            np.testing.assert_array_equal(values, whole[array])
        for side, trace in {"pre": "x", "post": "y"}.items():
            values = pathway.traces[side].learned[trace]
            np.testing.assert_array_equal(values, whole[f"{name}_{trace}_{side}"])


def test_a_trace_that_persists_decays_over_presentations() -> None:
    """Two presentations without a spike of the source: its trace decays as one exponential."""
    start = learner(MEMORY)
    silent = plastic.signals(2)
    silent = Data.of_signals(0 * silent.as_float(), labels=silent.labels)
    after = learn(start, silent, "torch").network.weights
    steps = 2 * start.config.steps  # of the input, which has no lead-in
    np.testing.assert_allclose(
        after["hidden.weight_x_pre"], 0.5 * np.exp(-steps * 1e-3 / 10), rtol=1e-12
    )


def test_random_numbers_are_those_of_the_synapse_the_step_and_the_example() -> None:
    rule = {"pre": None, "parameters": {}, "synapse": {"regularly": "w = rand()", "every": "40*ms"}}
    start = learner(rule)
    data = replace(plastic.signals(2), indices=np.array([4, 9]))
    after = learn(start, data, "torch", seed=7).network.weights
    numbers = draw(
        "uniform", Key(7, [9]), step=start.config.steps - 2, call=0,
        population=pathway_number(2), count=plastic.HIDDEN * plastic.INPUTS,
    )  # fmt: skip
    expected = np.rint(numbers.reshape(plastic.INPUTS, plastic.HIDDEN).T * 2**24) / 2**24
    np.testing.assert_array_equal(after["hidden.weight"], expected)


EXCHANGE: dict[str, Any] = {
    "persistent": ["c", "d", "k"],
    "synapse": {
        "equations": "c : 1\nd : 1\nk : 1",
        "initial": {"c": "0.25", "d": "0.5"},
        "on_post": "w = clip(w + 0.02*x_pre, 0, 1)",
        "regularly": "old = c; c = d; d = old; k = w; w = clip(w + 0.001*c, 0, 1)",
        "every": "5*ms",
    },
}

BOOLEAN: dict[str, Any] = {
    "post": {"equations": "b : boolean\ndy/dt = -y/(10*ms) : 1", "on_spike": "b = True; y += 1"},
    "synapse": {"on_post": "w = clip(w + 0.1*int(b_post and (x_pre > 0.5 or not b_post)), 0, 1)"},
}


@pytest.mark.medium
@pytest.mark.parametrize("changes", [EXCHANGE, BOOLEAN], ids=["exchange", "boolean"])
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)]
)
def test_exchanges_and_conditions_are_the_same(target: Any, changes: dict[str, Any]) -> None:
    start = learner(changes)
    one, other = learn(start, plastic.signals(), target), learn(start, plastic.signals(), "torch")
    plastic.equal_weights(one.network.weights, other.network.weights)
    assert (one.network.weights["hidden.weight"] != start.weights["hidden.weight"]).mean() > 0.2
    if changes is EXCHANGE:
        c, d = (one.network.weights[f"hidden.weight_{name}"] for name in "cd")
        assert {*np.unique(c), *np.unique(d)} == {0.25, 0.5}
        assert (c + d == 0.75).all()


@pytest.mark.parametrize(
    ("names", "name"),
    [(["z_pre"], "'z_pre'"), (["x"], "'x'"), (["w"], "w"), (["x_pre", "x_pre"], "'x_pre'")],
)
def test_what_cannot_persist_is_refused(names: list[str], name: str) -> None:
    with refused(ModelError, name):
        lower_synapse(plastic.custom(persistent=names))
