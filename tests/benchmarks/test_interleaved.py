"""Work that is timed in turns."""

from __future__ import annotations

from functools import partial

from benchmarks.interleaved import summarised, turns


def test_every_round_times_all_and_nobody_always_comes_first() -> None:
    order: list[str] = []
    works = {name: partial(order.append, name) for name in "ab"}
    ticks = iter(range(100))
    times = turns(works, runs=3, clock=lambda: float(next(ticks)))
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert times == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_medians_and_spread() -> None:
    row = summarised({"a": [3.0, 1.0, 2.0]}, unit="ms", per=0.5)["a"]
    assert (row.what, row.unit, row.runs) == ("a", "ms", 3)
    assert (row.median, row.lowest, row.highest) == (4.0, 2.0, 6.0)
