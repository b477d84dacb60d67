"""Figures take a result, its path, several by name, or measures, and reject everything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from degenerate import RESULTS
from matplotlib.figure import Figure
from rasters import make
from refusals import refused

from bioae import analysis
from bioae.analysis import example_result, plots
from bioae.errors import ResultError
from bioae.simulation.results.netcdf import write_result

RASTER = np.random.default_rng(0).random((4, 6, 3)) < 0.4


def _of_task(task: str, output: tuple[int, ...], desired: Any = None) -> xr.DataTree:
    signals = np.random.default_rng(1).random((4, 6, 2))
    values = np.random.default_rng(2).random(output)
    return make(
        RASTER, images=signals, task=task, output=values, desired=desired,
        label=np.array([0, 1, 1, 0]) if task == "classification" else None,
    )  # fmt: skip


#: A result for each figure; the others draw the usual one.
TASKS: dict[str, Callable[[], xr.DataTree]] = {
    "confusion_matrices": lambda: _of_task("classification", (4, 2)),
    "input_signals": lambda: _of_task("classification", (4, 2)),
    "output_traces": lambda: _of_task("sequence", (4, 6, 1)),
    "predicted_values": lambda: _of_task("regression", (4, 1), np.ones((4, 1))),
}
WITHOUT = [
    "fit_profile", "fit_starts", "recordings", "training_curves", "weight_courses",
    "weight_histograms",
]  # fmt: skip
FIGURES = sorted({*plots.__all__} - {"print_style", "save_figure", "to_svg"} - {*WITHOUT})


def titles(figure: Figure) -> list[str]:
    return [axes.get_title("left") or axes.get_ylabel() for axes in figure.axes]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_a_result_and_several_by_name(name: str, tmp_path: Path) -> None:
    draw, tree = getattr(plots, name), TASKS.get(name, RESULTS["usual"])()
    alone = draw(tree)
    for axes in alone.axes:
        shown = axes.lines or axes.images or axes.patches or axes.collections
        assert bool(shown) == axes.axison
    write_result(tree, tmp_path / "r.nc")
    both = draw({"one": tmp_path / "r.nc", "two": tree})
    texts = [
        *titles(both),
        *(text.get_text() for each in both.legends for text in each.get_texts()),
    ]
    assert len(both.axes) > len(alone.axes) or {"one", "two"} <= {*texts}


@pytest.mark.parametrize("name", WITHOUT)
def test_figures_of_what_a_result_does_not_hold_say_so(name: str) -> None:
    with refused(ResultError, found="DataTree", hint=re.compile(".")):
        getattr(plots, name)(example_result())


def test_missing_measures_are_those_of_the_functions() -> None:
    tree, names = example_result(), ["conv", "latent"]
    rates = {"": {name: analysis.firing_rate(tree, name) for name in names}}
    fits = {"": {name: analysis.fit_rates(tree, name) for name in names}}
    expected, found = plots.fitted_rates(rates, fits), plots.fitted_rates(tree, layers=names)
    assert titles(found) == names == titles(plots.fitted_rates(rates[""]))
    for one, other in zip(expected.axes, found.axes, strict=True):
        assert len(one.lines) == len(other.lines)
        for line, same in zip(one.lines, other.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), same.get_xydata())
    assert len(plots.fitted_rates(tree, {}).axes[0].lines) < len(found.axes[0].lines)


def test_a_layer_is_chosen_by_its_name() -> None:
    results = {"a": example_result(0), "b": example_result(1)}
    assert titles(plots.latent_maps(results, "latent")) == ["a", "b"]
    assert titles(plots.latent_maps(results, ["conv", "latent"])) == [
        "a, conv", "a, latent", "b, conv", "b, latent",
    ]  # fmt: skip


LATENT = {"latent": xr.DataArray([1.0], dims="neuron")}
WRONG: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("fitted_rates", 3, {}, {"found": "int"}),
    ("fitted_rates", {"a": 3}, {}, {"where": "a", "found": "int"}),
    ("fitted_rates", {"a": {"latent": 3}}, {}, {"where": "a, latent", "found": "int"}),
    ("fitted_rates", {"a": LATENT}, {"which": "worst"}, {"expected": "best or all"}),
    ("fitted_rates", {"a": LATENT}, {"fits": {"a": LATENT}}, {"where": "a, latent"}),
    ("fitted_rates", {"a": LATENT}, {"layers": "conv"}, {"found": "'conv'"}),
    ("fitted_rates", {"a": {}}, {}, {"where": "layers"}),
    ("fitted_rates", {"a": {"latent": xr.DataArray(["x"], dims="neuron")}}, {}, {"found": "<U1"}),
    ("rasters", analysis.statistics(example_result()), {}, {"found": "a tree without spikes"}),
    ("interval_histograms", {"a": LATENT}, {}, {"expected": "interval", "found": "neuron"}),
    ("correlation_matrices", np.eye(3), {}, {"found": "ndarray"}),
    ("correlation_matrices", {"a": np.eye(3)}, {}, {"where": "a", "found": "ndarray"}),
    ("filter_grid", {"a": xr.DataArray(np.ones((2, 2)), dims=("y", "x"))}, {}, {"where": "a"}),
    ("reconstructions", TASKS["output_traces"](), {}, {"found": "sequence"}),
    ("rasters", example_result(), {"most_neurons": 0}, {"found": "0"}),
    ("weight_courses", {"w": np.ones(3)}, {}, {"where": "w", "found": "ndarray"}),
    ("weight_histograms", {"w": "many"}, {}, {"found": "'many'"}),
]


@pytest.mark.parametrize(("name", "given", "options", "fields"), WRONG)
def test_everything_else_is_refused_in_one_line(
    name: str, given: Any, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    with refused(ResultError, **fields):
        getattr(plots, name)(given, **options)


def test_layers_have_one_clock() -> None:
    tree = example_result()
    first, second, _ = plots.rasters(tree).axes
    assert first.get_xlim() == second.get_xlim()
    for late, axes in enumerate((first, second)):  # a step of 1 ms per layer
        own = analysis.raster(tree, ["conv", "latent"][late], example=100)
        steps = np.flatnonzero(own.any("neuron"))
        drawn = np.unique(np.asarray(axes.lines[0].get_xdata()))
        np.testing.assert_array_equal(drawn, steps + late)


def test_a_raster_of_many_neurons_is_a_sample_that_says_so() -> None:
    tree = make(np.random.default_rng(0).random((1, 5, 900)) < 0.5)
    (axes,) = plots.rasters(tree, most_neurons=100).axes
    count = int(tree["layers/latent"].sizes["spike"])
    assert axes.get_title("left").replace("\n", " ") == (
        f"latent: {count:,} spikes; drawn are 100 of 900 neurons"
    )
    neurons = {*np.asarray(axes.lines[0].get_ydata()).tolist()}
    assert len(neurons) <= 100
    assert max(neurons) > 800
    assert "drawn" not in plots.rasters(tree, most_neurons=450).axes[0].get_title("left")
