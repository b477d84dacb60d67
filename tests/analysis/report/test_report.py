"""The report and the command: complete, self-contained, and careful with what is there."""

from __future__ import annotations

import base64
import csv
import json
from contextlib import redirect_stdout
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import xarray as xr
from rasters import make
from refusals import refused

from bioae import analysis, analyze
from bioae.analysis.report import measures
from bioae.analysis.report.lead import lead
from bioae.analysis.report.sources import named_sources
from bioae.cli.analyze import analyze as command
from bioae.errors import OutputError, ResultError
from bioae.simulation.results.netcdf import write_result

pytestmark = pytest.mark.medium

LINKING = {"src", "href", "srcset", "action", "data", "poster"}
MODEL = "dv/dt = -v/tau : 1"


class Page(HTMLParser):
    """Check that tags are closed in order, and collect text, tags and what is linked to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in LINKING]
        if tag not in {"meta", "link", "img", "br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def small(seed: int) -> xr.DataTree:
    """Return a result of one layer of five neurons."""
    return make(np.random.default_rng(seed).random((3, 20, 5)) < 0.3, neuron_model=MODEL)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("report")
    metrics = folder / "metrics.jsonl"
    metrics.write_text('{"epoch": 1, "loss": 3.0}\n{"epoch": 2, "loss": 2.0}\n')
    analysis.write_report(
        folder / "report.html", {"mirror": small(0), "<b>C++</b> & co": small(1)},
        title="A <script>title</script>",
        tables=[("Of the demo", [{"": "row", "differing spikes": 1234}])], metrics={"run": metrics},
        notes=["First note.", "Second & last."],
    )  # fmt: skip
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_lead_answers_in_sentences() -> None:
    *results, spikes = lead(analysis.measure({"a": small(0), "b": small(0)}))
    assert [text.split(" is ")[0] for text in results] == [
        f"The squared error of {n}" for n in "ab"
    ]
    assert spikes.startswith("Not one spike differs between a (")


def test_the_page_has_every_part(page: Page) -> None:
    for text in (
        "Of the demo", "1,234", "Reconstruction error", "baseline: mean image", "Firing: mirror",
        "Spikes of mirror (first) against <b>C++</b> & co (second)", "Inputs and reconstructions",
        "Spikes: <b>C++</b> & co", "Firing rates", "Training", "Second & last.", MODEL,
    ):  # fmt: skip
        assert text in page.text, text
    assert page.tags.count("img") == 13


def test_the_page_links_to_nothing_and_runs_nothing(page: Page) -> None:
    outside = [link for link in page.links if not link.startswith("#")]
    assert len(outside) == 14
    assert all(link.startswith("data:") for link in outside)
    assert "script" not in page.tags
    assert "b" not in page.tags


def test_the_pictures_are_whole_drawings(page: Page) -> None:
    pictures = [link for link in page.links if link.startswith("data:image/svg+xml;base64,")]
    assert len(pictures) == 13
    for picture in pictures:
        root = ET.fromstring(base64.b64decode(picture.partition(",")[2]))
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 50


@pytest.fixture
def small_results(tmp_path: Path) -> list[Path]:
    """Return the files of two small results."""
    paths = [tmp_path / "small" / f"{name}.nc" for name in ("a", "b")]
    paths[0].parent.mkdir()
    for seed, path in enumerate(paths):
        write_result(small(seed), path)
    return paths


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the command's analysis of two results, and the numbers it prints."""
    folder = tmp_path_factory.mktemp("analysed")
    files = [folder / name / "r.nc" for name in ("one", "two")]
    for seed, file in enumerate(files):
        file.parent.mkdir()
        write_result(analysis.example_result(seed), file)
    with redirect_stdout(StringIO()) as printed:
        assert command(files, out=folder / "new" / "out", json=True) == 0
    return folder / "new" / "out", json.loads(printed.getvalue())


def test_figures_are_in_the_folder_and_on_the_page(analysed: tuple[Path, dict[str, Any]]) -> None:
    out, numbers = analysed
    assert json.loads((out / "statistics.json").read_text(encoding="utf-8")) == numbers
    assert numbers["comparisons"][0]["layers"]["latent"]["differing"] == 209
    files = sorted(str(path) for path in (out / "figures").iterdir())
    assert files == sorted(numbers["figures"])
    assert len(files) == 24
    assert Page(Path(numbers["report"]).read_text(encoding="utf-8")).tags.count("img") == 12


def test_the_file_of_results_has_a_group_for_each(analysed: tuple[Path, dict[str, Any]]) -> None:
    out, _ = analysed
    expected = analysis.statistics(analysis.example_result(1))["layers/conv"].to_dataset()
    with xr.open_datatree(out / "statistics.nc", engine="h5netcdf") as found:
        assert found["one/r/layers/conv"].sizes == expected.sizes
        xr.testing.assert_equal(found["two/r/layers/conv"].to_dataset().load(), expected)


def test_the_tables_hold_what_the_statistics_do(analysed: tuple[Path, dict[str, Any]]) -> None:
    out, found = analysed
    tables = {
        path.stem: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for path in (out / "tables").iterdir()
    }
    assert set(tables) == {"layers", "neurons", "cortex", "differences"}
    assert len(tables["layers"]) == 6
    for row in tables["layers"]:
        numbers = found["results"][row["result"]]["layers"][row["layer"]]
        for name, value in numbers.items():
            assert row[name] == "" if value is None else float(row[name]) == value
    sizes = {"conv": 144, "latent": 10, "output": 144}
    assert len(tables["neurons"]) == 2 * sum(sizes.values())
    assert {row["verdict"] for row in tables["cortex"]} > {"not comparable"}
    conv = [row for row in tables["neurons"] if (row["result"], row["layer"]) == ("two/r", "conv")]
    expected = analysis.isi_cv(analysis.example_result(1), "conv").to_numpy()
    stored = [float(row["isi_cv"]) if row["isi_cv"] else np.nan for row in conv]
    np.testing.assert_array_equal(stored, expected)
    assert [int(row["channel"]) for row in conv] == np.repeat(range(4), 36).tolist()


def test_an_earlier_analysis_is_kept_or_replaced(tmp_path: Path, small_results: list[Path]) -> None:
    kept = {"mine.txt": "mine", "report.html": "an earlier one"}
    for name, text in kept.items():
        (tmp_path / name).write_text(text)
    with refused(OutputError, where=tmp_path / "report.html"):
        analyze(small_results[:1], out=tmp_path)
    found = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert found == kept
    analyze(small_results[:1], out=tmp_path, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert Page((tmp_path / "report.html").read_text(encoding="utf-8")).tags.count("img") > 5


def test_signals_and_outputs_in_time_are_drawn(tmp_path: Path) -> None:
    """Squares of the outputs are infinite, and so undefined."""
    output = np.full((3, 20, 2), 1e200)
    fields = {"images": np.zeros((3, 20, 2)), "output": output, "desired": -output}
    numbers = analyze(make(np.ones((3, 20, 5), bool), task="sequence", **fields), out=tmp_path)
    (result,) = numbers["results"].values()
    assert result["scores"]["mean_squared_error"]["value"] is None
    assert {"signals", "traces"} <= {path.stem for path in (tmp_path / "figures").iterdir()}


def test_every_result_keeps_its_name(tmp_path: Path, small_results: list[Path]) -> None:
    path = tmp_path / "result.nc"
    tree = analysis.open_result(small_results[0])
    files = [tmp_path / place / "run.nc" for place in ("result", "other")]
    for sources, names in (
        (tree, ["result"]),
        ([tree, path], ["result 1", "result"]),
        ([tree, *files], ["result 1", "result/run", "other/run"]),
        ([tree, tree], ["result 1", "result 2"]),
        ({1: tree, "b": path}, ["1", "b"]),
    ):
        assert [*named_sources(sources)] == names
    wrong: list[dict[Any, xr.DataTree]] = [
        {1: tree, "1": tree}, {"a": tree, "a/layers": tree}, {"a": tree, "./a": tree},
    ]  # fmt: skip
    for named in wrong:
        with refused(ResultError, "name"):
            analyze(named, out=tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_bad_results_write_nothing(tmp_path: Path, small_results: list[Path]) -> None:
    bad, good = tmp_path / "bad.nc", small_results[0]
    bad.write_bytes(good.read_bytes()[:2000])
    for paths, where in (([good, bad], bad), ([good, good], good), ([], None)):
        with refused(ResultError, where=where):
            analyze(paths, out=tmp_path / "out")
    with refused(ResultError, expected="at least one"):
        analyze(small(0).isel(example=[]), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pairs", [[("a", "zz")], ["ab"], [("a",)], [3]])
def test_pairs_to_compare_are_checked_first(pairs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = analysis.example_result()
    monkeypatch.setattr(measures, "statistics", None)  # nothing is measured
    with refused(ResultError, "compare", expected="pairs of a, b"):
        measures.measure({"a": tree, "b": tree}, compare=pairs)
