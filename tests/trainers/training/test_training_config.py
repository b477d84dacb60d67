"""Training configurations: read, refused in one line, and written back."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_run
from pydantic import BaseModel

from bioae.runs.tables import DataConfig
from bioae.trainers.training.config import TrainingConfig
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


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FULL)
    full = TrainingConfig.read(tmp_path / "config.toml")
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


TABLES: list[dict[str, Any]] = [
    {},
    tomllib.loads(FULL),
    {"training": {
        "stages": [
            {"epochs": 1, "regularisers": {"neuron1": {"coefficient": 1, "layers": "all"}}},
            {"learning_rates": {"tau": 0.1}, "schedule": "cosine", "frozen": ["latent"]},
            {"regularisers": {"beta1": {"coefficient": 1, "window": [0, 0.5]}}, "trainable": []},
        ],
        "derivative": {"name": "arctan", "detach_reset": True, "straight_through": 0.9},
        "learning_rates": {"tau": 2e-2, "latent": {"tau": 3e-2}, "weight": 1e-4},
        "layers": {"latent": {"trainable": [], "derivative": "boxcar"}, "output": {"bounds": {}}},
        "trainable": ["tau"], "per_neuron": ["tau"], "frozen": ["latent.weight"], "average": 0.9,
        "optimiser": {"name": "adamw", "weight_decay": 0.1}, "select": "last", "truncate": 5,
        "variability": 0.1,
    }},
]  # fmt: skip


@pytest.mark.parametrize("tables", TABLES)
def test_written_back_and_read_again(tables: dict[str, Any], tmp_path: Path) -> None:
    config = TrainingConfig.read(tables)
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml())
    again = TrainingConfig.read(path)
    assert again.training == config.training
    assert again.to_mapping() == config.self_contained().to_mapping()
    assert again.regularisers.terms("latent") == config.regularisers.terms("latent")
    assert [each.end for each in again.stages] == [each.end for each in config.stages]


def test_the_written_file_has_every_default() -> None:
    """But for values of none, and those that the documentation names."""
    page = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    (sentence,) = (line for line in page.splitlines() if line.startswith("| `config.toml` |"))
    stages = ({}, {"epochs": 1, "regularisers": {"beta1": 1.0}})
    given = [{}, {"regularisers": {"lambda1": 1.0, "l1": 2.0}}, {"training": {"stages": stages}}]
    for values in given:
        config = TrainingConfig.from_mapping(values)
        left_out = set(_left_out(config, config.to_mapping()))
        known = {"task", "spread", "bias", "initial", "synapses", "initialise", "sign", "clock"}
        assert left_out <= {*known, "populations", "projections", "delays", "rates", "carry_over"}
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


@pytest.mark.medium
def test_reading_a_configuration_imports_no_pytorch() -> None:
    code = (
        "import sys, bioae.trainers, bioae.cli.train; from bioae.trainers import TrainingConfig; "
        "TrainingConfig(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_key_is_documented() -> None:
    docs = Path(__file__).parents[3] / "docs"
    names = ("training.md", "firing-in-training.md")
    page = "".join((docs / name).read_text(encoding="utf-8") for name in names)
    tables = (DataConfig, OptimisationConfig, RegularisersConfig)
    keys = [key for table in tables for key in table.model_fields]
    assert [key for key in keys if f"| `{key}` |" not in page] == []
    for model in (DataConfig, OptimisationConfig):
        for name, field in model.model_fields.items():
            row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
            default = field.get_default(call_default_factory=True)
            text = getattr(default, "name", default)
            assert f"`{text}`" in row or text in (None, (), {}), row


def test_the_metrics_of_the_most_epochs_fit_into_a_checkpoint(tmp_path: Path) -> None:
    most = small_run.config(epochs=100_000).training.epochs
    (metrics,) = small_run.fit(small_run.problem(small_run.config(epochs=1)), tmp_path).records
    # Text in JSON in JSON; safetensors accepts headers of 100 MB.
    assert len(metrics) > 5
    assert most * len(json.dumps(json.dumps(metrics))) < 0.9 * 100_000_000
