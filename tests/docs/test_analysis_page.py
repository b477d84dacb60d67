"""The page on analysing leaves nothing out, and says of it what the code says."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bioae import analysis
from bioae.analysis import plots

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "analysis.md").read_text(encoding="utf-8")
AGAIN = "run python docs/make_analysis.py"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield importlib.import_module("make_analysis")


def rows(name: str) -> list[list[str]]:
    """Return the cells of a generated table, without its heads."""
    part = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert part is not None, name
    lines = [line for line in part[1].splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    found = [[cell.strip() for cell in row] for row in cells]
    heads = {place - 1 for place, row in enumerate(found) if set(row) == {"---"}}
    return [row for place, row in enumerate(found) if not {place, place - 1} & heads]


def test_the_generated_parts_are_those_of_the_code(script: ModuleType) -> None:
    assert PAGE.count("<!-- end -->") == len(script.TABLES) == 5
    assert script.filled(PAGE) == PAGE, AGAIN


def test_everything_that_is_exported_is_in_the_table_once() -> None:
    calls = [row[0].strip("`").partition("(")[0] for row in rows("functions")]
    assert len(calls) > 80
    assert sorted(calls) == sorted(analysis.__all__), AGAIN
    assert all(len(row[1]) > 10 for row in rows("functions"))


def test_every_picture_is_in_the_table() -> None:
    drawn = {name for name in plots.__all__ if name not in {"save_figure", "to_svg"}}
    assert len(drawn) > 4
    assert drawn <= {row[0].strip("`") for row in rows("pictures")}, AGAIN


def test_every_number_of_a_layer_is_defined() -> None:
    found = {row[0].strip("`"): row for row in rows("definitions")}
    assert list(found) == list(analysis.DEFINITIONS), AGAIN
    for name, each in analysis.DEFINITIONS.items():
        definition = found[name][3].replace(r"\|", "|")
        assert definition.startswith(each.text)
        assert each.undefined in definition
        assert found[name][2] in {each.units, ""}


def test_every_reference_is_cited_and_said_to_be_verified_or_not() -> None:
    found = rows("references")
    assert len(found) == len(analysis.references()) > 10
    for row, each in zip(found, analysis.references(), strict=True):
        assert row[:2] == [f"`{each.statistic}`", each.range]
        assert f"https://doi.org/{each.doi}" in row[4]
        assert row[5].startswith("yes: " if each.verified else "**no**")
    assert any(row[5].startswith("**no**") for row in found)


def test_a_new_function_without_a_family_is_noticed(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "__all__", [*analysis.__all__, "something_new"])
    with pytest.raises(SystemExit, match="something_new"):
        script.functions()


def test_the_index_leads_to_the_page() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert "(analysis.md)" in index
    assert re.search(r"^analysis$", index.split("{toctree}")[1], re.MULTILINE)
