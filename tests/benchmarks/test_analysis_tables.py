"""Tables of the benchmark of the analysis, on small results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmarks import analysis
from benchmarks.analysis import compared_with_elephant, large
from benchmarks.random_results import RandomSpikes, random_result, write_random_result
from bioae.analysis import open_result, rate_per_step, statistics

SMALL = RandomSpikes(6, 40, 30, 0.1)


def test_a_result_written_in_pieces_has_the_density(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.random_results._SPIKES_PER_PIECE", 300)
    write_random_result(SMALL, tmp_path / "result.nc")
    tree = open_result(tmp_path / "result.nc")
    assert float(rate_per_step(tree, "latent").mean()) == pytest.approx(0.1, rel=0.15)
    pieces = [random_result(SMALL, start, start + 2) for start in (0, 2, 4)]
    counts = xr.concat([each["layers/latent/spike_count"] for each in pieces], "example")
    np.testing.assert_array_equal(tree["layers/latent/spike_count"], counts)


def test_parts_sum_to_the_total(tmp_path: Path) -> None:
    write_random_result(SMALL, tmp_path / "result.nc")
    with pytest.MonkeyPatch.context() as patch:
        for names in analysis._PARTS.values():
            for name in names:  # put back what is timed
                patch.setattr(f"bioae.analysis.measures.statistics.{name}", _of_firing(name))
        seconds = analysis._analysis(tmp_path / "result.nc")()
    whole = seconds.pop("all")
    assert whole == pytest.approx(sum(seconds.values()))
    assert all(value > 0 for value in seconds.values())
    assert "isi_cv_mean" in statistics(random_result(SMALL))["layers/latent"].data_vars


def _of_firing(name: str) -> object:
    from bioae.analysis.measures import statistics as firing

    return getattr(firing, name)


def test_the_large_table_has_time_and_memory() -> None:
    table = large(SMALL, runs=1)
    assert table.row("all")["megabytes"] > 0
    assert table.median("all") > table.median("information") > 0
    assert "is below 4,096" in "".join(table.notes)


@pytest.mark.medium
@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")
def test_elephant_agrees_in_every_row() -> None:
    table = compared_with_elephant(RandomSpikes(1, 20, 60, 0.1), runs=1, sample=5, lagged=9)
    assert len(table.rows) == 28
    for row in table.rows:
        assert row["difference"] <= 1e-9, row["what"]
    assert any(note.startswith("all agree") for note in table.notes)
    assert "| elephant s | bioae s |" in table.markdown()
