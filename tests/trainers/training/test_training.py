"""From a configuration to a trained network, also with another neuron model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import dense
from refusals import refused

import bioae
from bioae.equations import available, load_neuron
from bioae.errors import DataError, NetworkError, OutputError
from bioae.networks import Network
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.descent import evaluate
from bioae.trainers.training.starting import starting_network
from bioae.trainers.training.training import assemble

pytestmark = pytest.mark.medium  # it trains for seconds

VALUES: dict[str, Any] = {
    "data": {"train": 32, "validation": 8, "test": 6},
    "network": {"preset": "strided", "steps": 8},
    "training": {"epochs": 2, "batch_size": 8, "threads": 1, "checkpoint_seconds": 0},
    "regularisers": {"beta2": 0.01, "lambda2": 0.01, "neuron2": 0.01},
}


def config(**changes: dict[str, Any]) -> TrainingConfig:
    return TrainingConfig.from_mapping(
        VALUES | {table: VALUES.get(table, {}) | keys for table, keys in changes.items()}
    )


def same(one: Network, other: Network) -> bool:
    assert one.weights.keys() == other.weights.keys()
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_the_trained_network_is_on_the_grid_and_was_evaluated(tmp_path: Path) -> None:
    result = bioae.train(config(), out=tmp_path / "run")
    assert [line["epoch"] for line in result.records] == [1, 2]
    assert not same(result.network, assemble(config()).mirror.to_network())
    for name, weights in result.network.weights.items():
        assert np.array_equal(weights * 4096, np.rint(weights * 4096)), name
    problem = assemble(config())
    with torch.no_grad():
        for name, weights in result.network.weights.items():
            problem.mirror.weights[name].copy_(torch.tensor(weights))
    found = evaluate(problem)
    last = min(result.records, key=lambda line: line["validation_sum_squared_error"])
    assert set(last["layers"]) == {layer.name for layer in config().network.layers}
    assert any(figures["rate_per_step_mean"] > 0 for figures in last["layers"].values())
    assert found == {key: last[key] for key in found}
    assert result.model.exists()


def test_images_of_another_size(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((4, 20, 20), np.uint8))
    data = {"name": str(tmp_path / "images.npy"), "train": 4, "validation": 2, "test": 4}
    with refused(DataError, "(1, 28, 28)", "(1, 20, 20)"):
        assemble(config(data=data))


def test_compiled_and_plain_training_agree(tmp_path: Path) -> None:
    """After a few updates: rounding parts the two in the end."""
    before = assemble(config()).mirror.to_network()
    trained = [
        bioae.train(
            config(training={"compile": each, "dtype": "float64"}), out=tmp_path / str(each)
        ).network
        for each in (True, False)
    ]
    for name, weights in before.weights.items():
        compiled, plain = (network.weights[name] for network in trained)
        assert not np.array_equal(weights, plain)
        np.testing.assert_allclose(compiled, plain, atol=2**-12)


@pytest.mark.parametrize(
    "name", ["model/thesis.txt", "start/data.bin", "test.json/mine", "weights.svg"]
)
@pytest.mark.parametrize("of_a_run", [False, True])
def test_files_of_others_are_kept(name: str, of_a_run: bool, tmp_path: Path) -> None:
    run, (first, *rest) = tmp_path / "run", Path(name).parts
    if of_a_run and not rest:
        pytest.skip("a figure of a run")
    path = run / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    if of_a_run:
        (run / "config.toml").touch()
    within = of_a_run and first in ("model", "start")
    where, found = (run / first, rest[0]) if within else (run, first)
    with refused(OutputError, where=where, found=found):
        bioae.train(VALUES, out=run, overwrite=True)
    assert path.read_text() == "mine"
    assert len([*run.iterdir()]) == 1 + of_a_run


# With another neuron model, the error recovers in further training

RESULTS = Path(__file__).parents[3] / "docs" / "results"

#: How far the error may stay above that of the network before the change.
BOUND = 1.25

NETWORK: dict[str, Any] = {
    "steps": 12, "schedule": "paper", "neuron": "lif",
    "encoder": {"kind": "bernoulli", "rate": 0.2},
    "layers": [dense("latent", 40, gain=1.0), dense("output", shape=[1, 28, 28], gain=1.0)],
}  # fmt: skip


def tuning(
    network: dict[str, Any] | None = None, train: int = 360, **training: Any
) -> TrainingConfig:
    common = {"batch_size": 20, "derivative": "arctan", "threads": 1, "compile": False}
    tables: dict[str, Any] = {
        "data": {"name": "sample", "train": train, "validation": 60, "test": 60},
        "training": common | training,
    }
    return TrainingConfig.from_mapping(tables | ({"network": network} if network else {}))


def test_the_stored_errors_recover_within_the_bound() -> None:
    rows = json.loads((RESULTS / "swapped_neurons.json").read_text(encoding="utf-8"))["rows"]
    source, *changed = rows
    models = {name: load_neuron(name) for name in available()}
    in_whole_steps = {n for n, each in models.items() if each.threshold and each.dt is None}
    assert {row["neuron"] for row in changed} >= in_whole_steps
    for row in changed:
        assert row["error"] < max(2 * source["error"], row["calibrated"] / 2), row["neuron"]


def test_a_small_network_recovers(tmp_path: Path) -> None:
    trained = bioae.train(tuning(NETWORK, epochs=6, learning_rate=4e-3), out=tmp_path / "first")
    before = trained.records[-1]["validation_sum_squared_error"]
    init = {"model": str(trained.model), "neuron": "adex"}
    second = tuning(epochs=2, learning_rate=1e-2, init={**init, "calibrate": "none"})
    start = starting_network(second)
    assert {placed.model.name for placed in start.config.placed} == {"adex"}
    lost = evaluate(assemble(second.with_network(start.config), start))
    assert lost["validation_sum_squared_error"] > 1.05 * before
    tuned = bioae.train(second, out=tmp_path / "second")
    assert tuned.records[-1]["validation_sum_squared_error"] < BOUND * before
    # Weights are calibrated against the neuron that they were trained with.
    described = {**NETWORK, "neuron": "adex"}
    with refused(NetworkError, "'adex'", "'lif'", where="layer 'latent'"):
        starting_network(tuning(described, init=init))
    given = starting_network(tuning(described, init={**init, "calibrate": "none"}))
    assert given.config.placed[0].model.name == "adex"
    calibrated = starting_network(tuning(NETWORK, init=init))
    assert calibrated.config.layers[0].weight != load_neuron("adex").weight


def test_a_run_is_resumed_without_the_file_of_its_neuron(tmp_path: Path) -> None:
    path, out = tmp_path / "mine.toml", tmp_path / "run"
    path.write_text(load_neuron("lif").to_toml(), encoding="utf-8")
    bioae.train(tuning({**NETWORK, "neuron": str(path)}, train=80, epochs=1), out=out)
    path.unlink()
    more = {"training": {"epochs": 2}}
    assert len(bioae.train(out / "config.toml", settings=more, out=out, resume=True).records) == 2


def test_a_silent_start_is_said_with_a_setting(caplog: pytest.LogCaptureFixture) -> None:
    weak = {**NETWORK, "layers": [{**each, "gain": 1e-3} for each in NETWORK["layers"]]}
    start = bioae.train(tuning(weak, train=80, epochs=1), progress=False).start
    assert start is not None
    assert (start.silent, start.obstacle) == ({"latent": 1.0}, None)  # unlike that at the end
    assert len([line for line in caplog.messages if "no neuron of latent fired" in line]) == 1
    assert 'initialise = "calibrated"' in str(start.suggestion)
    config = tuning(weak, train=80, epochs=1, initialise="calibrated")
    start = bioae.train(config, progress=False).start
    assert start is not None
    assert start.layers["latent"]["rate_per_step_mean"] == pytest.approx(0.25 / 12, rel=0.25)
    network = Network.initialise(tuning(NETWORK).network)
    with refused(NetworkError, where="training.initialise"):  # only drawn weights are calibrated
        bioae.train(network, settings={"training": {"initialise": "calibrated"}})
