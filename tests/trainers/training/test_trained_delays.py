"""Training of delays: metrics are those of the network that is stored, which Brian2 runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense
from refusals import refused
from stopping import StoppedError, at_presentation

import bioae
from bioae.analysis import differing_spikes
from bioae.datasets import Data
from bioae.errors import NetworkError
from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.training.config import TrainingConfig

BOUNDS = {"first.weight": ["0*ms", "6*ms"], "first": {"recurrent": ["1*ms", "4*ms"]}}
TABLES: dict[str, Any] = {
    "network": {
        "input_shape": [5], "steps": 20, "neuron": "lif", "encoder": {"kind": "frames"},
        "layers": [
            dense(
                "first", 8, gain=4.0, delay=["0*ms", "3*ms"], recurrent=True,
                recurrent_delay="1*ms",
            ),
            dense("last", 2, gain=4.0),
        ],
        "task": {"kind": "classification", "classes": 2}, "decoder": {"kind": "count"},
    },
    "training": {
        "epochs": 2, "batch_size": 8, "threads": 1, "derivative": "fast_sigmoid",
        "delays": BOUNDS, "learning_rates": {"weight_delay": 0.3, "recurrent_delay": 0.2},
    },
}  # fmt: skip
NAMES = ("first.weight_delay", "first.recurrent_delay")


def trains(count: int = 40) -> Data:
    random = stream(2, 0)
    frames = (random.random((count, 20, 5)) < 0.2).astype(np.float64)
    return Data.of_signals(frames, labels=random.integers(0, 2, count))


def delays_of(network: Network) -> dict[str, list[Any]]:
    return {n: d.tolist() for n, d in network.delays(network.config.placed[0]).items()}


@pytest.fixture(scope="module")
def straight() -> Any:
    return bioae.train(TABLES, trains(), test=trains(12))


def test_delays_move_within_bounds_to_whole_steps(straight: Any) -> None:
    network, start = straight.network, Network.initialise(straight.network.config, seed=0)
    delays = delays_of(network)
    assert np.ndim(delays["first.recurrent"]) == 0
    assert 1 <= delays["first.recurrent"] <= 4
    each = np.array(delays["first.weight"])
    assert (each != np.array(delays_of(start)["first.weight"])).mean() > 0.2
    assert 0 <= each.min() < each.max() <= 6
    seconds = network.weights["first.weight_delay"]
    assert np.array_equal(seconds, np.rint(seconds * 1e3) * 1e-3)


def test_metrics_are_those_of_the_stored_network(straight: Any) -> None:
    result = bioae.simulate(straight.network, trains(12), bioae.Backend("torch", dtype="float32"))
    found = bioae.analysis.scores(result)["value"].sel(score="accuracy")
    assert float(found) == straight.summary["test_accuracy"]
    numbers = bioae.analysis.summary(result)
    for layer, figures in straight.summary["test_layers"].items():
        for name, value in figures.items():
            found = numbers[name].sel(layer=layer).item()
            assert found == pytest.approx(value, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.medium)]
)
def test_brian2_fires_the_same_spikes(straight: Any, target: Any) -> None:
    results = [bioae.simulate(straight.network, trains(12), each) for each in (target, "torch")]
    table = differing_spikes(*results)
    assert (table["spikes_a"] > 20).all()
    assert not table["differing"].any()


@pytest.mark.medium
def test_a_run_that_was_stopped_gives_the_same(straight: Any, tmp_path: Path) -> None:
    tables = {**TABLES, "training": {**TABLES["training"], "checkpoint_seconds": 0}}
    with pytest.raises(StoppedError):
        bioae.train(tables, trains(), test=trains(12), out=tmp_path, progress=at_presentation(24))
    resumed = bioae.train(tables, trains(), test=trains(12), out=tmp_path, resume=True)
    assert resumed.network.sha256 == straight.network.sha256
    assert bioae.load(tmp_path / "model").network.sha256 == straight.network.sha256


def test_the_table_is_kept_and_names_are_checked() -> None:
    config = TrainingConfig.from_mapping(TABLES)
    assert config.training.delays == {
        "first.weight": ("0*ms", "6*ms"), "first.recurrent": ("1*ms", "4*ms"),
    }  # fmt: skip
    assert TrainingConfig.from_mapping(config.to_mapping()) == config
    assert config.training.rate("first.weight_delay") == 0.3
    unnamed = config.training.model_copy(update={"learning_rates": {}})
    rates = [unnamed.rate(name) for name in (*NAMES, "first.weight", "last.weight_delay")]
    assert rates == [0.1, 0.1, 5e-4, 5e-4]
    plain = {**TABLES["training"], "delays": {}, "learning_rates": {}}
    assert "delays" not in TrainingConfig.from_mapping({"training": plain}).to_mapping()["training"]
    other = {"training": {"delays": {"last.weight": ["0*ms", "2*ms"]}}}
    with refused(NetworkError, "recurrent_delay", where="training, learning_rates"):
        bioae.train(TABLES, trains(), settings=other)
