"""Interleaved timing, and stored results that a new run replaces or continues."""

from __future__ import annotations

import importlib
import json
from functools import partial
from pathlib import Path

import pytest

from benchmarks.interleaved import interleaved
from benchmarks.starting import first_result_seconds
from benchmarks.stored import Stored, Table, pending_tables, write_table

BENCHMARKS = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py")
    if "if __name__ ==" in path.read_text(encoding="utf-8")
)


def test_every_round_times_all_and_every_second_one_is_reversed() -> None:
    order: list[str] = []
    works = {name: partial(order.append, name) for name in "ab"}
    ticks = iter(range(100))
    times = interleaved(works, runs=3, clock=lambda: float(next(ticks)))
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert times == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_rows_are_measured_again_unless_resumed(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    keys = [{"threads": 1}, {"threads": 2}]
    first = Stored(path, "command", ["numpy"])
    assert [*first.pending(keys, resume=False)] == keys
    first.add({"threads": 1, "median": 1.0}, {"threads": 1, "median": 2.0})  # then interrupted

    assert [*Stored(path, "command").pending(keys, resume=True)] == keys[1:]
    assert len(Stored(path, "command").rows) == 2
    again = Stored(path, "command", ["numpy"])
    assert [*again.pending(keys, resume=False)] == keys
    assert json.loads(path.read_text())["rows"] == []  # nothing older survives an interruption
    again.add({"threads": 1, "median": 3.0})
    assert json.loads(path.read_text())["rows"] == [{"threads": 1, "median": 3.0}]


def test_tables_are_measured_again_unless_resumed(tmp_path: Path) -> None:
    titles = ["one", "two"]
    pending = partial(pending_tables, "result", titles, folder=tmp_path)
    assert [*pending(resume=False)] == titles
    row = {"what": "w", "unit": "s", "median": 1.0, "lowest": 1.0, "highest": 1.0}
    for title in ("one: of digits", "three"):
        write_table("result", "command", Table(title, [row]), folder=tmp_path)
    assert [*pending(resume=True)] == ["two"]
    assert [*pending(resume=False)] == titles
    assert [*pending(resume=True)] == titles
    assert [t["title"] for t in json.loads((tmp_path / "result.json").read_text())["tables"]] == [
        "three"
    ]
    assert "## three" in (tmp_path / "result.md").read_text()


@pytest.mark.slow
def test_time_to_the_first_result(tmp_path: Path) -> None:
    assert first_result_seconds("numpy", tmp_path) > 0


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_can_be_resumed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BENCHMARKS) >= 10
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(f"benchmarks.{name}").main()
    assert "--resume" in capsys.readouterr().out
