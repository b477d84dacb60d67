"""The tree of statistics, its files, and nearly empty results."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from degenerate import RESULTS
from rasters import make
from refusals import refused

from bioae import analysis, analyze
from bioae.analysis import DEFINITIONS, example_result, layer_statistics, open_result, statistics
from bioae.errors import ResultError
from bioae.simulation.results.netcdf import write_result

#: The numbers of a layer that other programs may count on.
PROMISED = {
    "neurons", "examples", "rate_per_step_mean", "rate_hz_mean", "dead_fraction",
    "bursting_fraction", "rate_per_step_mean_alive", "isi_cv_mean", "isi_cv2_mean", "lv_mean",
    "fano_mean",
    "sparseness_lifetime", "sparseness_population", "pairwise_correlation_mean", "lognormal_ks",
}  # fmt: skip
#: Of these numbers a layer without a spike has a value, and it is 0 or a size.
OF_SILENCE = {
    "neurons", "examples", "spikes", "rate_per_step_mean", "rate_hz_mean", "rate_hz_median",
    "dead_fraction", "bursting_fraction", "active_fraction_mean", "silent_fraction",
}  # fmt: skip


def scalars(data: xr.Dataset) -> dict[str, float]:
    return {name: float(data[name]) for name in DEFINITIONS}


def test_the_numbers_of_a_layer_are_those_of_the_dense_raster() -> None:
    raster = np.random.default_rng(3).random((12, 30, 8)) < 0.3
    raster[:, :, 0] = False
    raster[:, ::3, 1] = True
    found = scalars(layer_statistics(make(raster), "latent"))
    count = raster.sum(1)
    intervals = [
        np.concatenate([np.diff(np.flatnonzero(train)) for train in raster[:, :, neuron]])
        for neuron in range(1, 8)
    ]
    fano = count[:, 1:].var(0, ddof=1) / count[:, 1:].mean(0)
    correlation = np.corrcoef(count[:, 1:].T)[np.triu_indices(7, 1)]
    expected = {
        "neurons": 8, "examples": 12, "spikes": raster.sum(), "rate_per_step_mean": raster.mean(),
        "rate_hz_mean": raster.mean() * 2000, "dead_fraction": 1 / 8,
        "rate_per_step_mean_alive": raster[:, :, 1:].mean(),
        "isi_cv_mean": np.mean([each.std() / each.mean() for each in intervals]),
        "fano_mean": fano.mean(), "pairwise_correlation_mean": correlation.mean(),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_the_tree_has_every_neuron_example_and_layer() -> None:
    tree = example_result()
    found = statistics(tree)
    assert found.attrs == tree.attrs
    assert list(found["layers"].children) == list(tree["layers"].children)
    xr.testing.assert_identical(
        found["sum_squared_error"].drop_vars("example"),
        analysis.sum_squared_error(tree).drop_vars("example"),
    )
    data = found["layers/conv"].to_dataset()
    for name, of in (("isi_cv", "neuron"), ("population_sparseness", "example")):
        assert data[name].dims == (of,)
        assert np.isfinite(data[name]).any()
    np.testing.assert_array_equal(data["isi_cv"], analysis.isi_cv(tree, "conv"))
    for name, array in data.data_vars.items():
        assert array.attrs["long_name"], name
    for name, definition in DEFINITIONS.items():
        assert data[name].attrs["definition"] == definition.text


def test_definitions_are_sentences_with_different_labels() -> None:
    assert set(DEFINITIONS) > PROMISED
    shown = {(each.label, each.units) for each in DEFINITIONS.values()}
    assert len(shown) == len(DEFINITIONS)
    assert all(each.text.endswith(".") for each in DEFINITIONS.values())


KINDS = [kind for kind in RESULTS if kind != "no examples"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_undefined_number_has_a_reason(kind: str) -> None:
    for name, array in layer_statistics(RESULTS[kind](), "latent").data_vars.items():
        assert np.isfinite(float(array)) != ("undefined" in array.attrs), name
        assert array.attrs.get("undefined") != "", name


def test_numbers_of_silence() -> None:
    data = layer_statistics(make(np.zeros((6, 20, 5), bool)), "latent")
    assert {name for name, value in scalars(data).items() if np.isfinite(value)} == OF_SILENCE
    assert {float(data[name]) for name in OF_SILENCE} == {0, 1, 5, 6}


@pytest.mark.medium
@pytest.mark.parametrize(
    "kinds",
    [["no spikes", "one neuron", "one step", "recording"],
     pytest.param(KINDS, marks=pytest.mark.slow)],
    ids=str,
)  # fmt: skip
def test_nearly_empty_results_are_analysed_and_compared(kinds: list[str], tmp_path: Path) -> None:
    found = analyze({kind: RESULTS[kind]() for kind in kinds}, out=tmp_path)
    assert json.loads((tmp_path / "statistics.json").read_text()) == found
    assert found["layers"] == found["results"][kinds[0]]["layers"]
    for kind in kinds:
        result = found["results"][kind]
        assert set(result["layers"]["latent"]) == set(DEFINITIONS)
        missing = {name for name, value in result["layers"]["latent"].items() if value is None}
        assert missing == set(result["undefined"]["latent"])
        assert {"mse", "sse_per_image", "mae"} < set(result.get("reconstruction", ())) or (
            kind == "recording"
        )
    assert ">nan<" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    for kind, comparison in zip(kinds[1:], found["comparisons"], strict=True):
        if kind == "one neuron":
            assert "layer sizes" in comparison["refused"]


def test_a_lazy_result_is_the_same_and_closes_its_file(tmp_path: Path) -> None:
    write_result(example_result(), tmp_path / "r.nc")
    with open_result(tmp_path / "r.nc", lazy=True) as lazy:
        assert not lazy["layers/conv"].to_dataset().variables["spike_neuron"]._in_memory
        xr.testing.assert_identical(statistics(lazy), statistics(open_result(tmp_path / "r.nc")))
    (tmp_path / "r.nc").unlink()


def test_damage_within_a_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    with h5py.File(path) as file:
        place = file["layers/conv/spike_neuron"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 40)
    with refused(ResultError, where=path):
        analyze([path], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
