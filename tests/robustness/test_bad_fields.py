"""Every value of every field: a configuration and a neuron model take those that a rule allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from robustness.bad_fields import NEURON, NEURON_FIELDS, TRAINING, TRAINING_FIELDS
from robustness.bad_values import Field, changed

from bioae.equations import load_neuron, lower
from bioae.errors import InputError
from bioae.trainers.training.config import load_config

#: Fields of which some values are refused when images are loaded, or the mirror is made.
_LATER = ("data", "device", "init", "trainable", "frozen", "learning_rates", "width")


def _read_training(path: Path) -> None:
    for placed in load_config(path).network.placed:
        _ = placed.program


def _read_neuron(path: Path) -> None:
    lower(load_neuron(path))


def _wrong(document: dict[str, Any], fields: tuple[Field, ...], read: Any, path: Path) -> list[str]:
    """Return the values that are accepted against their rule, or refused though they fit."""
    wrong = []
    for each in fields:
        for value in each.values:
            path.write_text(tomli_w.dumps(changed(document, each.path, value)), encoding="utf-8")
            try:
                read(path)
                accepted = True
            except InputError:
                accepted = False
            late = any(part in _LATER for part in each.path)
            if accepted != each.rule(value) and not (accepted and late):
                wrong.append(f"{each.path}: {str(value)[:60]!r} accepted: {accepted}")
    return wrong


@pytest.mark.slow
def test_fields_of_a_training(tmp_path: Path, figures: Any) -> None:
    assert _wrong(TRAINING, TRAINING_FIELDS, _read_training, tmp_path / "run.toml") == []
    values = sum(len(each.values) for each in TRAINING_FIELDS)
    figures("values of fields of a training", fields=len(TRAINING_FIELDS), values=values, wrong=0)


@pytest.mark.slow
def test_fields_of_a_neuron_model(tmp_path: Path, figures: Any) -> None:
    # Bounds are compared with the value where the parameter is trained: `neurons check` does it.
    fields = tuple(each for each in NEURON_FIELDS if each.path != ("trainable", "tau"))
    assert _wrong(NEURON, fields, _read_neuron, tmp_path / "mine.toml") == []
    values = sum(len(each.values) for each in fields)
    figures("values of fields of a neuron model", fields=len(fields), values=values, wrong=0)
