"""``bioae fit``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/adex_cell.csv"


@pytest.mark.medium
def test_a_fit_is_scored_and_written(run: Callable[..., Any], here: Path) -> None:
    lines = EXAMPLE.read_text().splitlines()[1:3001]
    rows = [line.split(",", 1)[1] for line in lines]
    (here / "cell.csv").write_text("\n".join(["I_inj,v,spikes", *rows]))
    table = ("cell.csv", "--column", "input=I_inj", "--unit", "input=nA,voltage=mV", "--dt")
    free = ("--free", "C=[100*pF,500*pF],b", "--known", "width=0.01", "--starts", 1,
            "--leave-out", "[0*ms,5*ms]")  # fmt: skip
    command = ("fit", "adex", *table, "0.1*ms", *free, "--split", "200*ms")
    done = run(*command, "--out", "my.toml", "--report", "fit.html")
    assert (done.status, done.err) == (0, "")
    assert "pF" in done.out.split("\n  C ")[1].splitlines()[0]
    page = Path("fit.html").read_text(encoding="utf-8")
    assert "1 of 1 starts agree" in page.split("</h1>")[0]
    assert page.count("<figure>") == 4
    fired = [n * 1e-4 for n, row in enumerate(rows) if row.endswith(",1")]
    assert len(fired) > 1
    (here / "times.txt").write_text("\n".join(map(str, fired)))
    (here / "cell.csv").write_text("\n".join(["I_inj,v", *(row[:-2] for row in rows)]))
    assert run(*command, "--spikes", "times.txt", "--out", "again.toml").err == ""
    assert Path("again.toml").read_text() == Path("my.toml").read_text()
    done = run(*command, "--spikes", "times.txt", "--json")
    found = json.loads(done.out)
    assert found["parameters"]["C"]["high"] == pytest.approx(500e-12)
    assert found["scores"].keys() == {"fit", "test"}
    assert found["aic"] == pytest.approx(6 - 2 * found["log_likelihood"])  # of C, b and the noise
    assert run("parity", "my.toml", "--target", "numpy", "--steps", 50).status == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--free", "C=[1*pF"), "--free"),
        (("--free", "C,C"), "'C'"),
        (("--leave-out", "[0*ms]"), "--leave-out"),
        (("--lapse", "2"), "lapse"),
        (("--free", "Q=[1,2]"), "'Q'"),
        (("--free", "C=[1*mV,2*mV]"), "bounds of C"),
        (("--split", "7*second"), "7*second"),
        (("--input", "J"), "'J'"),
        (("--known", "gain"), "--known"),
        (("--spikes", EXAMPLE), "number per line"),
        (("--spikes", "none.txt"), "none.txt"),
    ],
)
def test_bad_input(refused: Callable[..., str], options: Any, named: str) -> None:
    assert named in refused("fit", "adex", EXAMPLE, *options)
    assert "--dt" in refused("fit", "adex", "cell.abf", "--dt", "1*ms")
