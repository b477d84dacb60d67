"""Training configurations: read, refused in one line, and written back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from builders import dense
from pydantic import BaseModel

from bioae.errors import NetworkError
from bioae.runs.tables import DataConfig
from bioae.trainers.training.config import TrainingConfig, load_config
from bioae.trainers.training.sections import OptimisationConfig
from bioae.trainers.training.terms import RegularisersConfig

FULL = """
[data]
name = "mnist"
train = 1000
validation = 200
test = 500

[network]
preset = "paper"
steps = 50

[training]
epochs = 3
learning_rate = 1e-3
gradient_clip = 0
derivative = { name = "arctan", alpha = 3 }
trainable = ["tau"]
grid_bits = 0

[regularisers]
beta1 = 0.1
beta2 = { coefficient = -0.5, target = 0.02, layers = ["latent", "output"] }
neuron1 = { coefficient = 1, layers = "all" }
neuron2 = 2
"""


@pytest.fixture
def full(tmp_path: Path) -> TrainingConfig:
    path = tmp_path / "config.toml"
    path.write_text(FULL)
    return load_config(path)


def test_a_file_is_read_as_written(full: TrainingConfig) -> None:
    assert full.data == DataConfig(name="mnist", train=1000, validation=200, test=500)
    assert (full.network.steps, full.network.latent) == (50, "latent")
    assert full.training.derivative.parameters == {"alpha": 3}
    assert full.training.gradient_clip is None
    assert full.training.grid_bits is None
    terms = full.regularisers.terms("latent")
    assert {symbol: term.layers for symbol, term in terms.items()} == {
        "beta1": None,
        "beta2": ("latent", "output"),
        "neuron1": None,
        "neuron2": ("latent",),
    }


def test_tables_are_read_as_their_file(full: TrainingConfig) -> None:
    values = full.to_mapping()
    assert load_config(values).to_mapping() == values
    wrong = {"network": {"preset": "strided", "dt": "1*mV"}}
    with pytest.raises(NetworkError, match=r"1\*mV"):
        load_config(wrong)
    with pytest.raises(NetworkError, match=r"^training\.init: there is no trained network"):
        load_config({"training": {"init": {}}}, init={"neuron": "lif"})


def test_written_back_and_read_again(full: TrainingConfig, tmp_path: Path) -> None:
    for number, config in enumerate((full, TrainingConfig())):
        path = tmp_path / f"{number}.toml"
        path.write_text(config.to_toml())
        again = load_config(path)
        assert again.to_mapping() == config.to_mapping()
        assert again.regularisers.terms("latent") == config.regularisers.terms("latent")


def test_the_written_file_has_every_default() -> None:
    """But for values of none, and those that the documentation names."""
    page = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    (sentence,) = (line for line in page.splitlines() if line.startswith("| `config.toml` |"))
    stages = ({}, {"epochs": 1, "regularisers": {"beta1": 1.0}})
    given = [{}, {"regularisers": {"lambda1": 1.0, "l1": 2.0}}, {"training": {"stages": stages}}]
    for values in given:
        config = TrainingConfig.from_mapping(values)
        left_out = set(_left_out(config, config.to_mapping()))
        assert left_out <= {"task", "spread", "bias", "initial", "synapses"}
        assert all(name in sentence for name in left_out)
    own = TrainingConfig.from_mapping({"training": {"stages": [{"epochs": 1}]}})
    assert "epochs" in set(_left_out(own, own.to_mapping()))
    assert "`epochs` where every stage has its own" in sentence


def _left_out(table: BaseModel, mapping: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the keys that a mapping lacks, though they have a value."""
    for name in type(table).model_fields:
        value = getattr(table, name)
        if name not in mapping:
            if value is not None:
                yield name
            continue
        several = isinstance(value, tuple | list)
        pairs = zip(value, mapping[name], strict=True) if several else [(value, mapping[name])]
        for inner, plain in pairs:
            if isinstance(inner, BaseModel):
                yield from _left_out(inner, plain)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"trainig": {}}, "unknown key 'trainig'; expected one of data, network, training, reg"),
        ({"training": {"epoch": 1}}, "unknown key 'training.epoch'; expected one of epochs, batch"),
        ({"training": {"epochs": 0}}, "training.epochs .* greater than or equal to 1; found 0"),
        ({"training": {"derivative": "sigmoid"}}, "training.derivative.name .* 'membrane'"),
        ({"training": {"loss": 3}}, "training.loss .* 'sum_squared_error'.*; found 3"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate"),
        ({"regularisers": {"beta1": "x"}}, "regularisers.beta1 .*found 'x'"),
        ({"regularisers": {"beta1": {}}}, "'regularisers.beta1.coefficient' is missing"),
        ({"regularisers": {"beta1": True}}, "regularisers.beta1 .*found True"),
        ({"regularisers": {"gamma": 1}}, "unknown key 'regularisers.gamma'; expected one of beta1"),
        (
            {"regularisers": {"l1": {"coefficient": 1, "target": 2}}},
            "unknown key 'regularisers.l1.target'; expected one of coefficient, layers, warm_up",
        ),
        (
            {"regularisers": {"beta1": {"coefficient": 1, "layers": "latent"}}},
            "\"all\" or a list of layer names, found 'latent'",
        ),
        (
            {"regularisers": {"beta1": {"coefficient": 1, "layers": ["lattent"]}}},
            "beta1 acts on an unknown layer 'lattent'; expected one of encoder1",
        ),
        ({"network": {"preset": "papre"}}, "network: unknown network 'papre'; expected one of"),
        ({"network": 3}, "network does not fit"),
    ],
)
def test_bad_values_are_refused_in_one_line(values: dict[str, Any], line: str) -> None:
    with pytest.raises(NetworkError) as caught:
        TrainingConfig.from_mapping(values, where="run.toml")
    assert str(caught.value).startswith("run.toml")
    assert re.search(line, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_latent_terms_need_a_latent_layer() -> None:
    layer = dense("only", shape=[1, 28, 28])
    values = {"network": {"layers": [layer]}, "regularisers": {"neuron1": 1}}
    with pytest.raises(NetworkError, match="neuron1 acts on the latent layer, and the network na"):
        TrainingConfig.from_mapping(values)
    values["regularisers"] = {"neuron1": {"coefficient": 1, "layers": ["only"]}}
    assert TrainingConfig.from_mapping(values).regularisers.neuron1 is not None


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"none.toml: there is no such training configuration"):
        load_config(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[training\nepochs = 3")
    with pytest.raises(NetworkError, match=r"broken.toml: this is not valid TOML.*line 1"):
        load_config(broken)


def test_reading_a_configuration_imports_no_pytorch() -> None:
    code = (
        "import sys, bioae.trainers, bioae.cli.train; from bioae.trainers import TrainingConfig; "
        "TrainingConfig(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    keys = [
        *DataConfig.model_fields,
        *OptimisationConfig.model_fields,
        *RegularisersConfig.model_fields,
    ]
    assert [key for key in keys if f"| `{key}` |" not in page] == []
    for model in (DataConfig, OptimisationConfig):
        for name, field in model.model_fields.items():
            row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
            default = field.get_default(call_default_factory=True)
            text = getattr(default, "name", default)
            assert f"`{text}`" in row or text in (None, (), {}), row


def test_the_metrics_of_the_most_epochs_fit_into_a_checkpoint(
    small_run: ModuleType, tmp_path: Path
) -> None:
    most = small_run.config(epochs=100_000).training.epochs
    with pytest.raises(NetworkError, match="epochs"):
        small_run.config(epochs=most + 1)
    (metrics,) = small_run.fit(small_run.problem(small_run.config(epochs=1)), tmp_path).records
    # Text in JSON in JSON; safetensors accepts headers of 100 MB.
    assert len(metrics) > 5
    assert most * len(json.dumps(json.dumps(metrics))) < 0.9 * 100_000_000
