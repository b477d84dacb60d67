"""Results of networks with a layer that cannot fire, whose potential is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rasters import make
from refusals import refused

from bioae import analysis, analyze
from bioae.analysis import plots
from bioae.cli.analyze import analyze as command
from bioae.errors import ResultError
from bioae.simulation import LayerSpikes, check_result, write_result

NOTE = "output does not fire: its potential is read."


def spiking(name: str, neurons: int, seed: int = 0) -> LayerSpikes:
    """Return a layer of six presentations of 24 steps that fires at random."""
    raster = np.random.default_rng(seed).random((6, 24, neurons)) < 0.2
    example, step, neuron = np.nonzero(raster)
    return LayerSpikes.of(
        name, (neurons,), example=example, step=step, neuron=neuron, examples=6, steps=24
    )


def readout(*, can_fire: bool = False) -> LayerSpikes:
    """Return a layer of ten neurons without a spike."""
    return LayerSpikes(
        "output", (10,), np.empty(0, np.int32), np.zeros((6, 24), np.int32), can_fire=can_fire
    )


def built(*layers: LayerSpikes) -> xr.DataTree:
    fields = {"task": "classification", "output": np.eye(6), "label": np.arange(6)}
    return make(np.zeros((6, 24, 1), bool), layers=layers, **fields)


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    """A classifier of two layers that fire, and a read-out."""
    return built(spiking("first", 8), spiking("second", 5, seed=2), readout())


def test_a_layer_says_whether_it_can_fire(tree: xr.DataTree, tmp_path: Path) -> None:
    write_result(tree, tmp_path / "r.nc")
    for found in (tree, analysis.open_result(tmp_path / "r.nc"), tree.isel(example=slice(2))):
        assert analysis.layer_names(found) == ["first", "second", "output"]
        assert analysis.firing_layers(found) == ["first", "second"]
    assert analysis.open_result(tmp_path / "r.nc").identical(tree)
    # A layer that could have fired, and did not, is silent.
    assert (
        analysis.firing_layers(built(spiking("first", 8), readout(can_fire=True)))[-1] == "output"
    )


def test_in_older_files_all_layers_can_fire(tree: xr.DataTree) -> None:
    older = tree.copy()
    for layer in older["layers"].children.values():
        del layer.attrs["can_fire"]
    check_result(older)
    assert analysis.firing_layers(older) == analysis.layer_names(tree)
    assert list(analysis.summary(older)["layer"]) == analysis.layer_names(tree)


@pytest.mark.parametrize("value", [2, -1, 0.5, "no", np.array([1, 0]), np.float64(0)])
def test_other_values_are_refused(tree: xr.DataTree, value: object) -> None:
    foreign = tree.copy()
    foreign["layers/output"].attrs["can_fire"] = value
    where = "result, layer 'output', attribute 'can_fire'"
    with refused(ResultError, where=where, expected="1 or 0", found=str(value)):
        check_result(foreign)


def test_spikes_without_a_threshold_are_refused(tree: xr.DataTree, tmp_path: Path) -> None:
    layer = spiking("output", 10)
    wrong = LayerSpikes("output", (10,), layer.neuron, layer.counts, can_fire=False)
    with refused(ResultError, "output"):
        built(wrong)
    foreign = tree.copy()
    foreign["layers/first"].attrs["can_fire"] = 0
    with refused(ResultError, where="result, layer 'first'"):
        write_result(foreign, tmp_path / "r.nc")


def test_statistics_leave_it_out(tree: xr.DataTree) -> None:
    alone = built(spiking("first", 8), spiking("second", 5, seed=2))
    assert analysis.summary(tree).identical(analysis.summary(alone))
    assert analysis.statistics(tree)["layers"].identical(analysis.statistics(alone)["layers"])
    assert analysis.firing_change(tree, tree).identical(analysis.firing_change(alone, alone))
    assert analysis.compare(tree, tree).identical(analysis.compare(alone, alone))
    with pytest.raises(KeyError, match="'layer'"):
        analysis.summary(tree).sel(layer="output")


def test_a_layer_that_fires_after_a_change(tree: xr.DataTree) -> None:
    after = built(spiking("first", 8), spiking("second", 5), spiking("output", 10))
    for changed in (analysis.firing_change(tree, after), analysis.firing_change(after, tree)):
        assert list(changed["layer"]) == analysis.layer_names(tree)
    changed = analysis.firing_change(tree, after)["rate_hz_mean_before"].to_numpy()
    assert np.isfinite(changed).tolist() == [True, True, False]
    assert np.isfinite(analysis.firing_change(tree, after)["rate_hz_mean_after"]).all()


@pytest.mark.parametrize(
    "function",
    [
        analysis.neuron_statistics, analysis.example_statistics, analysis.layer_statistics,
        analysis.neuron_frame, analysis.to_neo,
    ],
)  # fmt: skip
def test_functions_of_a_layer_refuse_it(tree: xr.DataTree, function: Any) -> None:
    with refused(ResultError, "output", expected="'first' or 'second'"):
        function(tree, "output")


def test_exports_leave_it_out(tree: xr.DataTree, tmp_path: Path) -> None:
    frames = analysis.to_pandas(tree)
    for name in ("spikes", "neurons", "layers"):
        assert sorted(frames[name]["layer"].unique()) == ["first", "second"]
    with refused(ResultError, "output"):
        analysis.to_pandas(tree, ["output"])


def test_figures_leave_it_out(tree: xr.DataTree) -> None:
    figure = plots.rasters(tree)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert [title.partition(":")[0] for title in titles] == ["first", "second"]
    # Who names the layer gets its panel.
    assert len(plots.rasters(tree, layers=["output"]).axes) == 1


@pytest.mark.medium
def test_the_report_says_so_once(
    tree: xr.DataTree,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "50")  # numbers are whole on a narrow terminal, too
    for name in ("a.nc", "b.nc"):
        write_result(tree, tmp_path / name)
    files = [tmp_path / "a.nc", tmp_path / "b.nc"]
    assert command(files, out=tmp_path / "out") == 0
    printed = capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert printed.count(NOTE) == page.count(NOTE) == 1
    for text in (printed, page):
        assert "undefined in output" not in text
    assert "…" not in printed
    assert "mean rate per step" in printed
    assert f"Report: {tmp_path / 'out' / 'report.html'}\n" in printed
    numbers = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert list(numbers["layers"]) == ["first", "second"]
    assert numbers["results"]["b"]["not_firing"] == ["output"]
    assert list(numbers["comparisons"][0]["layers"]) == analysis.layer_names(tree)
    with xr.open_datatree(tmp_path / "out" / "statistics.nc", engine="h5netcdf") as stored:
        assert list(stored["a/layers"].children) == ["first", "second"]


@pytest.mark.slow
def test_a_network_of_a_read_out_alone(tmp_path: Path) -> None:
    """Nothing fires, and nothing fails."""
    tree = built(readout())
    table = analysis.summary(tree)
    assert table.sizes == {"layer": 0}
    assert "dead_fraction" in table
    assert "undefined" not in str(analysis.statistics(tree))
    assert analysis.firing_change(tree, tree).sizes == {"layer": 0}
    with refused(ResultError, where="layers", expected="one that can fire"):
        plots.rasters(tree)
    write_result(tree, tmp_path / "r.nc")
    numbers = analyze([tmp_path / "r.nc"], out=tmp_path / "out")
    assert numbers["layers"] == {}
    assert numbers["results"]["r"]["not_firing"] == ["output"]
    assert numbers["results"]["r"]["scores"]["accuracy"]["value"] == 1
    assert NOTE in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
