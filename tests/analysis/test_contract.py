"""The common contract of the measures: sources, names and units, blocks, refusals in one line."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from brian2 import Network, SpikeGeneratorGroup, SpikeMonitor, ms, prefs
from degenerate import RESULTS, call, functions, refusal

from bioae import analysis
from bioae.errors import ResultError
from bioae.simulation.results.netcdf import write_result

FUNCTIONS = functions()

#: Functions of one result or several; some are not defined for the usual result.
MEASURES = [
    name
    for name, function in FUNCTIONS.items()
    if function is getattr(analysis, name, None)
    and {"tree", "a", "before"} & set(inspect.signature(function).parameters)
]

WRONG = ({}, None, 3, "x", xr.DataTree(), xr.Dataset(), np.zeros(3), xr.DataArray(1.0))

#: Values of options that never fit, by their parameter's name.
OPTIONS: dict[str, tuple[Any, ...]] = {
    "layer": ("x", None, 3, ["latent"], True, {}), "dims": ("time", ("time",), ("example", "x"), 3),
    "of": ("some", None, 1), "kind": ("x", None), "measure": ("x", None),
    "model": ("x", None),
    "window_ms": (0, -1, "x", float("nan"), float("inf"), True, 0.3),
    "bin_ms": (0, -1, "x", float("nan"), True, 0.3), "max_lag_ms": (-1, "x", float("nan"), True),
    "sigma_ms": (-1, "x", float("nan"), True),
    "shorter_than_ms": (0, "x", float("nan"), True, None),
    "period_ms": (0, "x", float("nan"), True, None),
    "tau_ms": (0, -1, "x", float("nan"), True, None),
    "cost_per_ms": (-1, "x", float("nan"), True, None),
    "refractoriness_ms": (-1, "x", float("nan"), True), "bins": (0, -1, 1.5, "x", True),
    "shuffles": (-1, 1.5, "x", True), "resamples": (-1, 1.5, "x", True),
    "folds": (1, 1.5, "x", True, 10**6), "penalty": (-1, "x", float("nan"), True),
    "patch": (0, 2, 1.5, "x", True), "seed": (-1, 1.5, "x", True, None, 2**64),
    "threshold": ("x", float("nan"), True, None),
    "bursting_threshold": ("x", float("nan"), True, None), "spikes": (0, 1.5, "x", True),
    "neurons": ([99], [-1], ["x"], [0.5], 3), "pairs": ([(0, 99)], [(0,)], "x", 3, [(0, "x")]),
    "example": (99, "x", 0.5), "neuron": (99, -1, "x", 0.5), "layers": (["x"], 3),
    "images": (0, "x", -1), "columns": (0, "x"), "most": (0, "x"), "sums": (3, "x"),
}  # fmt: skip


#: Values of these options that fit one of the functions.
ACCEPTED: set[tuple[str, str, str]] = {
    ("transfer_curve", "layer", "None"), ("spike_time_tiling", "window_ms", "0"),
    ("spike_time_tiling", "window_ms", "inf"), ("spike_time_tiling", "window_ms", "0.3"),
    ("van_rossum_distance", "tau_ms", "0"), ("transfer_curve", "patch", "2"),
}  # fmt: skip


#: A few of them stand for all in a quick run.
KINDS = [
    kind
    if kind in {"no examples", "no spikes", "one of each", "recording"}
    else pytest.param(kind, marks=pytest.mark.slow)
    for kind in RESULTS
]


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
def test_a_degenerate_result_gives_an_answer_or_one_line(kind: str) -> None:
    tree = RESULTS[kind]()
    lines = [refusal(function, tree) for function in FUNCTIONS.values()]
    assert lines.count(None) > 30
    assert not any("\n" in line for line in lines if line)


def measured(name: str, source: Any) -> xr.Dataset | None:
    """Measure a usual result, given as this source in place of the tree; None if undefined."""
    measure = FUNCTIONS[name]
    names = {"tree", "a", "b", "before", "after"} & set(inspect.signature(measure).parameters)
    try:
        found = call(measure, RESULTS["usual"](), **dict.fromkeys(names, source))
    except ResultError:
        return None
    found = found.to_dataset(name="value") if isinstance(found, xr.DataArray) else found
    return found.compute() if isinstance(found, xr.Dataset) else None


@pytest.mark.medium
@pytest.mark.parametrize("opened", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_measure_says_what_it_is_and_takes_each_source(
    opened: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, path = RESULTS["usual"](), tmp_path / "r.nc"
    write_result(tree, path)
    expected = {name: found for name in MEASURES if (found := measured(name, tree)) is not None}
    assert len(expected) > 40
    monkeypatch.setattr("bioae.analysis.results.spikes.BLOCK", 3)
    with analysis.open_result(path, lazy=True) as lazy:
        for name, values in expected.items():
            for array in values.values():
                assert {"long_name", "units"} & set(array.attrs), name
            xr.testing.assert_allclose(measured(name, lazy if opened else path), values)


@pytest.mark.medium
def test_measures_of_a_monitor_are_those_of_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    simulated = RESULTS["no labels"]()
    data = simulated["layers/latent"].to_dataset()
    time = (data["spike_example"] * 10.0 + data["spike_time_ms"]).to_numpy()  # 20 steps of 0.5 ms
    group = SpikeGeneratorGroup(5, data["spike_neuron"].to_numpy(), time * ms, dt=0.5 * ms)
    monitor = SpikeMonitor(group)
    Network(group, monitor).run(60 * ms)
    assert monitor.num_spikes == data.sizes["spike"] > 50
    recorded = analysis.from_monitors({"latent": monitor}, duration=10 * ms, trials=6)
    found = {name: each for name in MEASURES if (each := measured(name, recorded)) is not None}
    assert len(found) > 40
    for name in found.keys() - {"compare"}:  # which pairs neurons of one network
        xr.testing.assert_equal(found[name], measured(name, simulated))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_a_wrong_object_is_refused_in_one_line(wrong: Any) -> None:
    tree = RESULTS["usual"]()
    for name, function in FUNCTIONS.items():
        first = next(iter(inspect.signature(function).parameters))
        line = refusal(function, tree, **{first: wrong})
        assert line, name
        assert "\n" not in line


@pytest.mark.medium
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_does_not_fit_is_refused_in_one_line(option: str) -> None:
    tree, tried = RESULTS["usual"](), 0
    for name, function in FUNCTIONS.items():
        known = inspect.signature(function).parameters
        for value in OPTIONS[option] if option in known else ():
            line = refusal(function, tree, **{option: value})
            fits = (name, option, repr(value)) in ACCEPTED
            assert fits or line, (name, value)
            assert "\n" not in (line or "")
            tried += 1
    assert tried


LOST = {
    "example": lambda tree: tree.isel(example=0),
    "the mean over examples": lambda tree: tree.mean("example"),
    "neuron": lambda tree: tree.isel(neuron=0, missing_dims="ignore"),
    "spike": lambda tree: tree.isel(spike=0, missing_dims="ignore"),
}


@pytest.mark.parametrize("lost", LOST)
def test_a_result_without_a_dimension_is_refused_in_one_line(lost: str) -> None:
    usual = RESULTS["usual"]()
    tree, refused = LOST[lost](usual), 0
    for name, function in FUNCTIONS.items():
        known = inspect.signature(function).parameters
        given = {each: tree for each in ("tree", "a", "b", "before", "after") if each in known}
        line = refusal(function, usual, **given) if given else ""
        assert "\n" not in (line or "")
        refused += bool(line)
        assert line or not given or "example" not in lost, name
    assert refused > 30


def test_a_time_with_a_unit_is_refused_by_the_parameters_name() -> None:
    tree, tried = RESULTS["usual"](), 0
    for name, function in FUNCTIONS.items():
        for option in inspect.signature(function).parameters:
            if option.endswith("_ms"):
                line = refusal(function, tree, **{option: 2 * ms})
                line = (line or "").removesuffix("; found 2. * msecond")
                assert line == f"{option} does not fit; expected a number without a unit", name
                tried += 1
    assert tried > 8
    assert len(FUNCTIONS) > 80
