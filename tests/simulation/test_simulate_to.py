"""Results that are written piece by piece are the files of results written at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae import simulate, simulate_to
from bioae.analysis import open_result
from bioae.networks import Network
from bioae.simulation import Backend, LayerSpikes, build_result, write_result
from bioae.simulation.results import netcdf
from bioae.simulation.results.netcdf import in_steps, write_pieces
from bioae.simulation.results.tree import group_of

EXAMPLES, STEPS, NEURONS = 7, 5, 6


def tree(spikes: NDArray[np.bool_], first: int = 0) -> xr.DataTree:
    """Return a result of one layer, spikes (example, step, neuron)."""
    example, step, neuron = np.nonzero(spikes)
    count = len(spikes)
    numbers = np.arange(first, first + count)
    images = np.broadcast_to(numbers[:, None, None, None] / 10, (count, 1, 2, 3))
    state = np.broadcast_to(numbers[:, None, None], (count, STEPS, NEURONS)) * 1.5
    layer = LayerSpikes.of(
        "a", (1, 2, 3), states={"v": (state, "mV")},
        example=example, step=step, neuron=neuron, examples=count, steps=STEPS,
    )  # fmt: skip
    return build_result(
        images=images, reconstruction=images / 2, example=numbers, layers=[layer], dt_ms=1.0,
        steps=STEPS, target="numpy", seed=0, neuron_model="", network_sha256="", label=numbers % 3,
    )  # fmt: skip


class Part:
    """A result as one of several pieces."""

    def __init__(self, result: xr.DataTree) -> None:
        self.result = result
        self.groups = ["/", "/layers/a"]

    def sizes(self, group: str) -> dict[str, int]:
        return {str(name): size for name, size in self.dataset(group).sizes.items()}

    def dataset(self, group: str) -> xr.Dataset:
        data = group_of(self.result, group)
        return data if group == "/" else in_steps(data, self.result.attrs)


@pytest.mark.medium
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=settings.default.max_examples // 4,
)
@given(
    seed=st.integers(0, 99), density=st.sampled_from([0.0, 0.1, 1.0]),
    cuts=st.sets(st.integers(1, EXAMPLES - 1)), block=st.sampled_from([1, 50, 2**20]),
)  # fmt: skip
def test_the_file_does_not_depend_on_the_pieces(
    seed: int, density: float, cuts: set[int], block: int, tmp_path: Path
) -> None:
    spikes = np.random.default_rng(seed).random((EXAMPLES, STEPS, NEURONS)) < density
    whole, cut = tmp_path / "whole.nc", tmp_path / "cut.nc"
    parts = [
        Part(tree(spikes[start:stop], start))
        for start, stop in pairwise([0, *sorted(cuts), EXAMPLES])
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netcdf, "_BLOCK_BYTES", block)
        write_result(tree(spikes), whole, overwrite=True)
        write_pieces(parts, cut, overwrite=True)
    assert cut.read_bytes() == whole.read_bytes()
    xr.testing.assert_identical(open_result(cut), tree(spikes))


@pytest.mark.parametrize("dt_ms", [0.1, 1 / 3, 1.0])
@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_times_keep_their_bits(dt_ms: float, shift: float, tmp_path: Path) -> None:
    result = tree(np.ones((EXAMPLES, STEPS, NEURONS), bool))
    times = result["layers/a/spike_time_ms"]
    times[:] = times * dt_ms + shift
    result.attrs["dt_ms"] = dt_ms
    write_result(result, tmp_path / "r.nc")
    found = open_result(tmp_path / "r.nc")["layers/a/spike_time_ms"]
    assert found.to_numpy().tobytes() == times.to_numpy().tobytes()
    with open_result(tmp_path / "r.nc", lazy=True) as stored:
        encoding = stored["layers/a/spike_time_ms"].encoding
    assert ("scale_factor" in encoding) == (shift == 0)


@pytest.fixture(scope="module")
def whole(
    small: Network, images: NDArray[np.float64], tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The file of a result that is written at once."""
    path = tmp_path_factory.mktemp("whole") / "r.nc"
    result = simulate(varied(small), images, RECORDING, seed=3)
    assert int(result["/layers/output/spike_count"].sum()) > 0
    write_result(result, path)
    return path.read_bytes()


RECORDING = Backend("numpy", record=["v"])


def varied(network: Network) -> Network:
    """Give each neuron another time constant."""
    return network.with_spread({"tau": 0.1})


@pytest.mark.parametrize(
    "options", [{}, pytest.param({"chunk": 3, "workers": 2}, marks=pytest.mark.medium)], ids=str
)
def test_the_file_of_the_result(
    options: dict[str, Any], whole: bytes, small: Network, images: NDArray[np.float64],
    tmp_path: Path,
) -> None:  # fmt: skip
    written = tmp_path / "r.nc"
    reported: list[tuple[int, int]] = []
    simulate_to(
        written, varied(small), images, replace(RECORDING, **options), seed=3,
        progress=lambda done, of: reported.append((done, of)),
    )  # fmt: skip
    assert written.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["r.nc"]
    assert reported[-1] == (len(images), len(images))


@pytest.mark.medium
def test_at_most_a_chunk_is_in_memory(
    small: Network, images: NDArray[np.float64], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("bioae.simulation.run.join_chunks", refuse)
    simulate_to(tmp_path / "r.nc", small, images, Backend("numpy", chunk=2))
    assert (tmp_path / "r.nc").exists()
