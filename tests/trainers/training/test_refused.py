"""Settings are refused by their key before data are read or a folder is made; others can run."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import dense
from refusals import refused

import bioae
from bioae.configuration import load_configuration
from bioae.errors import DataError, NetworkError
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.reach import check_reached
from bioae.trainers.training.trainer import GradientTrainer
from bioae.trainers.training.training import assemble

SIDE = 4
LAYERS = [dense("hidden", 6, recurrent=True, bias=True), dense("output", shape=[1, SIDE, SIDE])]
POOLED = [{"kind": "avg_pool2d", "name": "pool", "kernel": 1, "stride": 1}, LAYERS[1]]
WARM = {"l2": {"coefficient": 1.0, "warm_up": 2.5}}


def beta1(**options: Any) -> dict[str, Any]:
    return {"regularisers": {"beta1": {"coefficient": 1, **options}}}


#: A table ``[training]``, and what the line names.
TRAINING: list[tuple[Any, ...]] = [
    ({"epoch": 1}, "'training.epoch'", "epochs, batch_size"),
    ({"epochs": 0}, "training.epochs"),
    ({"derivative": "sigmoid"}, "training.derivative.name", "'membrane'"),
    ({"loss": 3}, "training.loss", "'sum_squared_error'"),
    ({"learning_rate": nan}, "training.learning_rate"),
    ({"learning_rates": {"tau": 0}}, "training.learning_rates.tau"),
    ({"optimiser": "lbfgs"}, "training.optimiser", "lbfgs"),
    ({"optimiser": {"name": "sgd", "weight_decay": 0.1}}, "training.optimiser.weight_decay"),
    ({"average": 1.0}, "training.average"),
    ({"select": "first"}, "training.select", "'best' or 'last'"),
    ({"per_neuron": ["beta"]}, "per_neuron", "'beta'"),
    ({"grid_bits": 0.0}, "training.grid_bits"),
    ({"truncate": 0}, "training.truncate"),
    ({"layers": {"hiden": {}}}, "training.layers", "'hiden'", "hidden, output"),
    ({"layers": {"hidden": {"bound": 1}}}, "'training.layers.hidden.bound'"),
    ({"schedule": "linear"}, "training.schedule", "linear"),
    ({"schedule": "step"}, "training.schedule.every"),
    ({"epochs": 2, "schedule": {"name": "cosine", "warm_up": 2.5}}, "schedule", "2.5", "2"),
    ({"stages": [{}] * 10 + [{"batch": 1}]}, "'training.stages.11th.batch'", "epochs"),
    ({"stages": [{"epochs": 10**5}] * 2}, "200000", "100000"),
    ({"stages": [{"epochs": 2, "schedule": {"name": "step", "every": 1, "warm_up": 3}}]},
     "stages.1st.schedule", "3", "2"),
    ({"stages": [{}, beta1(layers=["x"])]}, "training.stages.2nd.regularisers", "beta1", "'x'"),
    ({"stages": [{"epochs": 9}, {"epochs": 2, "regularisers": WARM}]},
     "training.stages.2nd.regularisers.l2", "2.5", "2"),
    ({"epochs": 3, "stages": [{"epochs": 1}, {"epochs": 2}]}, "training", "epochs = 3"),
    ({"variability": 0}, "training.variability.scale", "0"),
    ({"variability": {"scale": 1.0, "distribution": "cauchy"}}, "distribution", "'cauchy'"),
    ({"variability": {"scale": 1.0, "layers": ["no"]}}, "training.variability", "'no'", "hidden"),
]  # fmt: skip

#: All tables, and what the line names.
TABLES: list[tuple[Any, ...]] = [
    *(({"training": table}, *names) for table, *names in TRAINING),
    *(({"data": {"validation": part}}, "data.validation")
      for part in (0, 0.0, 1.0, -1, 1.5, True, "half", 10**10)),
    ({"data": {"train": 20, "validation": 20}}, "data", "20"),
    ({"trainig": {}}, "'trainig'", "data, network, training, regularisers"),
    ({"network": {"preset": "papre"}}, "network", "'papre'"),
    ({"network": {"preset": "strided", "dt": "1*mV"}}, "1*mV"),
    ({"regularisers": {"gamma": 1}}, "'regularisers.gamma'", "beta1"),
    ({"regularisers": {"beta1": True}}, "regularisers.beta1", "True"),
    ({"regularisers": {"beta1": {}}}, "'regularisers.beta1.coefficient'"),
    ({"regularisers": {"l1": {"coefficient": 1, "target": 2}}}, "'regularisers.l1.target'"),
    ({"regularisers": {"neuron1": 1}}, "neuron1", "latent"),
    ({"regularisers": WARM, "training": {"epochs": 2}}, "regularisers.l2", "2.5", "2"),
    (beta1(layers="latent"), "regularisers.beta1.layers", "'latent'"),
    (beta1(layers=["hiden"]), "beta1", "'hiden'", "hidden, output"),
    (beta1(window=[0.1, 0.2], target=0.1), "regularisers.beta1", "target", "window"),
    (beta1(window=[0.2, 0.1]), "regularisers.beta1", "[0.2, 0.1]"),
    (beta1(over="time"), "regularisers.beta1.over", "'example' or 'batch'"),
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8))
    return path


def tables(**settings: Any) -> dict[str, Any]:
    return {"network": {"input_shape": [1, SIDE, SIDE], "steps": 5, "layers": LAYERS}} | settings


@pytest.mark.parametrize(("settings", "names"), [(row[0], row[1:]) for row in TABLES])
def test_by_the_tables(settings: dict[str, Any], names: tuple[str, ...]) -> None:
    with refused(NetworkError, *names) as caught:
        TrainingConfig.from_mapping(tables(**settings), where="run.toml")
    assert (caught.value.where or "").startswith("run.toml")
    assert "\n" not in str(caught.value)


def test_files_and_options(tmp_path: Path) -> None:
    with refused(NetworkError, where=tmp_path / "none.toml"):
        TrainingConfig.read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[training\nepochs = 3")
    with refused(NetworkError, "TOML", "line 1", where=broken):
        TrainingConfig.read(broken)
    with refused(NetworkError, where="training.init", found="--neuron lif"):
        load_configuration({"training": {"init": {}}}, init={"neuron": "lif"})
    with refused(NetworkError, "training.init", found="3"):
        load_configuration({"training": {"init": 3}}, init={"model": "sae-mnist"})
    with refused(NetworkError, "'representation'", "[learning]"):
        task = {"kind": "representation", "outputs": SIDE**2}
        TrainingConfig.from_mapping(
            tables(network=tables()["network"] | {"task": task, "decoder": {"kind": "count"}})
        )


def config(data: Path | str = "nowhere", **settings: Any) -> TrainingConfig:
    """Return a configuration with other keys of ``[network]`` and ``[training]``."""
    network = tables()["network"] | settings.pop("network", {})
    terms = settings.pop("regularisers", {})
    options = {"batch_size": 4, "threads": 1, "derivative": "arctan", "compile": False, **settings}
    return TrainingConfig.from_mapping(
        {"data": {"name": str(data), "validation": 2}, "network": network,
         "training": options, "regularisers": terms}
    )  # fmt: skip


FROZEN = {"frozen": ["weight", "recurrent", "bias"]}
L2 = {"l2": {"coefficient": 1.0, "layers": ["pool"]}}


def hidden(**keys: Any) -> dict[str, Any]:
    return {"layers": {"hidden": keys}}


#: Settings, the place of the error, and what the line names.
NAMES: list[tuple[Any, ...]] = [
    (FROZEN, "training, frozen", "weight, recurrent, bias"),
    ({"stages": [{}, {}, FROZEN]}, "training.stages.3rd, frozen"),
    ({"frozen": ["hiden"], "stages": [{"frozen": ["bias"]}]}, "training, frozen", "'hiden'"),
    ({"stages": [{}, {"frozen": ["hiden"]}]}, "training.stages.2nd, frozen", "'hiden'"),
    ({"frozen": ["output.recurrent"]}, "training, frozen", "'output.recurrent'"),
    ({"learning_rates": {"weigth": 1e-3}}, "training, learning_rates", "'weigth'"),
    ({"stages": [{"learning_rates": {"tua": 1}}]}, "training.stages.1st, learning_rates", "'tua'"),
    ({"trainable": ["beta"]}, "training, trainable", "'beta'"),
    (hidden(trainable=["beta"]), "training.layers.hidden, trainable", "'beta'"),
    (hidden(bounds={"tau": ["1*ms", "1*second"]}), "training.layers.hidden, bounds", "'tau'"),
    ({"trainable": ["tau"]} | hidden(bounds={"tau": ["1*mV", "2*mV"]}), "layer hidden, bounds"),
    ({"trainable": ["tau"]} | hidden(bounds={"tau": ["1*ms", "2*ms"]}), "layer hidden, bounds"),
    (hidden(bounds={"nothing": ["1*ms", "2*ms"]}), "layer hidden, bounds", "nothing"),
    (hidden(derivative={"name": "arctan", "slope": 1}), None, "'slope'"),
    ({"device": "cuda:99"}, "training.device", "cuda:99"),
    ({"network": {"layers": POOLED}, "regularisers": L2}, "regularisers.l2", "'pool'"),
    ({"network": {"layers": POOLED}, "stages": [{}, {"regularisers": L2}]},
     "training.stages.2nd.regularisers.l2", "'pool'"),
    ({"network": {"layers": POOLED[:1]}, "regularisers": {"l1": 1}}, "regularisers.l1"),
    ({"network": {"layers": POOLED[:1]}}, "network"),
    ({"variability": {"scale": 0.3, "layers": ["hidden"]}, "frozen": ["hidden"]},
     "training.variability, layers", "'hidden'", "output"),
    ({"variability": 0.3, "frozen": ["weight", "recurrent"]}, "training.variability, layers"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "where", "names"), [(r[0], r[1], r[2:]) for r in NAMES])
def test_by_the_names_before_data_are_read(
    settings: dict[str, Any], where: str | None, names: tuple[str, ...], tmp_path: Path
) -> None:
    with refused(NetworkError, *names, **({"where": where} if where else {})):
        bioae.train(config(**settings), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_fits_gets_as_far_as_the_data() -> None:
    with refused(DataError, "nowhere"):
        assemble(config())


@pytest.mark.parametrize(
    ("settings", "where", "name"),
    [
        ({"derivative": "membrane", "trainable": ["tau"]}, "training, trainable", "'hidden.tau'"),
        ({"derivative": "membrane", "stages": [{}, {"trainable": ["tau"]}]},
         "training.stages.2nd, trainable", "'hidden.tau'"),
        ({"stages": [{}, {"frozen": ["weight", "recurrent", "bias", "hidden"]}, {}],
          "trainable": ["theta"]}, "training.stages.2nd, trainable", "'output.theta'"),
        ({"truncate": 1}, "training, frozen", "'hidden.weight'"),
        ({"rates": {"hidden": "20*Hz"}}, "training, frozen", "rates of hidden"),
    ],
)  # fmt: skip
def test_by_the_gradients_before_a_folder_is_made(
    settings: dict[str, Any], where: str, name: str, data: Path, tmp_path: Path
) -> None:
    with refused(NetworkError, name, where=where):
        bioae.train(config(data, **settings), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("compiled", [False, "auto"])
@pytest.mark.parametrize(
    "settings", [{"trainable": ["tau", "theta"]}, {"derivative": "membrane"}, {"truncate": 3}]
)
def test_what_is_accepted_is_reached(
    settings: dict[str, Any], compiled: bool | str, data: Path, tmp_path: Path
) -> None:
    """The presentation that is tried stands for the batches: the same gradients are missing."""
    problem = assemble(config(data, compile=compiled, **settings))
    run = GradientTrainer(problem)
    assert all(weight.requires_grad for weight in run.weights.values())
    assert all(weight.grad is None for weight in run.weights.values())
    problem.stages[0].let_train(run.weights, problem.parameters)
    run.update(problem.batch(problem.data.train[np.arange(4)], 0), problem.stages[0])
    missing = {name for name, each in run.weights.items() if each.grad is None}
    assert missing <= {"output.theta"}
    weights = {name: each.detach().clone() for name, each in run.weights.items()}
    check_reached(problem.config, problem.stages, problem.mirror)
    assert all(torch.equal(each, weights[name]) for name, each in run.weights.items())


def test_equal_stages_are_tried_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(data, stages=[{}, {"learning_rate": 1e-4}, {"frozen": ["bias"]}, {}])
    problem = assemble(given)
    seen = []
    forward = type(problem.mirror).forward
    monkeypatch.setattr(
        type(problem.mirror), "forward", lambda *a, **k: (seen.append(1), forward(*a, **k))[1]
    )
    check_reached(given, given.stages, problem.mirror)
    assert len(seen) == 2


def test_times_that_fit() -> None:
    exact = {"coefficient": 1.0, "warm_up": 3.0}
    given = config(
        stages=[{"epochs": 1}, {"epochs": 2}], regularisers={"l2": exact},
        schedule={"name": "step", "every": 1, "warm_up": 3},
    )  # fmt: skip
    assert "epochs" not in given.to_mapping()["training"]
    assert TrainingConfig.from_mapping(given.to_mapping()).to_mapping() == given.to_mapping()
    shared = config(stages=[{"epochs": 1}, {}], epochs=4)
    assert [stage.end for stage in shared.stages] == [1, 5]
    assert shared.to_mapping()["training"]["epochs"] == 4


def test_starting_values_are_moved_into_the_layers_bounds(data: Path) -> None:
    """Those that `spread` draws outside start at the nearest bound; the others stay."""
    bounds = {"tau": ["80*ms", "120*ms"]}
    given = {
        "trainable": ["tau"],
        "network": {"layers": [{**LAYERS[0], "units": 200, "spread": {"tau": 0.5}}, LAYERS[1]]},
    }
    free = assemble(config(data, **given)).mirror.to_network().weights["hidden.tau"]
    assert free.min() < 0.08
    assert free.max() > 0.12
    bounded = config(data, **given, layers={"hidden": {"bounds": bounds}})
    network = assemble(bounded).mirror.to_network()
    np.testing.assert_array_equal(network.weights["hidden.tau"], np.clip(free, 0.08, 0.12))
    assert len(np.unique(network.weights["hidden.tau"])) > 20
    assert "output.tau" in network.weights
