"""The report and the command: complete, self-contained, and careful with what is there."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
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
from bioae.analysis.report.sources import named_sources
from bioae.cli.analyze import analyze as command
from bioae.errors import OutputError, ResultError
from bioae.simulation.results.netcdf import write_result

pytestmark = pytest.mark.medium

LINKING = {"src", "href", "srcset", "action", "data", "poster"}
VOID = {"meta", "link", "img", "br", "hr"}


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
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("report")
    metrics = folder / "metrics.jsonl"
    metrics.write_text('{"epoch": 1, "loss": 3.0}\n{"epoch": 2, "loss": 2.0}\n')
    analysis.write_report(
        folder / "report.html",
        {"mirror": analysis.example_result(), "<b>C++</b> & co": analysis.example_result(1)},
        title="A <script>title</script>",
        tables=[("Of the demo", [{"": "row", "differing spikes": 1234}])],
        metrics={"run": metrics},
        notes=["First note.", "Second & last."],
    )
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.mark.medium
def test_the_page_has_every_part(page: Page) -> None:
    for text in (
        "Of the demo",
        "1,234",
        "Reconstruction error",
        "baseline: mean image",
        "Firing: mirror",
        "Spikes of mirror (first) against <b>C++</b> & co (second)",
        "Inputs and reconstructions",
        "Spikes: <b>C++</b> & co",
        "Firing rates",
        "Training",
        "Second & last.",
        "dv/dt = -v/tau : 1",
    ):
        assert text in page.text, text
    assert page.tags.count("img") == 13


@pytest.mark.medium
def test_the_page_links_to_nothing_and_runs_nothing(page: Page) -> None:
    outside = [link for link in page.links if not link.startswith("#")]
    assert len(outside) == 14
    assert all(link.startswith("data:") for link in outside)
    assert "script" not in page.tags
    assert "b" not in page.tags


@pytest.mark.medium
def test_the_pictures_are_whole_drawings(page: Page) -> None:
    pictures = [link for link in page.links if link.startswith("data:image/svg+xml;base64,")]
    assert len(pictures) == 13
    for picture in pictures:
        root = ET.fromstring(base64.b64decode(picture.partition(",")[2]))
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 50


def test_a_report_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    with refused(OutputError, where=tmp_path / "report.html"):
        analysis.write_report(tmp_path / "report.html", {"a": analysis.example_result()}, title="t")
    assert (tmp_path / "report.html").read_text() == "mine"


@pytest.fixture
def small_results(tmp_path: Path) -> list[Path]:
    """Return the files of two results of one layer of five neurons."""
    paths = [tmp_path / "small" / f"{name}.nc" for name in ("a", "b")]
    paths[0].parent.mkdir()
    for seed, path in enumerate(paths):
        write_result(make(np.random.default_rng(seed).random((3, 20, 5)) < 0.3), path)
    return paths


@pytest.mark.medium
def test_every_figure_of_two_results_is_in_the_folder_and_on_the_page(
    analysed: tuple[Path, dict[str, Any]],
) -> None:
    out, numbers = analysed
    assert numbers["comparisons"][0]["layers"]["latent"]["differing"] == 209
    files = sorted(str(path) for path in (out / "figures").iterdir())
    assert files == sorted(numbers["figures"])
    assert len(files) == 24
    assert Page(Path(numbers["report"]).read_text(encoding="utf-8")).tags.count("img") == 12


@pytest.mark.medium
def test_the_command_prints_what_it_writes(
    tmp_path: Path,
    small_results: list[Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "new" / "out"
    files = []
    for place, source in zip(("one", "two"), small_results, strict=True):
        files.append(tmp_path / place / "r.nc")
        files[-1].parent.mkdir()
        shutil.copy(source, files[-1])
    assert command(files, out=out, json=True) == 0
    printed, errors = capsys.readouterr()
    numbers = json.loads(printed)
    assert errors == ""
    assert json.loads((out / "statistics.json").read_text(encoding="utf-8")) == numbers
    assert list(numbers["results"]) == ["one/r", "two/r"]
    monkeypatch.setenv("COLUMNS", "30")  # numbers are whole on a narrow terminal, too
    assert command(small_results[:1], out=tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert "mean rate per step" in printed
    assert f"Report: {tmp_path / 'out' / 'report.html'}\n" in printed


def kept(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()


@pytest.mark.medium
def test_an_earlier_analysis_is_kept_unless_it_may_be_replaced(
    tmp_path: Path, small_results: list[Path]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    analyze(small_results[:1], out=tmp_path)
    before = dict(kept(tmp_path))
    with refused(OutputError, where=tmp_path / "report.html"):
        analyze(small_results[1:], out=tmp_path)
    assert dict(kept(tmp_path)) == before
    analyze(small_results[1:], out=tmp_path, overwrite=True)
    after = dict(kept(tmp_path))
    assert after[str(tmp_path / "mine.txt")] == b"mine"
    assert after[str(tmp_path / "statistics.json")] != before[str(tmp_path / "statistics.json")]


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
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pairs", [[("a", "zz")], ["ab"], [("a",)], [3]])
def test_pairs_to_compare_are_checked_first(pairs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = analysis.example_result()
    monkeypatch.setattr(measures, "statistics", None)  # nothing is measured
    with refused(ResultError, "compare", expected="pairs of a, b"):
        measures.measure({"a": tree, "b": tree}, compare=pairs)
