"""Figures take results or measures, show their data and units, and leave settings alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from degenerate import RESULTS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from numpy.typing import NDArray
from rasters import make, of_layers
from refusals import refused

from bioae import analysis
from bioae.analysis import example_result, firing_rate, plots, sum_squared_error
from bioae.analysis.plots.style import span
from bioae.errors import OutputError, ResultError
from bioae.simulation.results.netcdf import write_result


def test_reconstructions_are_below_their_inputs_with_their_errors() -> None:
    tree = example_result()
    rows = plots.reconstructions({"a": tree, "b": example_result()}, images=4).axes
    assert [row.get_ylabel() for row in rows] == ["input", "a", "b"]
    errors = [float(text.get_text()) for text in rows[1].get_xticklabels()]
    np.testing.assert_allclose(errors, sum_squared_error(tree)[:4], atol=5e-4)
    assert not rows[0].get_xticklabels()
    for row, name in zip(rows[:2], ("input", "reconstruction"), strict=True):
        pictures = tree.to_dataset()[name][:4].to_numpy()
        np.testing.assert_array_equal(_pictures(row, pictures.shape[2]), pictures)


def _pictures(row: Axes, width: int) -> list[NDArray[np.float64]]:
    """Return the pictures of a row of a width, by the texts below or from the left."""
    (image,) = row.images
    shown = np.asarray(image.get_array())
    pitch = width + max(1, round(0.12 * width))
    middles = row.get_xticks()
    left = np.arange(0, shown.shape[1], pitch)
    if middles.size:
        np.testing.assert_allclose(middles, left[: middles.size] + width / 2)
    return [shown[:, place : place + width] for place in left]


def test_results_of_other_images_have_their_own_inputs() -> None:
    colour = np.random.default_rng(0).random((2, 3, 4, 4))
    other = make(np.ones((2, 2, 2), bool), images=colour, reconstruction=colour)
    rows = plots.reconstructions({"a": example_result(), "b": other}, images=3).axes
    assert [row.get_ylabel() for row in rows] == ["input", "a", "input of b", "b"]
    first, second, space = _pictures(rows[3], 4)
    np.testing.assert_array_equal(first, np.moveaxis(colour[0], 0, -1))
    np.testing.assert_array_equal(second, np.moveaxis(colour[1], 0, -1))
    # Rows with fewer pictures keep their size.
    assert (space == 1).all()
    with refused(ResultError, "images"):
        plots.reconstructions({})


def test_histograms_count_living_neurons_and_label_dead_ones() -> None:
    results = {"a": example_result(), "all dead": make(np.zeros((2, 3, 4), bool))}
    figure = plots.fitted_rates(of_layers(results, firing_rate))
    latent = next(axes for axes in figure.axes if axes.get_title("left") == "latent")
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["a", "all dead"]
    (note,) = (each for each in latent.get_children() if isinstance(each, Legend))
    assert [text.get_text() for text in note.get_texts()] == ["5 of 10 dead", "4 of 4 dead"]
    outlines = [patch for patch in latent.patches if patch.get_label() in names]
    counts = [
        patch.get_data().values @ np.diff(np.log2(patch.get_data().edges))  # type: ignore[attr-defined]
        for patch in outlines
    ]
    assert counts == [pytest.approx(5), 0]
    assert latent.get_xscale() == "log"
    assert figure.axes[2].get_xlabel() == "firing rate (Hz)"
    assert plots.to_svg(figure)


def test_training_curves_draw_changing_metrics_and_the_last_of_an_epoch(tmp_path: Path) -> None:
    rows = [
        {"epoch": epoch, "loss": loss, "rate": 1e-3}
        for epoch, loss in ((1, 9.0), (2, 8.0), (2, 7.0), (3, 6.0))
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"cut')
    (axes,) = plots.training_curves({"run": path}).axes
    assert axes.get_title("left") == "loss"
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 9], [2, 7], [3, 6]])
    chosen = plots.training_curves({"run": path, "again": path}, keys=["rate", "missing"])
    assert [axes.get_title("left") for axes in chosen.axes] == ["rate"]
    assert len(chosen.axes[0].lines) == 2
    with refused(ResultError, where="metrics", found="missing"):
        plots.training_curves({"run": path}, keys=["missing"])


@pytest.mark.medium
def test_equal_figures_give_equal_files_of_the_requested_format(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png"):
        plots.save_figure(plots.rasters(example_result()), tmp_path / name)
    svg = (tmp_path / "a.svg").read_bytes()
    assert svg == (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in svg
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with refused(OutputError, where=tmp_path / "a.bmpp", found="'.bmpp'"):
        plots.save_figure(plots.rasters(example_result()), tmp_path / "a.bmpp")
    with refused(OutputError, where=tmp_path / "a.svg"):
        plots.save_figure(plots.rasters(example_result()), tmp_path / "a.svg")


def of_signals(channels: int) -> xr.DataTree:
    """Return a result of a network that receives signals."""
    signals = np.random.default_rng(channels).normal(size=(2, 4, channels))
    raster = np.ones((2, 4, 3), bool)
    return make(raster, images=signals, output=np.zeros((2, 3)), task="classification")


def test_input_signals_are_traces_or_with_many_channels_a_picture() -> None:
    few, many = of_signals(channels=2), of_signals(channels=9)
    figure = plots.input_signals({"few": few, "many": many}, examples=2)
    panels = [axes for axes in figure.axes if axes.get_title("left")]
    assert [axes.get_title("left") for axes in panels] == [
        "few, example 0", "few, example 1", "many, example 0", "many, example 1",
    ]  # fmt: skip
    for axes, place in zip(panels[:2], (0, 1), strict=True):
        traces = np.stack([patch.get_data().values for patch in axes.patches], axis=-1)
        np.testing.assert_array_equal(traces, few.to_dataset()["input"][place])
    for axes, place in zip(panels[2:], (0, 1), strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array().T, many.to_dataset()["input"][place])
    with refused(ResultError, where="images", expected="(example, time, channel)"):
        plots.input_signals({"images": example_result()})


def test_the_course_of_weights() -> None:
    course = xr.DataArray(
        [[0.1, 0.5, 0.9], [0.0, 0.4, 1.0]],
        dims=("presentation", "quantile"),
        coords={"presentation": [10, 20], "quantile": [0.05, 0.5, 0.95]},
    )
    (left,) = plots.weight_courses({"w": course}).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [[10, 0.5], [20, 0.4]])
    with refused(ResultError, "weights"):
        plots.weight_courses({})


def test_the_distribution_of_weights() -> None:
    (axes,) = plots.weight_histograms({"w": np.array([[0.0, 0.5], [0.5, 1.0]])}).axes
    assert sum(patch.get_height() for patch in axes.patches) == 4
    with refused(ResultError, where="w"):
        plots.weight_histograms({"w": np.array([np.nan])})


STEPS = 6


def sequence(output: NDArray[Any], channels: int = 2, **changes: Any) -> xr.DataTree:
    """Return a result of signals, one output per step."""
    rng = np.random.default_rng(0)
    examples = len(output)
    signals = rng.random((examples, STEPS, channels)) * np.arange(1, examples + 1)[:, None, None]
    raster = np.ones((examples, STEPS, 3), bool)
    arguments = {"images": signals, "task": "sequence", "output": output, "desired": output + 1}
    return make(raster, **(arguments | changes))


def test_signals_have_one_legend_and_equal_axes() -> None:
    tree = sequence(np.zeros((3, STEPS, 2)))
    figure = plots.input_signals({"r": tree})
    first, *others = figure.axes
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["channel 0", "channel 1"]
    assert len(others) == 2
    assert all(each.get_legend() is None for each in figure.axes)
    for each in others:
        assert each.get_ylim() == first.get_ylim()
        assert each.get_xlim() == first.get_xlim() == (0, STEPS * 0.5)
    signals = tree["input"].to_numpy()
    assert first.get_ylim()[0] < signals.min() < signals.max() < first.get_ylim()[1]


def test_regressions_have_equal_axes() -> None:
    desired = np.array([[0.0], [1.0], [5.0]])
    raster = np.ones((3, STEPS, 3), bool)
    results = {
        name: make(raster, task="regression", output=desired * factor, desired=desired)
        for name, factor in (("a", 0.5), ("b", 2.0))
    }
    first, second = plots.predicted_values(results).axes
    assert first.get_xlim() == first.get_ylim() == second.get_xlim() == second.get_ylim()
    assert first.get_xlim() == span([np.array([0.0, 10.0])])


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
