"""Model cards: validation when they are read, and unknown names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from refusals import refused

from bioae.errors import ArtefactError
from bioae.networks import trained
from bioae.networks.trained.cards import CARD, read_card
from bioae.networks.trained.describing import facts

NAME = trained.available()[0]


@pytest.fixture
def values() -> dict[str, Any]:
    """The tables of a card of one seed."""
    tables: dict[str, Any] = trained.card(NAME).model_dump(mode="json", exclude_none=True)
    tables["test"].pop("spread", None)
    tables["test"]["seeds"] = 1
    return tables


def written(values: dict[str, Any], path: Path) -> Path:
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def changed(values: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """Return the tables with one value replaced, or removed if it is None."""
    *tables, last = key.split(".")
    table = values
    for name in tables:
        table = table[name]
    table[last] = value
    if value is None:
        del table[last]
    return values


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    card = trained.card(NAME)
    tables = card.model_dump(mode="json", exclude_none=True)
    assert read_card(written(tables, tmp_path / CARD)) == card


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", None), ("title", ""), ("limits", []), ("author", "x"), ("data.licence", None),
        ("test.value", float("nan")), ("test.score", "loss"), ("test.spread", 0.1),
        ("test.seeds", 3), ("sample.examples", 1), ("training.seed", -1),
    ],
)  # fmt: skip
def test_a_card_that_does_not_fit_is_refused(
    key: str, value: object, values: dict[str, Any], tmp_path: Path
) -> None:
    path = written(changed(values, key, value), tmp_path / CARD)
    with refused(ArtefactError, key.partition(".")[2], where=path):
        read_card(path)


def test_facts_state_the_spread_over_seeds_where_it_is_known(
    values: dict[str, Any], tmp_path: Path
) -> None:
    assert "one seed" in facts(read_card(written(values, tmp_path / CARD)))["test split"]
    values["test"] |= {"seeds": 3, "spread": 0.125}
    known = read_card(written(values, tmp_path / CARD))
    assert "standard deviation over 3 seeds: 0.12" in facts(known)["test split"]
    assert "embedded digits" in facts(known)
    del values["sample"]
    assert "embedded digits" not in facts(read_card(written(values, tmp_path / CARD)))


@pytest.mark.parametrize("name", ["nothing", "../models/sae-mnist", "sae-mnist/", ".", "", "/etc"])
def test_a_name_leads_nowhere_but_into_the_folder(name: str) -> None:
    with refused(ArtefactError, *trained.available(), where=name):
        trained.card(name)
    with refused(ArtefactError, hint=re.compile("sae-mnist")):
        trained.card("sae-mnits")


@pytest.mark.medium
def test_names_and_cards_need_no_heavy_library() -> None:
    code = (
        "import sys; from bioae.networks import trained\n"
        "print(trained.card(trained.available()[0]).title)\n"
        "print(sorted({'torch', 'brian2', 'xarray', 'safetensors'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [trained.card(NAME).title, "[]"]
