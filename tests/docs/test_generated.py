"""The generators of pages run, and their tables are those of the committed pages."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import make_analysis
import make_experiments
import make_models
import make_operators
import make_synapses
import make_tables
import make_trained
import numpy as np
import pytest
from brian2 import SpikeMonitor, StateMonitor, prefs
from builders import dense, described
from model_pages import responses

import bioae
from bioae import analysis
from bioae.analysis import plots
from bioae.cli.demo_report import RUNS
from bioae.equations import available, load_neuron
from bioae.equations.grammar import SUPPORTED
from bioae.equations.lowering.checks import methods
from bioae.networks import trained
from bioae.networks.schedule import ScheduleName
from bioae.trainers.training.sections import OptimisationConfig
from experiments.runner import page
from experiments.runner.experiment import load as load_experiment

#: Pages on what experiments use.
TOOLS = ("baselines", "running", "spike-response", "synthetic-data")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def rows(content: str) -> list[list[str]]:
    """Return the cells of a page's tables."""
    lines = [line for line in content.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "page", "tables"),
    [
        (make_tables, "networks.md", 7),
        (make_tables, "graphs.md", 2),
        (make_tables, "encoders.md", 2),
        (make_tables, "neuron-models.md", 4),
        (make_tables, "tasks.md", 1),
        (make_analysis, "measures.md", 3),
        (make_trained, "trained-networks.md", 1),
    ],
)
def test_generated_tables(script: ModuleType, page: str, tables: int) -> None:
    content = text(f"docs/{page}")
    assert content.count("<!-- end -->") == tables
    assert rows(script.filled(content)) == rows(content), f"run python docs/{script.__name__}.py"


@pytest.mark.slow
def test_page_of_operators() -> None:
    assert make_operators.described() == set(SUPPORTED)
    assert rows(text("docs/operators.md")) == rows(make_operators.page())


@pytest.mark.slow
def test_pages_of_models() -> None:
    names = available()
    pages = {"index": make_models.index_page()}
    for name in names:
        model = load_neuron(name)
        numbers = responses.read(make_models.numbers_of(name))
        assert numbers["model_sha256"] == responses.digest(model), name
        pages[name] = make_models.page_of(model)
        picture, thumbnail = make_models.pictures_of(name)
        assert picture.exists()
        assert thumbnail.exists() == (model.threshold is not None)
    assert {path.stem for path in (DOCS / "models").iterdir()} == set(pages)
    for name, content in pages.items():
        assert rows(content) == rows(text(f"docs/models/{name}.md")), "run docs/make_models.py"
    assert set(make_synapses.numbers()["window"]) == set(make_synapses.ALONE)


@pytest.mark.slow
def test_pages_of_experiments() -> None:
    documents = list(make_experiments.documents())
    assert documents
    index = make_experiments.INDEX
    pages = {index: make_experiments.filled(index.read_text())}
    figures = set()
    for document in documents:
        assert f"<!-- table: {document.experiment} -->" in pages[index]
        experiment = load_experiment(document.experiment)
        assert not document.quick
        assert document.sizes == json.loads(json.dumps(experiment.sizes)), experiment.name
        path = make_experiments.PAGES / f"{experiment.name}.md"
        pages[path] = page.page_of(experiment, document)
        names = [f"{experiment.name}-{name}.svg" for name in experiment.figures]
        figures |= {make_experiments.PAGES / page.FIGURES / name for name in names}
    for path, content in pages.items():
        assert rows(content) == rows(path.read_text("utf-8")), "run docs/make_experiments.py"
    tools = {make_experiments.PAGES / f"{name}.md" for name in TOOLS}
    assert {*make_experiments.PAGES.glob("*.md")} == {*pages} | tools
    assert set((make_experiments.PAGES / page.FIGURES).iterdir()) == figures


@pytest.mark.slow
def test_page_has_the_numbers_of_the_demo() -> None:
    page = rows(text("docs/demo.md"))
    demo = json.loads(text("docs/results/demo.json"))["summary"]
    for name, (label, *_) in RUNS.items():
        found = demo["networks"][name]
        percent = [f"{found[key] * 100:.0f} %" for key in ("dead", "bursting")]
        assert [label, f"{found['error']:.1f}", *percent, f"{found['density']:.3f}"] in page


def test_every_function_of_the_analysis_is_in_its_reference() -> None:
    pages = (DOCS / "reference" / "analysis").glob("*.md")
    listed = {*re.findall(r"\w+", "".join(page.read_text(encoding="utf-8") for page in pages))}
    assert {*analysis.__all__, *plots.__all__} <= listed
    page = text("docs/measures.md")
    assert all(f"| `{name}` |" in page for name in analysis.DEFINITIONS)
    assert all(f"https://doi.org/{each.doi}" in page for each in analysis.references())


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


def trained_networks() -> tuple[set[str], set[str]]:
    headings = re.findall(r"^### (\S+)$", text("docs/trained-networks.md"), re.MULTILINE)
    return set(headings) & set(trained.available()), set(trained.available())


@pytest.mark.parametrize(
    "names", [names_of_methods, keys_of_training, versions_of_python, trained_networks]
)
def test_names_on_both_sides(names: Callable[[], tuple[set[str], set[str]]]) -> None:
    written, defined = names()
    assert written == defined
    assert written


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["paper", "brian2"])
def test_the_steps_in_timing_md_are_those_of_a_run(
    schedule: ScheduleName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    monkeypatch.setitem(prefs, "codegen.loop_invariant_optimisations", False)
    page = (ROOT / "docs/timing.md").read_text(encoding="utf-8")
    block = page.split(f"<!-- steps: {schedule} -->\n```text\n")[1].split("```")[0]
    printed = {name: row for name, *row in (line.split() for line in block.splitlines())}
    run = steps_of_a_run(schedule)
    assert len(printed["step"]) == len(run["layer1"])
    assert {name: printed[name] for name in run} == run


def steps_of_a_run(schedule: ScheduleName) -> dict[str, list[str]]:
    """Return the presentation and step of each population in each step, as text."""
    config = described(
        dense("layer1", 2), dense("layer2", 2), input_shape=[1, 1, 2], steps=3, schedule=schedule,
        encoder={"kind": "bernoulli", "rate": 1.0},
    )  # fmt: skip
    built = bioae.build(bioae.Network.initialise(config), presentations=2)
    clocks = {
        name: StateMonitor(
            population, ["bioae_presentation", "bioae_step"], record=[0], clock=population.clock
        )
        for name, population in built.populations.items()
    }
    emitted = SpikeMonitor(built.input)
    built.network.add(*clocks.values(), emitted)
    built.present(np.ones((2, 1, 1, 2)))
    built.run()
    rows = {
        name: [
            "·" if not 0 <= presentation < 2 else "L" if step < 0 else f"{presentation}:{step}"
            for presentation, step in zip(
                clock.bioae_presentation[0], clock.bioae_step[0], strict=True
            )
        ]
        for name, clock in clocks.items()
    }
    period = built.timing.period
    on = np.bincount(np.rint(emitted.t / built.input.clock.dt).astype(int), minlength=built.steps)
    shown = [f"{step // period}:{step % period}" if n else "·" for step, n in enumerate(on)]
    return {"input": shown, **rows}
