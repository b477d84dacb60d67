"""Committed pages agree with the scripts, stored results and code that they come from."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import make_analysis
import make_experiments
import make_models
import make_operators
import make_synapses
import make_tables
import make_trained
import pytest
from model_pages import pictures, responses

from benchmarks.__main__ import NAMES
from benchmarks.recurrent import table as recurrent_table
from benchmarks.stored import RESULTS as BENCHMARKS
from benchmarks.stored import Table
from benchmarks.training import table as training_table
from bioae import analysis
from bioae.analysis import plots
from bioae.equations import available, available_synapses, load_neuron
from bioae.equations.grammar import SUPPORTED
from bioae.equations.lowering.checks import methods
from bioae.experiments.demo import RUNS
from bioae.experiments.runner import page
from bioae.experiments.runner.registry import load as load_experiment
from bioae.networks import trained
from bioae.trainers.training.sections import OptimisationConfig

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def stored(path: str) -> Any:
    return json.loads(text(path))


README = text("README.md")


@pytest.mark.parametrize(
    ("script", "page", "tables"),
    [
        (make_tables, "networks.md", 8),
        (make_tables, "neuron-models.md", 4),
        (make_tables, "tasks.md", 1),
        (make_tables, "baselines.md", 1),
        (make_analysis, "analysis.md", 5),
    ],
)
def test_generated_tables(script: ModuleType, page: str, tables: int) -> None:
    content = text(f"docs/{page}")
    assert content.count("<!-- end -->") == tables
    assert script.filled(content) == content, f"run python docs/{script.__name__}.py"


def test_generated_page_of_operators() -> None:
    assert make_operators.described() == set(SUPPORTED)
    assert text("docs/operators.md") == make_operators.page(), "run python docs/make_operators.py"


def test_generated_tables_of_trained_networks() -> None:
    content = text("docs/trained-networks.md")
    assert content.count("<!-- end -->") == 1
    assert all(f"### {name}\n" in content for name in trained.available())
    assert make_trained.filled(content) == content, "run python docs/make_trained.py"


def test_the_picture_of_learning_windows() -> None:
    numbers = make_synapses.numbers()
    assert set(numbers["window"]) == set(available_synapses())
    svg = make_synapses.PICTURE.read_text(encoding="utf-8")
    assert svg.endswith(f"{pictures.mark(numbers)}\n"), "run python docs/make_synapses.py"


def test_generated_pages_of_models() -> None:
    names = available()
    assert len(names) >= 6
    expected = {DOCS / "models/index.md": make_models.index_page()}
    for name in names:
        model = load_neuron(name)
        numbers = responses.read(make_models.numbers_of(name))
        assert numbers["model_sha256"] == responses.digest(model), name
        assert numbers["command"] == responses.COMMAND
        expected[DOCS / f"models/{name}.md"] = make_models.page_of(model)
        picture, thumbnail = make_models.pictures_of(name)
        for path in (picture, thumbnail) if model.threshold else (picture,):
            svg = path.read_text(encoding="utf-8")
            assert svg.endswith(f"{pictures.mark(numbers)}\n"), path.name
            assert len(svg) < 100_000
    outdated = [path.name for path, page in expected.items() if path.read_text("utf-8") != page]
    assert outdated == [], "run python docs/make_models.py"


def test_every_file_of_a_model_page_has_its_model() -> None:
    for folder, ending in (("models", ".md"), ("results/models", ".json")):
        names = {path.name.removesuffix(ending) for path in (DOCS / folder).iterdir()}
        assert names - {"index"} == set(available())
    drawn = {path for name in available() for path in make_models.pictures_of(name)}
    assert set((DOCS / "images/models").iterdir()) <= drawn


def test_generated_pages_of_experiments() -> None:
    documents = list(make_experiments.documents())
    assert documents
    indexes = {path: path.read_text(encoding="utf-8") for path in make_experiments.INDEXES}
    assert all(content.count("<!-- end -->") == 1 for content in indexes.values())
    expected = {path: make_experiments.filled(content) for path, content in indexes.items()}
    figures = set()
    for document in documents:
        experiment = load_experiment(document.experiment)
        plan = page.plan_of(experiment, document)
        assert not document.quick
        assert document.sizes == json.loads(json.dumps(experiment.sizes)), experiment.name
        path = make_experiments.PAGES / f"{experiment.name}.md"
        expected[path] = page.page_of(experiment, document)
        for name in page.figure_names(experiment):
            figures.add(make_experiments.PAGES / page.FIGURES / name)
            svg = (make_experiments.PAGES / page.FIGURES / name).read_text(encoding="utf-8")
            assert svg.endswith(f"{page.figure_mark(plan, document)}\n"), name
    outdated = [path.name for path, text in expected.items() if path.read_text("utf-8") != text]
    assert outdated == [], "run python docs/make_experiments.py"
    assert set(make_experiments.PAGES.glob("*.md")) == set(expected) - {make_experiments.README}
    assert set((make_experiments.PAGES / page.FIGURES).iterdir()) == figures


def test_markdown_of_the_benchmarks() -> None:
    assert {path.stem for path in BENCHMARKS.glob("*.json")} == {*NAMES}
    for name in ("analysis", "learning", "simulation", "starting"):
        content = stored(f"benchmarks/results/{name}.json")
        page = (BENCHMARKS / f"{name}.md").read_text(encoding="utf-8")
        assert f"`{content['command']}`" in page
        for each in content["tables"]:
            assert Table(each["title"], each["rows"], each["notes"]).markdown() in page
    for name, table in (("training", training_table), ("recurrent", recurrent_table)):
        rows = stored(f"benchmarks/results/{name}.json")["rows"]
        assert table(rows) == (BENCHMARKS / f"{name}.md").read_text(encoding="utf-8")


def rows_of(name: str) -> list[list[str]]:
    """Return the cells of a table of analysis.md, without its heads."""
    part = re.search(
        rf"<!-- table: {name} -->\n(.*?)<!-- end -->", text("docs/analysis.md"), re.DOTALL
    )
    assert part is not None, name
    lines = [line for line in part[1].splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    rows = [[cell.strip() for cell in row] for row in cells]
    heads = {place - 1 for place, row in enumerate(rows) if set(row) == {"---"}}
    return [row for place, row in enumerate(rows) if not {place, place - 1} & heads]


def test_tables_of_the_analysis_are_complete() -> None:
    calls = [row[0].strip("`").partition("(")[0] for row in rows_of("functions")]
    assert len(calls) > 80
    assert sorted(calls) == sorted({*analysis.__all__} - {"exports", "plots"})  # folders
    assert all(len(row[1]) > 10 for row in rows_of("functions"))
    drawn = {name for name in plots.__all__ if name not in {"print_style", "save_figure", "to_svg"}}
    assert len(drawn) > 4
    assert drawn <= {row[0].strip("`") for row in rows_of("pictures")}


def test_definitions_of_the_analysis_are_complete() -> None:
    rows = {row[0].strip("`"): row for row in rows_of("definitions")}
    assert list(rows) == list(analysis.DEFINITIONS)
    for name, each in analysis.DEFINITIONS.items():
        definition = rows[name][3].replace(r"\|", "|")
        assert definition.startswith(each.text)
        assert each.undefined in definition
        assert rows[name][2] in {each.units, ""}


def test_references_are_cited_with_their_verification() -> None:
    rows = rows_of("references")
    assert len(rows) == len(analysis.references()) > 10
    for row, each in zip(rows, analysis.references(), strict=True):
        assert row[:2] == [f"`{each.statistic}`", each.range]
        assert f"https://doi.org/{each.doi}" in row[4]
        assert row[5].startswith("yes: " if each.verified else "**no**")
    assert any(row[5].startswith("**no**") for row in rows)


def test_a_new_function_without_a_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "__all__", [*analysis.__all__, "something_new"])
    with pytest.raises(SystemExit, match="something_new"):
        make_analysis.functions()


def test_page_has_the_numbers_of_the_demo() -> None:
    page = text("docs/demo.md")
    flat = " ".join(page.split())
    content = stored("docs/results/demo.json")
    assert content["command"] == "bioae demo --out bioae-demo"
    demo = content["summary"]
    for name, (label, *_) in RUNS.items():
        found = demo["networks"][name]
        row = (
            f"| {label} | {found['error']:.1f} | {found['dead'] * 100:.0f} % "
            f"| {found['bursting'] * 100:.0f} % | {found['density']:.3f} |"
        )
        assert row in page
    for label, name in (("the mean image", "mean_image"), ("all zero", "all_zero")):
        assert f"| {label} | {demo['predictors'][name]:.1f} | | | |" in page
    assert f"{demo['spikes']:,} spikes" in flat
    assert f"; {demo['differing_spikes']} of them differ" in flat
    assert f"On {demo['images']} held-out digits" in flat


def test_page_has_the_times_of_the_benchmark() -> None:
    page = text("docs/performance.md")
    flat = " ".join(page.split())
    content = stored("benchmarks/results/simulation.json")
    tables = {
        table["title"]: {row["what"]: row for row in table["rows"]} for table in content["tables"]
    }
    notes = " ".join(note for table in content["tables"] for note in table["notes"])
    for title, row in (
        ("stride 1, 13.3 M synapses", "13.3 million synapses, density 0.0485"),
        ("stride 2, 0.6 M synapses", "0.6 million synapses, density 0.0461"),
    ):
        medians = {what: each["median"] for what, each in tables[f"{title}: libraries"].items()}
        peer = min(medians[name] for name in ("snntorch", "spikingjelly", "norse"))
        assert f"density: {row.rpartition(' ')[2]} " in notes
        times = (medians["Brian2 C++, 2 workers"], medians["Brian2 C++, 1 worker"], peer)
        digits = (1, 1, 1) if times[0] > 1 else (2, 2, 2)
        cells = [f"{value:.{places}f} ms" for value, places in zip(times, digits, strict=True)]
        assert f"| {row} | {' | '.join(cells)} |" in page
    plain = tables["stride 1, 13.3 M synapses: plain synapses"]
    faster = plain["plain Synapses"]["median"] / plain["shared weights"]["median"]
    smaller = plain["shared weights"]["megabytes"] / plain["plain Synapses"]["megabytes"]
    assert f"{faster:.0f} times the images per second in {smaller:.2f} of the memory" in flat
    assert "0 of 847,202 spikes differ" in notes
    assert "0 of 847,202 spikes differ" in flat


def test_readme_has_what_a_newcomer_asks_in_two_minutes() -> None:
    parts = (
        "# bioae", "![", "## Install", "make demo", "```python", "## Commands", "## Learn more",
        "## Results", "## Limits", "## Licence and citation",
    )  # fmt: skip
    assert all(a < b for a, b in pairwise(README.index(part) for part in parts))
    assert 60 < len(README.splitlines()) < 110
    assert "docs/images/demo.png" in README
    assert 10_000 < (ROOT / "docs/images/demo.png").stat().st_size < 200_000


def names_of_methods() -> tuple[set[str], set[str]]:
    paragraph = text("docs/neuron-models.md").split("`method` is one of")[1].split("\n\n")[0]
    return set(re.findall(r"`(\w+)`", paragraph)), set(methods())


def keys_of_training() -> tuple[set[str], set[str]]:
    part = text("docs/training.md").split("## `[training]`")[1].split("\n## ")[0]
    keys = set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE))
    return keys, set(OptimisationConfig.model_fields)


def versions_of_python() -> tuple[set[str], set[str]]:
    workflow = text(".github/workflows/test.yml").split("matrix:")[1].split("\n")[1]
    classifiers = tomllib.loads(text("pyproject.toml"))["project"]["classifiers"]
    allowed = {name.rpartition(" ")[2] for name in classifiers if " :: Python :: 3." in name}
    return set(re.findall(r"3\.\d+", workflow)), allowed


def version_of_the_package() -> tuple[set[str], set[str]]:
    cited = re.findall(r"^version: (.+)$", text("CITATION.cff"), re.MULTILINE)
    return set(cited), {tomllib.loads(text("pyproject.toml"))["project"]["version"]}


@pytest.mark.parametrize(
    "names", [names_of_methods, keys_of_training, versions_of_python, version_of_the_package]
)
def test_names_on_both_sides(names: Callable[[], tuple[set[str], set[str]]]) -> None:
    written, defined = names()
    assert written == defined
    assert written
