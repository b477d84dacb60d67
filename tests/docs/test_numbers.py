"""What README.md and docs/ state is what the stored results and the code say."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import SpikeMonitor, StateMonitor, prefs

import bioae
from bioae.analysis import example_result, write_report
from bioae.equations import NeuronModel
from bioae.equations.checks import methods
from bioae.networks.schedule import ScheduleName
from bioae.trainers import model_parity
from bioae.trainers.training.config_tables import OptimisationConfig

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = json.loads((ROOT / "docs/results/demo.json").read_text(encoding="utf-8"))


def test_the_demos_numbers_are_those_of_the_stored_result() -> None:
    assert DEMO["command"] == "bioae demo --out bioae-demo"
    demo = DEMO["summary"]
    for name in ("with regularisers", "without regularisers"):
        latent = demo["firing"][name]["latent"]
        row = (
            f"| {name} | {demo['error'][name]:.1f} | {latent['dead'] * 100:.0f} % "
            f"| {latent['bursting'] * 100:.0f} % | {latent['density']:.3f} |"
        )
        assert row in README
    for label, name in (("the mean image", "mean image"), ("all zero", "all zero")):
        assert f"| {label} | {demo['error'][name]:.1f} | | | |" in README
    flat = " ".join(README.split())
    assert f"{demo['spikes']:,} spikes" in flat
    assert f"; {demo['differing_spikes']} of them differ" in flat
    assert f"On {demo['images']} held-out digits" in flat


def test_the_times_are_those_of_the_stored_benchmark() -> None:
    stored = json.loads((ROOT / "benchmarks/results/simulation.json").read_text(encoding="utf-8"))
    tables = {
        table["title"]: {row["what"]: row for row in table["rows"]} for table in stored["tables"]
    }
    notes = " ".join(note for table in stored["tables"] for note in table["notes"])
    for title, row in (
        ("stride 1, 13.3 M synapses", "13.3 million synapses, density 0.0485"),
        ("stride 2, 0.6 M synapses", "the demo's network, density 0.0461"),
    ):
        found = {what: each["median"] for what, each in tables[f"{title}: libraries"].items()}
        peer = min(found[name] for name in ("snntorch", "spikingjelly", "norse"))
        assert f"density: {row.rpartition(' ')[2]} " in notes
        times = (found["Brian2 C++, 2 workers"], found["Brian2 C++, 1 worker"], peer)
        digits = (1, 1, 1) if times[0] > 1 else (2, 2, 2)
        cells = [f"{value:.{places}f} ms" for value, places in zip(times, digits, strict=True)]
        assert f"| {row} | {' | '.join(cells)} |" in README
    plain = tables["stride 1, 13.3 M synapses: plain synapses"]
    faster = plain["plain Synapses"]["median"] / plain["shared weights"]["median"]
    smaller = plain["shared weights"]["megabytes"] / plain["plain Synapses"]["megabytes"]
    flat = " ".join(README.split())
    assert f"{faster:.0f} times the images per second in {smaller:.2f} of the memory" in flat
    assert "0 of 847,202 spikes differ" in notes
    assert "0 of 847,202 spikes differ" in flat


def test_the_demo_is_the_one_that_is_shipped() -> None:
    text = (ROOT / "bioae/cli/demo.toml").read_text(encoding="utf-8")
    epochs = re.search(r"^epochs = (\d+)$", text, re.MULTILINE)
    assert epochs is not None
    assert f"for {epochs[1]} epochs" in " ".join(README.split())


def test_the_parts_come_in_the_order_of_a_newcomers_questions() -> None:
    parts = (
        "# bioae", "![", "make demo", "```python", "## Commands", "## Your own equations",
        "## What the demo shows", "## Limits", "## Requirements", "## Licence and citation",
    )  # fmt: skip
    places = [README.index(part) for part in parts]
    assert all(a < b for a, b in pairwise(places))


def test_the_picture_is_small_enough_to_load_at_once() -> None:
    picture = ROOT / "docs/images/demo.png"
    assert "docs/images/demo.png" in README
    assert 10_000 < picture.stat().st_size < 200_000


@pytest.mark.parametrize(("name", "generated"), [("networks.md", 7), ("neuron-models.md", 3)])
def test_the_generated_parts_of_a_page_are_those_of_the_code(name: str, generated: int) -> None:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs/make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert page.count("<!-- end -->") == generated
    assert tables.filled(page) == page, "run python docs/make_tables.py"


@pytest.mark.parametrize("place", [0, 1])
def test_the_neuron_models_of_the_page_work_on_both_sides(place: int) -> None:
    page = (ROOT / "docs/neuron-models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    model = NeuronModel.from_mapping("mine", tomllib.loads(blocks[place]), where="the page")
    found = model_parity(model, steps=100, neurons=30, examples=2)
    assert found.active_fraction >= 0.5
    assert found.passed


def test_the_page_names_every_method_that_a_model_may_ask_for() -> None:
    page = (ROOT / "docs/neuron-models.md").read_text(encoding="utf-8")
    paragraph = page.split("`method` is one of")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) == set(methods())


def test_the_page_of_training_has_every_key() -> None:
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    part = page.split("## `[training]`")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == set(
        OptimisationConfig.model_fields
    )


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
    """Return for each population and step the presentation and step that it is at, as text."""
    layers: list[dict[str, Any]] = [
        {"kind": "dense", "name": name, "units": 2} for name in ("layer1", "layer2")
    ]
    config = bioae.NetworkConfig.from_mapping(
        {"input_shape": [1, 1, 2], "steps": 3, "schedule": schedule, "layers": layers}
        | {"encoder": {"kind": "bernoulli", "rate": 1.0}},
        where="the network of the page",
    )
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


def test_a_report_is_looked_at_before_it_is_read(tmp_path: Path) -> None:
    write_report(
        tmp_path / "report.html",
        {"a": example_result()},
        title="t",
        tables=[("The caller's table", [{"": "row", "value": 1}])],
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    parts = ("The caller&#39;s table", "<img", "Reconstruction error", "Where the results come")
    places = [html.index(part) for part in parts]
    assert places == sorted(places)
