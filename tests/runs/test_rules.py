"""Runs of learning from a configuration: their files, resuming, and what is refused."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, described
from refusals import refused
from stopping import StoppedError, at_report

import bioae
from bioae.configuration import load_configuration
from bioae.errors import ArtefactError, NetworkError
from bioae.networks import Network
from bioae.runs import LearningConfig, Trained, checkpoint
from bioae.runs.folder import CHECKPOINT
from bioae.runs.rules.measures import quantiles

pytestmark = pytest.mark.medium  # it trains for seconds

#: A small network that learns the embedded digits within a second or two.
TABLES: dict[str, Any] = {
    "data": {"train": 60, "validation": 20, "test": 20},
    "network": {
        "steps": 20,
        "neuron": "lif_homeostatic",
        "encoder": {"kind": "bernoulli", "rate": 0.3},
        "decoder": {"kind": "count"},
        "task": {"kind": "representation", "outputs": 8},
        "layers": [
            {
                "kind": "dense", "name": "hidden", "units": 8, "weight": "0.05",
                "initial": [0.0, 0.3], "recurrent": True, "recurrent_initial": -20.0,
                "parameters": {"h_plus": "0.05"},
            },
        ],
    },
    "learning": {
        "rule": "stdp_postsynaptic", "target": "numpy", "checkpoint": 25, "epochs": 2, "seed": 3,
    },
}  # fmt: skip


def tables(**learning: Any) -> dict[str, Any]:
    changed = copy.deepcopy(TABLES)
    changed["learning"] |= learning
    return changed


def small(**learning: Any) -> dict[str, Any]:
    """Return tables for an epoch of 8 digits, in pieces of 5."""
    data = {"train": 12, "validation": 4, "test": 4}
    return tables(**{"epochs": 1, "checkpoint": 5} | learning) | {"data": data}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run without interruption."""
    return bioae.train(TABLES, out=tmp_path_factory.mktemp("learning") / "whole")


def assert_same(one: Trained, other: Trained) -> None:
    for name, weights in one.network.weights.items():
        np.testing.assert_array_equal(weights, other.network.weights[name])
    assert one.summary == other.summary


def test_a_run_leaves_its_files(whole: Trained) -> None:
    found = {path.name for path in whole.out.iterdir()}
    assert found == {
        ".lock", "config.toml", "metrics.jsonl", CHECKPOINT, "test.json", "model", "weights.svg",
        "fields.svg",
    }  # fmt: skip
    lines = [json.loads(each) for each in (whole.metrics).read_text().splitlines()]
    assert lines == list(whole.records)
    assert [each["presentations"] for each in lines] == [25, 40, 65, 80]
    assert ["validation_assigned_accuracy" in each for each in lines] == [False, True] * 2
    stored = bioae.load(whole.model)
    test = json.loads(whole.model.with_name("test.json").read_text())
    assert stored.metrics == whole.summary == test
    assert stored.training["learning"]["rule"] == "stdp_postsynaptic"
    again = load_configuration(whole.out / "config.toml")
    assert again.to_mapping() == LearningConfig.from_mapping(TABLES).to_mapping()


def test_the_network_has_learned(whole: Trained) -> None:
    start = Network.initialise(whole.network.config, seed=3).learner()
    weights, learned = start.weights["hidden.weight"], whole.network.weights["hidden.weight"]
    assert 0 <= weights.min() < 0.01
    assert 0.29 < weights.max() <= 0.3
    assert np.mean(weights != learned) > 0.5
    assert (start.weights["hidden.recurrent"] == -20 * (1 - np.eye(8))).all()
    assert (whole.network.weights["hidden.h_start"] > 0).mean() > 0.5
    assert whole.summary["test_rate_hz_mean"] > 1
    # Where a neuron fired, weights of pixels that are dark in all digits are smaller than at first.
    fired = whole.network.weights["hidden.h_start"] > 0
    assert (learned[fired, 0] < weights[fired, 0]).all()
    assert set(whole.summary["classes"]) <= {-1, *range(10)}


def interrupt(settings: Any, out: Path, *, after: int) -> None:
    """Start a run that ends after some reports of its progress."""

    with pytest.raises(StoppedError):
        bioae.train(settings, out=out, progress=at_report(after))


SLOW = pytest.mark.slow


@pytest.mark.parametrize("interrupted_after", [3, *(pytest.param(n, marks=SLOW) for n in (1, 2))])
def test_a_run_that_is_resumed_learns_the_same(
    interrupted_after: int, whole: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    interrupt(TABLES, out, after=interrupted_after)
    assert not (out / "model").exists()
    assert_same(bioae.train(TABLES, out=out, resume=True), whole)


def test_more_epochs_continue_a_finished_run(whole: Trained, tmp_path: Path) -> None:
    out = tmp_path / "run"
    bioae.train(tables(epochs=1), out=out)
    assert_same(bioae.train(TABLES, out=out, resume=True), whole)
    with refused(NetworkError, expected="learning.epochs of at least 2", found="1"):
        bioae.train(tables(epochs=1), out=out, resume=True)


def test_the_mirror_learns_the_same(whole: Trained) -> None:
    assert_same(bioae.train(tables(target="torch")), whole)


@pytest.mark.parametrize(
    ("optimiser", "interrupted_after"),
    [("adam", 3), pytest.param("adam", 1, marks=SLOW), pytest.param("sgd", 1, marks=SLOW)],
)
def test_an_optimiser_goes_on_where_a_run_was_interrupted(
    optimiser: str, interrupted_after: int, tmp_path: Path
) -> None:
    settings = small(
        epochs=2, target="torch", batch_size=3, optimiser=optimiser, learning_rate=0.01
    )
    whole = bioae.train(settings)
    interrupt(settings, tmp_path / "run", after=interrupted_after)
    assert_same(bioae.train(settings, out=tmp_path / "run", resume=True), whole)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"learning": {"rul": "stdp_pair"}}, ["'learning.rul'"]),
        ({"learning": {"rule": "stdp_pairs"}}, ["'stdp_pair'"]),
        ({"learning": {"target": "cuda_standalone"}}, ["learning.target"]),
        ({"learning": {"batch_size": 2}}, ["batch_size", 'target = "torch"']),
        ({"learning": {"optimiser": "adam"}}, ["optimiser", 'target = "torch"']),
        ({"learning": {"learning_rate": 0.1}}, ["learning_rate = 0.1", "eta"]),
        ({"learning": {"rule": "stdp_reward"}}, ["'stdp_reward'", "'reward'"]),
        ({"learning": {"rule": "bcpnn", "target": "torch", "batch_size": 2}}, ["'bcpnn'"]),
        ({"learning": {"rule": "bcpnn", "target": "torch", "optimiser": "adam"}}, ["'bcpnn'"]),
        ({"learning": {"held": {"reward": 1.0}}}, ["learning.held", "modulator"]),
        ({"network": {"task": {"kind": "representation", "outputs": 9}}}, ["8", "9"]),
        ({"training": {}}, ["[learning]", "[training]"]),
        ({"network": {"neuron": "lif"}, "learning": {"rule": None}}, ["no layer", "synapse"]),
        ({"network": {"neuron": "adex"}}, ["'hidden'", "weight", "amp"]),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(
    changes: dict[str, Any], names: list[str], tmp_path: Path
) -> None:
    changed = copy.deepcopy(TABLES)
    for table, values in changes.items():
        changed[table] = changed.get(table, {}) | values
    if changed["network"]["neuron"] in ("lif", "adex"):
        changed["network"]["layers"][0].pop("parameters")
    with refused(NetworkError, *names) as caught:
        bioae.train(changed, out=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_example_reads() -> None:
    path = Path(__file__).parents[2] / "examples" / "learn_digits.toml"
    config = load_configuration(path)
    assert isinstance(config, LearningConfig)
    assert config.learning.rule == "stdp_postsynaptic"
    page = (path.parents[1] / "docs" / "learning.md").read_text(encoding="utf-8")
    shown = page.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(shown) == tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_run_of_another_kind_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "run"
    bioae.train(small(), out=out)
    (out / "notes.txt").write_text("mine")
    trained = {
        "data": small()["data"],
        "network": {"steps": 5, "layers": [{"kind": "dense", "name": "o", "shape": [1, 28, 28]}]},
        "training": {"epochs": 1, "compile": False},
    }
    bioae.train(trained, out=out, overwrite=True)
    files = {CHECKPOINT, ".lock", "config.toml", "metrics.jsonl", "test.json", "model", "notes.txt"}
    assert {path.name for path in out.iterdir()} == files
    bioae.train(small(), out=out, overwrite=True)
    assert {path.name for path in out.iterdir()} == files | {"weights.svg", "fields.svg"}


@pytest.mark.parametrize(
    "changes",
    [
        {"position": {"epoch": 1, "done": -5}},
        {"position": {"epoch": 1, "done": 1000}},
        {"position": {"epoch": "one", "done": 0}},
        {"records": []},
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    changes: dict[str, Any], whole: Trained, tmp_path: Path
) -> None:
    stored, arrays = checkpoint.load(whole.out / CHECKPOINT)
    checkpoint.save(tmp_path / CHECKPOINT, stored.model_copy(update=changes), arrays)
    with refused(ArtefactError, where=tmp_path / CHECKPOINT):
        bioae.train(TABLES, out=tmp_path, resume=True)


def test_a_finished_run_survives_a_rule_that_is_refused(whole: Trained) -> None:
    assert whole.out is not None
    before = {path.name for path in whole.out.iterdir()}
    wrong = tables(rule="mine")
    wrong["network"]["synapses"] = {
        "mine": {"description": "A rule.", "synapse": {"on_post": "w = w + foo"}}
    }
    with refused(NetworkError, "'foo'"):
        bioae.train(wrong, out=whole.out, overwrite=True)
    assert {path.name for path in whole.out.iterdir()} == before


def test_a_rule_that_no_layer_takes_is_refused() -> None:
    named = copy.deepcopy(TABLES)
    named["network"]["layers"][0]["synapse"] = "stdp_pair"
    del named["learning"]["rule"]
    with refused(NetworkError, "'oja'", "layer 'hidden' with 'stdp_pair'"):
        load_configuration(named, rule="oja")
    config = load_configuration(TABLES, rule="oja")
    assert [layer.synapse for layer in config.network.layers] == ["oja"]
    assert isinstance(config, LearningConfig)
    assert config.learning.rule == "oja"


def test_a_rule_from_a_file_is_recorded_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(bioae.load_synapse("oja").to_toml(), encoding="utf-8")
    config = load_configuration(TABLES, rule=str(path))
    path.unlink()
    assert isinstance(config, LearningConfig)
    assert config.learning.rule == "mine"
    assert LearningConfig.from_mapping(config.to_mapping()) == config


@pytest.mark.parametrize(("units", "counted"), [(4, {"hidden.recurrent": [0.25] * 5}), (1, {})])
def test_weights_of_neurons_to_themselves_are_not_counted(units: int, counted: Any) -> None:
    recurrent = {"recurrent_synapse": "stdp_pair", "recurrent_initial": 0.25}
    hidden = dense("hidden", units, recurrent=True, **recurrent)
    output = dense("output", shape=[1, 2, 2])
    network = Network.initialise(described(hidden, output, input_shape=[1, 2, 2]), seed=0)
    assert not network.weights["hidden.recurrent"].diagonal().any()
    assert quantiles(network.config, network.weights) == counted


def test_a_silent_layer_is_said_with_the_unit_of_its_weights() -> None:
    weak = small()
    weak["network"]["layers"][0]["weight"] = "1e-6"
    found = bioae.train(weak)
    assert found.start is not None
    assert found.end is not None
    assert found.end.score == found.summary["test_assigned_accuracy"]
    for each in (found.start, found.end):
        assert each.baseline is not None
        assert (each.baseline.predictor, each.dead) == ("chance", ["hidden"])
        assert each.suggestion == 'weight = "2e-06" in layer hidden'
