"""Figures in the user's axes, in print, and inside of their pictures; the list of functions."""

from __future__ import annotations

import re
import rlcompleter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import rasters
import xarray as xr
from degenerate import RESULTS, call
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from refusals import refused

import bioae
from bioae.analysis import example_result, firing_rate, first_spike_latency, isi_distribution, plots
from bioae.errors import ResultError

MM = 1 / 25.4


def of_layers(function: Callable[[xr.DataTree, str], Any]) -> dict[str, dict[str, Any]]:
    return rasters.of_layers({"a": example_result(0), "b": example_result(1)}, function)


def drawing() -> dict[str, Callable[..., Figure]]:
    """Return the functions that draw images and their layers."""
    others = {"print_style", "save_figure", "to_svg", "training_curves"}
    tasks = {"confusion_matrices", "input_signals", "output_traces", "predicted_values"}
    return {n: getattr(plots, n) for n in plots.__all__ if n not in others | tasks}


def drawn(axes: Axes) -> bool:
    return bool(axes.lines or axes.images or axes.patches or axes.collections)


def test_completion_lists_the_functions_only() -> None:
    completer = rlcompleter.Completer({"bioae": bioae})
    start = "bioae.analysis.plots."
    found = []
    while text := completer.complete(start, len(found)):
        found.append(text)
    names = {text.removeprefix(start).rstrip("()") for text in found}
    assert {name for name in names if not name.startswith("_")} == set(plots.__all__)
    assert dir(plots) == sorted(plots.__all__)


@pytest.mark.medium
@pytest.mark.parametrize("name", drawing())
def test_every_figure_can_be_drawn_into_the_users_axes(name: str) -> None:
    draw, tree = drawing()[name], RESULTS["usual"]()
    alone = call(draw, tree)
    titles = {axes.get_title("left") for axes in alone.axes}
    panels = [axes for axes in alone.axes if axes.get_label() != "<colorbar>"]
    figure = Figure(layout="constrained")
    places = figure.subplots(len(panels) + 1, 1)
    given = places[:-1] if len(panels) > 1 else places[0]
    size = figure.get_size_inches().tolist()
    assert call(draw, tree, ax=given) is figure
    assert all(map(drawn, places[:-1]))
    assert not drawn(places[-1])
    assert {axes.get_title("left") or axes.get_title() for axes in places[:-1]} <= titles
    assert figure.get_size_inches().tolist() == size
    assert not figure.legends
    assert sum(axes.get_legend() is not None for axes in places) <= 1
    assert plots.to_svg(figure)


def test_a_mapping_chooses_panels() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plots.fitted_rates(of_layers(firing_rate), ax={"latent": right}) is figure
    assert right.get_title() == "latent"
    assert not drawn(left)
    legend = right.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_axes_that_do_not_fit_are_refused() -> None:
    rates = of_layers(firing_rate)
    one, two = Figure().subplots(1, 2)
    other = Figure().subplots()
    four = Figure().subplots(2, 2)
    wrong: list[tuple[Any, str]] = [
        (one, "1 axes"), (four, "4 axes"), ({"input": one}, "axes for input"),
        ([one, "two", two], "str"), ([two, other, one], "3 axes"), ({}, "axes for none"),
    ]  # fmt: skip
    for ax, found in wrong:
        with refused(ResultError, "conv, latent, output", where="ax", found=found):
            plots.fitted_rates(rates, ax=ax)


def test_the_users_settings_hold_in_their_axes() -> None:
    with mpl.rc_context({"axes.titlesize": 31.0, "legend.fontsize": "x-large"}):
        axes = Figure().subplots()
        plots.rasters(example_result(), layers=["conv"], ax=axes)
    assert axes.title.get_fontsize() == 31


@pytest.mark.medium
@pytest.mark.parametrize(
    ("column", "width"), [("single", 85), pytest.param("double", 175, marks=pytest.mark.slow)]
)
def test_print_has_the_width_of_a_column_and_small_letters(column: Any, width: float) -> None:
    before = dict(mpl.rcParams)
    with plots.print_style(column):
        figures = [
            plots.fitted_rates(of_layers(firing_rate)),
            plots.response_latencies(of_layers(first_spike_latency)),
            plots.reconstructions({"a": example_result()}, images=6),
            plots.latent_maps({"a": example_result(), "b": example_result(1)}, "conv"),
        ]
        own = Figure().subplots()
        own.set_title("title")
    assert dict(mpl.rcParams) == before
    for figure in figures:
        plots.to_svg(figure)  # lays out
        assert figure.get_figwidth() == pytest.approx(width * MM)
        for axes in figure.axes:
            texts = [axes.title, axes.xaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
            assert {7 <= text.get_fontsize() <= 8 for text in texts} == {True}
    assert own.title.get_fontsize() == 8
    assert plots.rasters(example_result()).get_figwidth() > 7
    with refused(ResultError, expected="single or double", found="'wide'"):
        plots.print_style("wide").__enter__()  # type: ignore[arg-type]


@pytest.mark.medium
def test_figures_in_print_are_vectors_with_text(tmp_path: Path) -> None:
    with plots.print_style():
        figure = plots.interval_histograms(of_layers(isi_distribution))
    # Saved later, in the style in which they were drawn.
    for name in ("a.svg", "a.pdf", "b.pdf"):
        plots.save_figure(figure, tmp_path / name)
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert re.search(r"<text [^>]*>fraction per ms</text>", svg)
    assert 'width="240.9' in svg  # points
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf  # TrueType, not shapes of letters
    assert pdf == (tmp_path / "b.pdf").read_bytes()
    assert "<text" not in plots.to_svg(plots.interval_histograms(of_layers(isi_distribution)))


def test_latencies_have_a_median_and_quartiles_per_layer_and_result() -> None:
    latencies = of_layers(first_spike_latency)
    (axes,) = plots.response_latencies(latencies).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["conv", "latent", "output"]
    for line, bars, layers in zip(axes.lines, axes.collections, latencies.values(), strict=True):
        expected = np.array([np.nanquantile(layers[n], [0.25, 0.5, 0.75]) for n in layers])
        np.testing.assert_array_equal(line.get_ydata(), expected[:, 1])
        ends = [path.vertices[:, 1].tolist() for path in bars.get_paths()]
        assert ends == expected[:, [0, 2]].tolist()
