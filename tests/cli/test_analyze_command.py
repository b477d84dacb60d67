"""``bioae analyze``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from bioae.cli import main

Run = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def stored(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored") / "stored.nc"
    command = ["simulate", str(tiny_model), "--out", str(path), "--limit", "3"]
    assert main([*command, "--target", "numpy"]) == 0
    return path


@pytest.fixture
def result(stored: Path, here: Path) -> Path:
    """A result in the working directory."""
    return Path(shutil.copy(stored, here / "r.nc"))


@pytest.mark.medium
@pytest.mark.usefixtures("result")
def test_the_numbers_as_json(run: Run, here: Path) -> None:
    done = run("analyze", "r.nc", "--out", "out", "--json")
    assert (done.status, done.err) == (0, "")
    numbers = json.loads(done.out)
    assert numbers == json.loads((here / "out" / "statistics.json").read_text())
    assert numbers["results"]["r"]["layers"]["output"]["spikes"] > 100
    assert (here / numbers["report"]).is_file()
    assert numbers["figures"]
    assert all((here / figure).is_file() for figure in numbers["figures"])


@pytest.mark.medium
@pytest.mark.usefixtures("result")
def test_an_earlier_report_is_kept_unless_overwritten(
    run: Run, refused: Refused, here: Path
) -> None:
    (here / "out" / "figures").mkdir(parents=True)
    (here / "out" / "report.html").write_text("mine")
    assert refused("analyze", "r.nc", "--out", "out").startswith(
        "out/report.html: the output exists already and was kept"
    )
    done = run("analyze", "r.nc", "--out", "out", "--overwrite", "--layers", "latent")
    assert (done.status, done.err) == (0, "")
    assert "latent" in done.out
    assert "output" not in done.out
    assert done.out.splitlines()[-1] == "Report: out/report.html"
    assert (here / "out" / "report.html").read_text() != "mine"


@pytest.mark.medium
def test_files_that_are_no_results(refused: Refused, here: Path, result: Path) -> None:
    whole = result.read_bytes()
    (here / "cut.nc").write_bytes(whole[: len(whole) // 2])
    (here / "empty.nc").touch()
    with h5py.File(here / "foreign.nc", "w") as file:
        file["x"] = [1, 2, 3]
    shutil.copy(result, here / "newer.nc")
    with h5py.File(here / "newer.nc", "a") as file:
        file.attrs["schema_version"] = 9
    for name in ("cut.nc", "empty.nc", "foreign.nc", "newer.nc", "missing.nc", "."):
        line = refused("analyze", name, "--out", "out")
        assert line.startswith(f"{name}: ")
        # One bad file among good ones stops everything, before anything is written.
        assert refused("analyze", "r.nc", name, "--out", "out") == line


@pytest.mark.usefixtures("result")
def test_results_and_outputs_that_do_not_fit(refused: Refused, here: Path) -> None:
    (here / "file").write_text("mine")
    assert "r.nc" in refused("analyze", "r.nc", "r.nc", "--out", "out")
    assert "RESULTS" in refused("analyze", "--out", "out")
    assert "--out" in refused("analyze", "r.nc")
    assert "'none'" in refused("analyze", "r.nc", "--out", "out", "--layers", "latent,none")
    for out in ("file", "file/out", "/proc/out"):
        assert out in refused("analyze", "r.nc", "--out", out, "--overwrite")


@pytest.mark.medium
def test_a_table_of_spikes(run: Run, refused: Refused, here: Path) -> None:
    rows = "".join(f"{k % 7},{0.003 * k:.4f}\n" for k in range(300))
    (here / "spikes.csv").write_text(f"neuron,time\n{rows}")
    done = run("analyze", "spikes.csv", "--out", "out", "--duration", "1", "--neurons", "8")
    assert (done.status, done.err) == (0, "")
    assert "of 1 s\nRecorded: spikes. Examples are trials" in done.out
    assert "burst index" in done.out
    assert "bursting neurons" not in done.out  # 5 kHz
    numbers = json.loads((here / "out" / "statistics.json").read_text())
    assert numbers["layers"]["neurons"]["dead_fraction"] == 1 / 8
    assert {"raster-1-spikes.png", "intervals.png", "irregularity.png", "rates.png"} <= {
        path.name for path in (here / "out" / "figures").iterdir()
    }
    rows = "".join(f"0,{k / 10}\n" for k in range(100))  # saturated
    (here / "all.csv").write_text(f"neuron,time_ms\n{rows}")
    done = run("analyze", "all.csv", "--out", "all", "--trials", "2", "--start", "0.001")
    assert "trials: 2, of 0.005 s" in done.out
    assert "all: from 1 to 5 ms of each example" in done.out
    assert "bursting neurons" in done.out
    assert refused("analyze", "none.csv", "--out", "new").startswith("none.csv: ")
    assert "--dt" in refused("analyze", "none.nc", "--out", "new", "--dt", "0.001")
