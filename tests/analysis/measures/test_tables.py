"""Numbers as people and as programs read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from rasters import make
from refusals import refused

from bioae.analysis import as_table, example_result, measure, read_metrics
from bioae.analysis.measures.definitions import format_value
from bioae.analysis.report.numbers import to_numbers
from bioae.analysis.report.tables import measure_tables
from bioae.errors import ResultError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1.00"), (0.09586, "0.0959"), (-52.9123, "-52.9"), (449.58, "450"),
        (123456.7, "123,457"), (2.5e-7, "2.50e-07"), (1e9, "1.00e+09"), (float("nan"), "–"),
        (float("inf"), "inf"), (12345, "12,345"), (np.int32(0), "0"), (np.float32(0.5), "0.500"),
        (True, "yes"), (None, "–"), ("r1", "r1"),
    ],
)  # fmt: skip
def test_values_are_formatted_to_three_digits(value: object, text: str) -> None:
    assert format_value(value) == text


def test_rows_may_lack_columns_and_keep_their_order() -> None:
    table = as_table("t", [{"b": 1, "a": 2.0}, {"a": None, "c": "x"}])
    assert (table.columns, table.rows) == (("b", "a", "c"), (("1", "2.00", ""), ("", "–", "x")))
    assert table.transposed().rows == (("a", "2.00", "–"), ("c", "", "x"))
    assert table.transposed().transposed() == table


def test_a_dataset_is_headed_by_its_long_names_and_units() -> None:
    attrs = {"long_name": "mean rate", "units": "Hz"}
    data = xr.Dataset({"rate": ("layer", [1.5], attrs)}, coords={"layer": ["latent"]})
    table = as_table("t", data)
    assert (table.columns, table.rows) == (("layer", "mean rate (Hz)"), (("latent", "1.50"),))


def test_measures_are_plain_json_with_null_for_what_is_undefined() -> None:
    tree = example_result()
    layer = tree["layers/latent"]
    assert isinstance(layer, xr.DataTree)
    empty = layer.to_dataset(inherit=False).isel(spike=slice(0))
    layer.dataset = empty.assign(spike_count=xr.zeros_like(empty["spike_count"]))
    found = to_numbers(measure({"a": example_result(), "b": tree}))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["results"]["a"]["layers"]["latent"]["dead_fraction"] == 0.5
    assert found["results"]["b"]["layers"]["latent"]["rate_per_step_mean_alive"] is None
    (comparison,) = found["comparisons"]
    latent = comparison["layers"]["latent"]
    assert latent["spikes_a"] == latent["differing"] > 1000
    assert latent["spike_agreement"] == 0


def test_reports_name_states_that_diverged() -> None:
    tree, states = make(np.ones((2, 5, 3), bool)), np.zeros((2, 5, 3))
    states[1, 4, 2] = np.nan
    tree["layers/latent/state_v"] = xr.DataArray(states, dims=("example", "time", "neuron"))
    line = "a, latent: v diverged in 1 of 3 neurons, first in neuron 2 at 2 ms of presentation 1."
    assert line in measure({"a": tree}).notes()


@pytest.mark.medium
def test_baselines_are_listed_once_for_results_of_the_same_images() -> None:
    same = measure_tables(measure({"a": example_result(), "b": example_result()}))[0]
    assert [row[0] for row in same.rows] == ["a", "b", "baseline: all zero", "baseline: mean image"]
    different = measure_tables(measure({"a": example_result(), "b": example_result(1)}))[0]
    assert [row[0] for row in different.rows[2:]] == [
        f"baseline: {name}, inputs of {result}"
        for result in ("a", "b")
        for name in ("all zero", "mean image")
    ]


def test_results_that_cannot_be_compared_are_measured_all_the_same() -> None:
    measures = measure({"a": example_result(), "b": example_result().isel(example=slice(5))})
    assert len(measures.notes()) == 1
    assert "different examples" in to_numbers(measures)["comparisons"][0]["refused"]
    with refused(ResultError, expected="at least one"):
        measure({})


def test_metrics_are_read_up_to_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"epoch": 1, "loss": 2.5, "dead": {"latent": 0.5}, "note": "x", "done": true}\n'
        '\n{"epoch": 2, "loss": NaN}\n{"epoch": 3, "lo'
    )
    first, second = read_metrics(path)
    assert first == {"epoch": 1, "loss": 2.5, "dead.latent": 0.5}
    assert second["epoch"] == 2
    assert np.isnan(second["loss"])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", ""),
        ('{"epoch', ""),
        ('{"epoch": 1}\nnot json\n{"epoch": 2}\n', ", line 2"),
        ("[1, 2]\n{}\n", ", line 1"),
    ],
)
def test_metrics_that_are_none_are_refused(tmp_path: Path, content: str, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with refused(ResultError, where=f"{path}{line}"):
        read_metrics(path)
    with refused(ResultError, where=tmp_path / "none.jsonl"):
        read_metrics(tmp_path / "none.jsonl")
