"""Figures of firing show their data, for several results and for silent ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from rasters import make, of_layers
from refusals import refused
from scipy import stats

from bioae import analysis
from bioae.analysis import plots
from bioae.errors import ResultError


def panel(figure: Figure, title: str) -> Axes:
    (found,) = (axes for axes in figure.axes if axes.get_title("left") == title)
    return found


def legend(figure: Figure) -> list[str]:
    (found,) = figure.legends
    assert all(axes.get_legend() is None for axes in figure.axes)
    return [text.get_text() for text in found.get_texts()]


def note(axes: Axes) -> list[str]:
    """Return the texts of a panel's note."""
    (found,) = (each for each in axes.get_children() if isinstance(each, Legend))
    return [text.get_text() for text in found.get_texts()]


@pytest.fixture
def two() -> dict[str, xr.DataTree]:
    return {"LIF": analysis.example_result(0), "AdEx": analysis.example_result(1)}


def test_population_activity_has_each_spike_and_the_mean_rate(two: dict[str, xr.DataTree]) -> None:
    figure = plots.population_activity(two, "conv", example=103)
    rasters, rate = figure.axes[:2], figure.axes[2]
    for axes, (name, tree) in zip(rasters, two.items(), strict=True):
        data = tree["layers/conv"].to_dataset()
        own = data.isel(spike=data["spike_example"] == 103)
        spikes = own.sizes["spike"]
        assert spikes > 50
        assert axes.get_title("left") == f"{name}: {spikes} spikes"
        drawn = np.array(axes.lines[0].get_xydata())
        expected = np.array([own["spike_time_ms"], own["spike_neuron"]]).T
        assert {tuple(row) for row in drawn} == {tuple(row) for row in expected}
        # 144 neurons and steps of 1 ms.
        stairs = rate.patches[list(two).index(name)].get_data().values  # type: ignore[attr-defined]
        per_step = np.bincount(own["spike_time_ms"].astype(int), minlength=20)
        np.testing.assert_allclose(stairs, per_step / 144 * 1000)
    assert note(rate) == ["LIF", "AdEx"]
    assert not figure.legends
    assert rate.get_xlabel().endswith("(ms)")
    assert plots.population_activity(two, "conv").axes[0].lines
    for ax in (None, {"population rate": rate}):
        with refused(ResultError, found="5"):
            plots.population_activity(two, "conv", example=5, ax=ax)


@pytest.mark.parametrize("which", ["best", "all"])
def test_fits_are_drawn_over_their_rates(which: Any) -> None:
    rates = xr.DataArray(
        np.append(np.random.default_rng(0).lognormal(1, 1, 2000), 0), dims="neuron"
    )
    data = {"shape": [1.0, np.nan], "scale": [np.e, 4.5], "aic": [1.0, 2.0]}
    fit = xr.Dataset(
        {name: ("distribution", values) for name, values in data.items()},
        coords={"distribution": ["lognormal", "exponential"]},
    )
    figure = plots.fitted_rates(
        {"a": {"latent": rates}}, {"a": {"latent": fit}}, which=which, bins=20
    )
    (axes,) = figure.axes
    expected = ["log-normal fit", "exponential fit"][: 1 if which == "best" else 2]
    assert legend(figure) == ["a", *expected]
    assert note(axes) == ["1 of 2,001 dead"]
    density, edges, _ = axes.patches[0].get_data()  # type: ignore[attr-defined]
    octaves = np.diff(np.log2(edges))
    counts = density * octaves
    assert counts.sum() == pytest.approx(2000)
    at, curve = np.array(axes.lines[0].get_xydata()).T
    # Expected number in a bin, from the distribution function.
    held = 2000 * np.diff(stats.lognorm.cdf(edges, 1.0, 0, np.e))
    centres = np.sqrt(edges[1:] * edges[:-1])
    np.testing.assert_allclose(np.interp(centres, at, curve) * octaves, held, rtol=2e-3, atol=0.1)
    assert abs(counts - held).max() < 5 * np.sqrt(held.max())
    assert axes.get_xscale() == "log"
    assert at[-1] == axes.get_xlim()[1] > edges[-1]


def test_times_that_span_decades_have_logarithmic_axes() -> None:
    lengths = np.arange(1.0, 2001)
    shares = xr.DataArray(stats.lognorm.pdf(lengths, 1, 0, 60), {"interval": lengths}, "interval")
    (axes,) = plots.interval_histograms({"a": {"latent": shares / shares.sum()}}).axes
    assert (axes.get_xscale(), axes.get_ylabel()) == ("log", "fraction per octave")
    at, density = np.array(axes.lines[0].get_xydata()).T
    assert (density * np.gradient(np.log2(at))).sum() == pytest.approx(1, rel=0.02)
    latencies = xr.DataArray([1.0, 2.0, 200.0], dims="neuron")
    (axes,) = plots.response_latencies({"a": {"latent": latencies}}).axes
    assert axes.get_yscale() == "log"


def test_interval_histograms_draw_the_fractions(two: dict[str, xr.DataTree]) -> None:
    distributions = of_layers(two, analysis.isi_distribution)
    figure = plots.interval_histograms(distributions)
    axes = panel(figure, "conv")
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), distributions["LIF"]["conv"])
    sums = [analysis.interval_sums(tree, "conv").pooled for tree in two.values()]
    each = [np.repeat(np.arange(counts.size), counts) for counts in sums]
    medians = [np.quantile(lengths, 0.5, method="inverted_cdf") for lengths in each]
    assert note(axes) == [f"median {median:.3g} ms" for median in medians]
    assert legend(figure) == ["LIF", "AdEx"]
    ends = [np.quantile(each[0], place, method="inverted_cdf") for place in (0.25, 0.75)]
    assert ends[0] < ends[1]
    assert [*axes.lines[2].get_xdata()] == ends
    styles = {(to_hex(each.get_color()), str(each.get_linestyle())) for each in axes.lines}
    assert len(styles) == 3


def test_each_neuron_with_a_cv_has_a_marker(two: dict[str, xr.DataTree]) -> None:
    values = of_layers(two, analysis.neuron_values)
    figure = plots.cv_against_rate(values)
    axes = panel(figure, "conv")
    own = values["AdEx"]["conv"]
    defined = np.isfinite(own["isi_cv"].to_numpy())
    assert 10 < defined.sum() < 144
    assert note(axes)[-1] == f"median {own['isi_cv'].median():.2g}, {defined.sum()} neurons"
    assert legend(figure) == ["LIF", "AdEx", "Poisson process"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), own["isi_cv"][defined])
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), own["firing_rate"][defined])
    assert axes.lines[0].get_marker() != axes.lines[1].get_marker()


def test_correlated_neurons_are_neighbours() -> None:
    rng = np.random.default_rng(2)
    group = rng.permutation(np.repeat([0, 1, 2], 8))
    counts = rng.standard_normal((300, 3))[:, group] + 0.5 * rng.standard_normal((300, 24))
    matrix = np.corrcoef(counts.T)
    matrix[:, 5] = matrix[5] = np.nan
    array = xr.DataArray(matrix, dims=("neuron", "other"))
    figure = plots.correlation_matrices({"a": array, "b": array}, limit=0.5)
    shown = np.ma.filled(np.ma.asarray(figure.axes[0].images[0].get_array()), np.nan)
    assert shown.shape == (23, 23)
    assert np.isnan(shown.diagonal()).all()
    # Three blocks: neighbours are correlated, except at the two borders.
    assert (shown[np.arange(22), np.arange(1, 23)] > 0.4).sum() == 20
    low, median, high = np.nanquantile(matrix[np.triu_indices(24, 1)], [0.25, 0.5, 0.75])
    text = f"median {median:.2g} ({low:.2g} to {high:.2g})\n1 of 24 neurons left out"
    assert text in figure.axes[0].get_xlabel()
    np.testing.assert_array_equal(
        shown, np.ma.filled(np.ma.asarray(figure.axes[1].images[0].get_array()), np.nan)
    )
    assert figure.axes[-1].get_ylabel() == "correlation of spike counts"


def test_results_of_equal_size_are_mapped_on_the_same_axes(two: dict[str, xr.DataTree]) -> None:
    figure = plots.latent_maps(two, "conv")
    plane = analysis.principal_plane(two["LIF"], "conv")
    for axes, tree in zip(figure.axes, two.values(), strict=True):
        places = analysis.project(tree, "conv", plane).to_numpy()
        drawn = np.concatenate([np.array(line.get_xydata()) for line in axes.lines])
        np.testing.assert_allclose(np.sort(drawn, 0), np.sort(places, 0))
    (names,) = (each.get_texts() for each in figure.legends)
    labels = {int(v) for tree in two.values() for v in tree.to_dataset()["label"]}
    assert {int(text.get_text()) for text in names} == labels
    assert "% of the variance" in figure.axes[0].get_xlabel()


def test_the_plane_explains_the_most_variance() -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    tree = make(rng.random((30, 40, 12)) < rng.random((30, 1, 1)) * rng.random(12))
    counts = tree["layers/latent"].to_dataset()["spike_count"].to_numpy()
    places = analysis.project(tree, "latent", analysis.principal_plane(tree, "latent"))
    oracle = PCA(2).fit(counts)
    np.testing.assert_allclose(places["fraction"], oracle.explained_variance_ratio_, rtol=1e-3)
    expected = np.abs(oracle.transform(counts))
    np.testing.assert_allclose(np.abs(places), expected, rtol=0.02, atol=0.05)
    with refused(ResultError, where="latent", found="12 neurons and 1 examples"):
        analysis.principal_plane(tree.isel(example=[0]), "latent")


def test_filters_are_light_where_positive_and_dead_neurons_are_crossed_out() -> None:
    filters = np.random.default_rng(0).standard_normal((4, 3, 3))
    filters[2] = np.nan
    array = xr.DataArray(filters, coords={"neuron": [5, 6, 7, 8]}, dims=("neuron", "y", "x"))
    unnumbered = plots.filter_grid({"a": array.drop_vars("neuron")}, columns=3).axes[1]
    assert [text.get_text() for text in unnumbered.get_xticklabels()] == ["3"]
    figure = plots.filter_grid({"a": array, "b": array[:3]}, columns=3)
    below = [[text.get_text() for text in row.get_xticklabels()] for row in figure.axes]
    assert below == [["5", "6", "7"], ["8"], ["5", "6", "7"]]
    assert [row.get_title("left") for row in figure.axes] == ["a", "", "b"]
    row = figure.axes[0]
    (image,) = row.images
    shown = np.asarray(image.get_array().filled(np.nan))
    # Middle grey is 0; the space between pictures is at least a pixel.
    np.testing.assert_allclose(shown[:, :3], filters[0] / abs(filters[0]).max() / 2 + 0.5)
    assert np.isnan(shown[:, [3, 7, 8, 9, 10]]).all()
    (lines,) = row.collections
    # Three outlines, and the diagonals of the undefined one.
    middles = [path.vertices.mean(0) for path in lines.get_paths() if len(path) == 2]
    assert middles == [pytest.approx([9.5, 1.5])] * 2
    assert len(lines.get_paths()) == 5
    with refused(ResultError, "filters"):
        plots.filter_grid({"a": array[:0]})


def test_a_transfer_curve_recovers_a_planted_gain() -> None:
    rng = np.random.default_rng(4)
    images = rng.random((60, 1, 6, 6))
    raster = rng.random((60, 40, 36)) < 0.8 * images.reshape(60, 1, 36)
    tree = make(raster, "conv", (1, 6, 6), images=images, reconstruction=images)
    found = analysis.transfer_curve(tree, patch=1, bins=10)
    assert int(found["pairs"].sum()) == 60 * 36
    # 0.8 spikes a step of 0.5 ms where the pixel is white.
    expected = 1600 * found["intensity"].to_numpy()
    error = found["spread"] / np.sqrt(found["pairs"])
    assert (abs(found["rate"] - expected) < 4 * error + 10).all()
    wide = analysis.transfer_curve(tree, patch=99, bins=10)
    seen = images.mean((1, 2, 3))
    np.testing.assert_array_equal(wide["pairs"], 36 * np.histogram(seen, 10, (0, 1))[0])
    # The same gain for all neurons: quartiles around it, closer than single responses.
    assert (found["lower"] < found["median"]).all()
    assert (found["median"] < found["upper"]).all()
    assert (abs(found["median"] - expected) < 2 * error + 20).all()
    figure = plots.transfer_curves({"a": found, "b": wide}, title="conv")
    (axes,) = figure.axes
    assert legend(figure) == ["a", "b"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), found["median"])
    assert axes.get_ylabel() == "firing rate (Hz)"
    with refused(ResultError, "bins", expected="1 or more"):
        analysis.transfer_curve(tree, bins=0)
