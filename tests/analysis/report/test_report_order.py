"""Order of the parts of a report."""

from __future__ import annotations

from pathlib import Path

from bioae.analysis import example_result, write_report


def test_figures_come_before_long_tables(tmp_path: Path) -> None:
    write_report(
        tmp_path / "report.html",
        {"a": example_result()},
        title="t",
        tables=[("The caller's table", [{"": "row", "value": 1}])],
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    parts = ("The caller&#39;s table", "<img", "Reconstruction error", "<h2>Origin</h2>")
    places = [html.index(part) for part in parts]
    assert places == sorted(places)
