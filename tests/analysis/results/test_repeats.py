"""Repeats in the analysis: presentations as examples, and variability over repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rasters import Raster, make
from refusals import refused

from bioae import analysis
from bioae.errors import ResultError
from bioae.simulation.results.netcdf import write_result

EXAMPLES, REPEATS, STEPS, NEURONS = 4, 30, 20, 6
NUMBERS = np.array([3, 17, 5, 0])


def trains(seed: int = 0) -> Raster:
    """Return spikes (example, repeat, step, neuron) of neurons that stimuli drive differently."""
    rng = np.random.default_rng(seed)
    density = rng.uniform(0.05, 0.6, (EXAMPLES, 1, 1, NEURONS))
    # A common input of each presentation, so that neurons share noise.
    shared = rng.random((EXAMPLES, REPEATS, STEPS, 1)) < 0.1
    return shared | (rng.random((EXAMPLES, REPEATS, STEPS, NEURONS)) < density)


def result(spikes: Raster, **root: Any) -> xr.DataTree:
    examples, repeats = spikes.shape[:2]
    fields: dict[str, Any] = {
        "images": np.random.default_rng(1).random((examples, 1, 2, 2)),
        "reconstruction": np.random.default_rng(2).random((examples * repeats, 1, 2, 2)),
        "example": NUMBERS[:examples], "dt_ms": 1.0, "label": np.arange(examples) % 2,
    }  # fmt: skip
    return make(spikes, "only", **(fields | root))


@pytest.fixture(scope="module")
def spikes() -> Raster:
    return trains()


@pytest.fixture(scope="module")
def tree(spikes: Raster) -> xr.DataTree:
    return analysis.presentations(result(spikes))


def test_presentations_become_examples(spikes: Raster, tree: xr.DataTree) -> None:
    assert tree.sizes["example"] == EXAMPLES * REPEATS
    assert tree["stimulus"].to_numpy().tolist() == np.repeat(NUMBERS, REPEATS).tolist()
    assert tree["repeat"].to_numpy().tolist() == [*range(REPEATS)] * EXAMPLES
    assert tree["example"].sel(example=1703).item() == 1703
    assert tree["stimulus"].sel(example=1703).item() == 17
    repeated = result(spikes)
    for name in ("input", "reconstruction", "label"):
        one = repeated[name].sel(example=17)
        one = one.sel(repeat=3) if "repeat" in one.dims else one
        np.testing.assert_array_equal(tree[name].sel(example=1703), one)
    (block,) = analysis.blocks(tree, "only")
    dense_spikes = np.zeros((EXAMPLES * REPEATS, STEPS, NEURONS), bool)
    dense_spikes[block.position, block.step, block.neuron] = True
    np.testing.assert_array_equal(dense_spikes.reshape(spikes.shape), spikes)
    assert analysis.presentations(tree) is tree


@pytest.mark.parametrize(
    "chosen",
    [{"repeat": [4, 2]}, {"repeat": [4]}, {"example": [2, 0]}, {"example": [1, 3], "repeat": [7]}],
    ids=str,
)
def test_selections_hold_their_spikes_in_their_order(
    chosen: dict[str, Any], spikes: Raster, tmp_path: Path
) -> None:
    """Spikes of repeats that were not selected are left out, in a file too."""
    selected = result(spikes).isel(chosen)
    write_result(selected, tmp_path / "r.nc")
    expected = spikes
    for axis, name in enumerate(("example", "repeat")):
        expected = expected.take(chosen.get(name, [*range(spikes.shape[axis])]), axis)
    expected = expected.reshape(-1, STEPS, NEURONS)
    for tree in (selected, analysis.open_result(tmp_path / "r.nc"), selected.isel(repeat=0)):
        of_one = "repeat" in selected.dims and "repeat" not in tree.dims
        wanted = expected[:: selected.sizes["repeat"]] if of_one else expected
        shown = analysis.presentations(tree)
        (block,) = analysis.blocks(shown, "only")
        found = np.zeros(wanted.shape, bool)
        found[block.position, block.step, block.neuron] = True
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(shown["/layers/only/spike_count"], wanted.sum(1))


def test_measures_refuse_repeats_and_numbers_that_are_too_large(spikes: Raster) -> None:
    repeated = result(spikes)
    for unfit in (repeated, repeated.isel(repeat=0), repeated.isel(repeat=[1])):
        with refused(ResultError, where="repeat"):
            analysis.firing_rate(unfit, "only")
    with refused(ResultError, where="example", found=str(2**62)):
        analysis.presentations(result(spikes[:1], example=np.array([2**62])))


@pytest.mark.parametrize("width", [None, 7])
def test_fano_factor_over_repeats(width: int | None, spikes: Raster, tree: xr.DataTree) -> None:
    """An analysis of variance: the mean variance over repeats, over the mean count."""
    windows = [slice(None)] if width is None else [slice(0, 7), slice(7, 14)]
    counts = np.stack([spikes[:, :, part].sum(2) for part in windows], -1)
    expected = counts.var(1, ddof=1).mean(0) / counts.mean((0, 1))
    fano = analysis.fano_factor(tree, "only", window_ms=width)
    np.testing.assert_allclose(fano.to_numpy().reshape(expected.shape), expected)
    assert fano.attrs["over"] == "repeats"
    total = analysis.dispersion(tree, "only")["total"].to_numpy()
    flat = spikes.sum(2).reshape(-1, NEURONS)
    np.testing.assert_allclose(total, flat.var(0, ddof=1) / flat.mean(0))
    if width is None:
        assert (total > fano.to_numpy()).all()


def test_fano_factor_of_unequal_numbers_of_repeats(spikes: Raster, tree: xr.DataTree) -> None:
    some = tree.isel(example=[0, 1, 2, REPEATS, REPEATS + 1])
    counts = spikes[:2, :3].sum(2)
    one, other = counts[0], counts[1, :2]
    around = ((one - one.mean(0)) ** 2).sum(0) + ((other - other.mean(0)) ** 2).sum(0)
    # For Poisson counts the expected sum of squares is (n - 1) times the mean, of each stimulus.
    expected = around / (2 * one.mean(0) + other.mean(0))
    np.testing.assert_allclose(analysis.fano_factor(some, "only"), expected)


def test_noise_correlation_over_repeats(spikes: Raster, tree: xr.DataTree) -> None:
    counts = spikes.sum(2)
    deviation = (counts - counts.mean(1, keepdims=True)).reshape(-1, NEURONS)
    expected = np.corrcoef(deviation.T)
    noise = analysis.correlation_matrix(tree, "only", kind="noise")
    np.testing.assert_allclose(noise, expected, atol=1e-12)
    assert noise.attrs["means_of"] == "stimuli"
    pairs = expected[np.triu_indices(NEURONS, 1)]
    mean = analysis.mean_pairwise_correlation(tree, "only", kind="noise")
    assert float(mean) == pytest.approx(pairs.mean())
    assert pairs.mean() > 0.05
    signal = analysis.correlation_matrix(tree, "only", kind="signal")
    np.testing.assert_allclose(signal, np.corrcoef(counts.mean(1).T), atol=1e-12)


@pytest.mark.parametrize("measure", ["treves_rolls", "hoyer", "kurtosis"])
@pytest.mark.parametrize("balanced", [True, False])
def test_sparseness_is_that_of_mean_responses(
    measure: Any, balanced: bool, spikes: Raster, tree: xr.DataTree
) -> None:
    """Responses are means over repeats, as if each stimulus had one presentation of that count."""
    chosen = np.arange(EXAMPLES * REPEATS) if balanced else np.arange(EXAMPLES * REPEATS - 17)
    some = tree.isel(example=chosen)
    stimulus = chosen // REPEATS
    counts = spikes.sum(2).reshape(-1, NEURONS)[chosen]
    means = np.array([counts[stimulus == each].mean(0) for each in range(EXAMPLES)])
    # One presentation per stimulus, with counts in proportion to the means.
    scaled = np.rint(means * 13 * REPEATS).astype(int)
    raster = np.arange(scaled.max())[None, :, None] < scaled[:, None]
    once = result(raster[:, None])
    assert counts.size > scaled.size
    found = analysis.lifetime_sparseness(some, "only", measure=measure)
    np.testing.assert_allclose(
        found, analysis.lifetime_sparseness(once, "only", measure=measure), atol=1e-9
    )
    found = analysis.population_sparseness(some, "only", measure=measure)
    expected = analysis.population_sparseness(once, "only", measure=measure).to_numpy()[stimulus]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_readout_and_shuffles_keep_the_repeats_of_a_stimulus_together() -> None:
    """Each stimulus has a response of its own, but classes are random: there is nothing to read."""
    rng = np.random.default_rng(5)
    images, repeats = 40, 10
    density = rng.uniform(0.0, 1.0, (images, 1, 1, 30))
    spikes = rng.random((images, repeats, 20, 30)) < density
    repeated = result(spikes, example=np.arange(images), label=rng.permutation(images) % 2)
    tree = analysis.presentations(repeated)
    read = analysis.linear_readout(tree, "only", model="ridge")
    assert 0.2 < float(read["mean_accuracy"]) < 0.8
    information = analysis.count_information(tree, "only", shuffles=20)
    # The mean over neurons of what chance gives, with stimuli as the unit.
    found, shuffled = (
        float(information[name].mean()) for name in ("mutual_information", "shuffled_mean")
    )
    assert shuffled > 0.02
    assert found == pytest.approx(shuffled, rel=0.5)
    with refused(ResultError, where="only", expected="2 classes of 30 stimuli or more"):
        analysis.linear_readout(tree, "only", folds=30)


def test_only_repeats_of_a_stimulus_are_shifted(spikes: Raster, tree: xr.DataTree) -> None:
    chosen = np.arange(EXAMPLES * REPEATS - 17)
    some = tree.isel(example=chosen)
    found = analysis.cross_correlogram(some, "only", [(0, 1), (2, 2)])["expected"]
    assert found.attrs["over"] == "repeats"
    trains = spikes.reshape(-1, STEPS, NEURONS)[chosen]
    for row, (one, other) in zip(found, [(0, 1), (2, 2)], strict=True):
        expected = np.zeros(2 * STEPS - 1)
        for stimulus in range(EXAMPLES):
            own = trains[chosen // REPEATS == stimulus].sum(0).astype(float)
            count = int((chosen // REPEATS == stimulus).sum())
            expected += np.correlate(own[:, other], own[:, one], "full") / count
        np.testing.assert_allclose(row, expected)


def test_results_with_repeats_are_comparable_with_cortex(spikes: Raster, tree: xr.DataTree) -> None:
    assert analysis.context_of(tree).repeated
    assert analysis.context_of(tree).averaged
    assert not analysis.context_of(analysis.presentations(result(spikes[:, :1]))).repeated
    mean = float(analysis.fano_factor(tree, "only").mean())
    assert float(analysis.statistics(tree)["/layers/only/fano_mean"]) == pytest.approx(mean)


def test_repeats_of_an_image_are_one_image_of_a_spike_triggered_average() -> None:
    spikes = np.repeat(trains()[:, :1], REPEATS, axis=1)  # without noise
    once = analysis.spike_triggered_average(analysis.presentations(result(spikes[:, :1])), "only")
    often = analysis.spike_triggered_average(analysis.presentations(result(spikes)), "only")
    assert np.isfinite(once["z_score"]).any()
    for name in ("average", "z_score"):
        np.testing.assert_allclose(often[name], once[name], rtol=1e-9)
