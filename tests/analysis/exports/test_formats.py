"""Exports are read back as the same result."""

from __future__ import annotations

import errno
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from rasters import Raster, make, rasters
from refusals import refused

from bioae import analysis
from bioae.errors import LibraryError, OutputError, ResultError

RASTERS = rasters()


@given(raster=RASTERS)
def test_neo_holds_every_spike_of_every_train(raster: Raster) -> None:
    block = analysis.to_neo(make(raster), "latent")
    examples, steps, neurons = raster.shape
    assert len(block.segments) == examples
    back = np.zeros_like(raster)
    for i, segment in enumerate(block.segments):
        assert (segment.annotations["example"], len(segment.spiketrains)) == (i, neurons)
        for j, train in enumerate(segment.spiketrains):
            assert train.annotations["neuron"] == j
            assert float(train.t_stop.rescale("ms")) == pytest.approx(steps * 0.5)
            back[i, np.rint(train.rescale("ms").magnitude / 0.5).astype(int), j] = True
            assert train.size == raster[i, :, j].sum()
    np.testing.assert_array_equal(back, raster)


def test_neo_has_the_places_of_neurons_and_the_images() -> None:
    tree = analysis.example_result()
    block = analysis.to_neo(tree, "conv", examples=[107, 103], silent=False)
    assert (block.name, block.annotations["dt_ms"]) == ("conv", 1.0)
    assert [segment.annotations["example"] for segment in block.segments] == [107, 103]
    labels = tree.to_dataset()["label"].sel(example=[107, 103])
    assert [segment.annotations["label"] for segment in block.segments] == list(labels)
    data = tree["layers/conv"].to_dataset()
    for segment in block.segments:
        assert 0 < len(segment.spiketrains) < 144
        for train in segment.spiketrains:
            assert train.size
            assert train.annotations["y"] == int(data["y"][train.annotations["neuron"]])
    with refused(ResultError, "none"):
        analysis.to_neo(tree, "none")


@given(raster=RASTERS)
def test_a_table_of_spikes_is_the_raster(raster: Raster) -> None:
    frame = analysis.spike_frame(make(raster), "latent")
    assert list(frame.columns) == ["layer", "example", "neuron", "time_ms"]
    back = np.zeros_like(raster)
    step = np.rint(frame["time_ms"].to_numpy() / 0.5).astype(int)
    back[frame["example"].to_numpy(), step, frame["neuron"].to_numpy()] = True
    np.testing.assert_array_equal(back, raster)
    assert len(frame) == raster.sum()


def test_tables_hold_all_layers_or_those_chosen() -> None:
    tree = analysis.example_result()
    tables = analysis.to_pandas(tree)
    assert list(tables) == ["spikes", "neurons", "layers", "examples"]
    total = sum(int(tree[f"layers/{name}"].sizes["spike"]) for name in analysis.layer_names(tree))
    assert len(tables["spikes"]) == total > 5000
    assert list(tables["neurons"]["layer"].unique()) == ["conv", "latent", "output"]
    assert tables["neurons"]["channel"].dtype == "Int32"
    assert tables["neurons"].query("layer == 'latent'")["channel"].isna().all()
    chosen = analysis.to_pandas(tree, ["latent"])
    assert len(chosen["neurons"]) == 10
    np.testing.assert_array_equal(
        chosen["neurons"]["firing_rate_hz"], analysis.firing_rate(tree, "latent").to_numpy()
    )
    assert list(chosen["layers"]["layer"]) == ["latent"]
    expected = analysis.summary(tree)["dead_fraction"].to_numpy()
    np.testing.assert_array_equal(tables["layers"]["dead_fraction"], expected)


def test_tables_are_of_the_examples_that_were_chosen(counted: xr.DataTree) -> None:
    chosen = counted.isel(example=[2, 1])
    assert list(analysis.spike_frame(chosen, "latent")["example"].unique()) == [1]
    assert list(analysis.neuron_frame(chosen, "latent")["spikes"]) == [0, 1, 0, 1, 0]
    segments = analysis.to_neo(chosen, "latent").segments
    assert [len(segment.spiketrains) for segment in segments] == [5, 5]


def test_csv_files_read_back_as_the_tables(tmp_path: Path) -> None:
    tree, folder = analysis.example_result(), tmp_path / "tables"
    analysis.to_csv(tree, folder)
    names = {"spikes.csv", "neurons.csv", "layers.csv", "examples.csv"}
    assert {path.name for path in folder.iterdir()} == names
    for name, table in analysis.to_pandas(tree).items():
        back = pd.read_csv(folder / f"{name}.csv").round(9)  # pandas 2 reads the last bit inexactly
        pd.testing.assert_frame_equal(
            back, table.round(9), check_dtype=False, check_categorical=False, check_exact=True
        )
    with refused(OutputError, where=folder / "spikes.csv"):
        analysis.to_csv(tree, folder)
    (folder / "thesis.txt").write_text("mine")
    analysis.to_csv(tree, folder, layers=["latent"], overwrite=True)
    assert len(pd.read_csv(folder / "layers.csv")) == 1
    assert (folder / "thesis.txt").read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {*names, "thesis.txt"}
    with refused(ResultError, "none"):
        analysis.to_csv(tree, tmp_path / "other", layers=["none"])
    assert not (tmp_path / "other").exists()


def test_csv_files_are_replaced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new" / "tables"

    def full(table: pd.DataFrame, path: Path, **options: object) -> None:
        if path.name == "layers.csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_text("written")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OutputError, match="No space left on device"):
        analysis.to_csv(analysis.example_result(), folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(("library", "extra"), [("neo", "neo"), ("pynwb", "nwb")])
def test_a_library_that_is_missing_is_named(
    library: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("bioae.extras.import_module", missing)
    hint = re.compile(re.escape(f"pip install '.[{extra}]'"))
    with refused(LibraryError, library, found=None, hint=hint):
        if library == "neo":
            analysis.to_neo(analysis.example_result(), "latent")
        else:
            analysis.to_nwb(analysis.example_result(), tmp_path / "x.nwb")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[MagicMock]:
    """Return the NWB files that are written by a stand-in for pynwb, which tests do not install."""
    library, written = MagicMock(), []

    def new(**fields: Any) -> MagicMock:
        written.append(MagicMock(fields=fields))
        return written[-1]

    library.NWBFile = new
    monkeypatch.setitem(sys.modules, "pynwb", library)
    return written


def rows(added: MagicMock) -> list[dict[str, Any]]:
    return [each.kwargs for each in added.call_args_list]


def test_nwb_lays_presentations_one_after_another(tmp_path: Path, written: list[MagicMock]) -> None:
    raster = np.random.default_rng(0).random((3, 4, 5)) < 0.5
    raster[:, :, 2] = False
    analysis.to_nwb(make(raster, label=np.array([7, 8, 9])), tmp_path / "a.nwb")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nwb"]
    assert h5py.is_hdf5(tmp_path / "a.nwb")
    (file,) = written
    assert [row["label"] for row in rows(file.add_trial)] == [7, 8, 9]
    starts = [row["start_time"] for row in rows(file.add_trial)]
    assert starts == pytest.approx([0, 0.002, 0.004])
    assert [row["neuron"] for row in rows(file.add_unit)] == [0, 1, 2, 3, 4]
    # Steps of half a millisecond, of all presentations in a row.
    for row in rows(file.add_unit):
        steps = np.flatnonzero(raster[:, :, row["neuron"]].ravel())
        np.testing.assert_allclose(row["spike_times"], steps * 0.0005)
    with refused(OutputError, where=tmp_path / "a.nwb"):
        analysis.to_nwb(make(raster), tmp_path / "a.nwb")


SHOWN = {
    "example": [170, 171, 172, 50, 51, 52], "label": [7, 7, 7, 2, 2, 2],
    "stimulus": [17, 17, 17, 5, 5, 5], "repeat": [0, 1, 2, 0, 1, 2],
}  # fmt: skip


def test_exports_name_stimuli_of_presentations(tmp_path: Path, written: list[MagicMock]) -> None:
    raster = np.random.default_rng(0).random((2, 3, 4, 2)) < 0.2
    repeated = analysis.presentations(
        make(raster, example=np.array([17, 5]), label=np.array([7, 2]))
    )
    assert analysis.to_pandas(repeated)["examples"].to_dict("list") == SHOWN
    shown = [dict(zip(SHOWN, row, strict=True)) for row in zip(*SHOWN.values(), strict=True)]
    assert [each.annotations for each in analysis.to_neo(repeated, "latent").segments] == shown
    analysis.to_nwb(repeated, tmp_path / "a.nwb")
    (file,) = written
    assert [{name: row[name] for name in SHOWN} for row in rows(file.add_trial)] == shown
    columns = [each.args for each in file.add_trial_column.call_args_list]
    texts = ("example and repeat", "class of the image", "index in the data set")
    assert columns == [*zip(SHOWN, (*texts, "repeat of the stimulus"), strict=True)]


def test_nwb_identifiers_depend_on_contents(tmp_path: Path, written: list[MagicMock]) -> None:
    raster = np.ones((2, 3, 1), bool)
    for number, changes in enumerate(
        [
            {}, {}, {"seed": 2}, {"network_sha256": "abd"}, {"example": np.array([0, 2])},
            {"images": np.full((2, 1, 2, 2), 0.25)}, {"name": "other"},
        ]
    ):  # fmt: skip
        analysis.to_nwb(make(raster, **changes), tmp_path / f"{number}.nwb")
    analysis.to_nwb(make(raster), tmp_path / "later.nwb", start=datetime(2020, 1, 1, tzinfo=UTC))
    first, same, *others = (file.fields["identifier"] for file in written)
    assert first == same
    assert len({first, *others}) == 7
