"""Tables of the benchmark of the analysis, on small results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmarks.analysis import large
from benchmarks.random_results import RandomSpikes, random_result, write_random_result
from bioae.analysis import open_result, rate_per_step

SMALL = RandomSpikes(6, 40, 30, 0.1)


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_large_table_has_time_and_memory() -> None:
    table = large(SMALL, runs=1)
    assert table.row("all")["megabytes"] > 0
    assert table.median("all") > table.median("information") > 0
    assert "is below 4,096" in "".join(table.notes)
