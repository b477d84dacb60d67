"""Errors of reconstructions, and scores of regressions and sequences, against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from rasters import make
from refusals import refused
from sklearn import metrics
from sklearn.metrics import mean_squared_error

from bioae import analysis
from bioae.datasets import Data
from bioae.errors import ResultError

Pair = tuple[NDArray[Any], NDArray[Any]]
SHAPES = {"regression": (9, 3), "sequence": (9, 4, 3)}


def valued(task: str, seed: int = 0, **changes: Any) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    desired = 1e3 + rng.normal(size=SHAPES[task]) * [1.0, 5.0, 0.2]
    fields = {
        "task": task, "desired": desired, "output": desired + rng.normal(size=desired.shape),
        "images": np.full((9, 1, 2, 2), 0.5),
    }  # fmt: skip
    return make(np.ones((9, 4, 2), bool), **(fields | changes))


@pytest.mark.parametrize("task", SHAPES)
def test_against_scikit_learn(task: str) -> None:
    tree = valued(task)
    flat = [tree[name].to_numpy().reshape(-1, 3) for name in ("target", "output")]
    found = analysis.output_scores(tree)
    for name, oracle in (
        ("mean_squared_error", metrics.mean_squared_error),
        ("mean_absolute_error", metrics.mean_absolute_error),
        ("r2", metrics.r2_score),
    ):
        np.testing.assert_allclose(found[name], oracle(*flat, multioutput="raw_values"), rtol=1e-9)
    expected = metrics.r2_score(*flat, multioutput="variance_weighted")
    assert float(found["r2_all"]) == pytest.approx(expected)
    assert float(analysis.scores(tree)["value"].sel(score="r2")) == pytest.approx(expected)
    errors = analysis.output_errors(tree)
    square = (tree["output"] - tree["target"]) ** 2
    xr.testing.assert_allclose(
        errors["mean_squared_error"].drop_attrs(),
        square.mean([dim for dim in square.dims if dim != "example"]).drop_attrs(),
    )
    assert "mean_squared_error" in analysis.statistics(tree)


def test_scores_of_a_reconstruction_are_its_errors() -> None:
    tree = make(np.ones((2, 4, 2), bool), reconstruction=np.zeros((2, 1, 2, 2)))
    expected = analysis.reconstruction_errors(tree).sel(predictor="network")
    found = analysis.scores(tree)["value"]
    assert len(found) == 3
    for name in found["score"].to_numpy():
        assert float(found.sel(score=name)) == pytest.approx(float(expected[name]))


def test_change_of_scores() -> None:
    before = valued("regression")
    after = valued("regression", output=before["target"].to_numpy())
    change = analysis.score_change(before, after)["value"].sel(score="mean_squared_error")
    assert float(change.sel(when="before")) > 0.5
    assert float(change.sel(when="after")) == 0
    with refused(ResultError, found="reconstruction"):
        analysis.score_change(before, make(np.ones((9, 4, 2), bool)))


def test_what_needs_a_reconstruction_says_so() -> None:
    tree = valued("regression")
    for measure in (analysis.sum_squared_error, analysis.reconstruction_errors):
        with refused(ResultError, where="task", expected="reconstruction", found="regression"):
            measure(tree)


def test_targets_that_are_not_known() -> None:
    for task in SHAPES:
        tree = valued(task, desired=None)
        for measure in (analysis.output_errors, analysis.output_scores, analysis.scores):
            with refused(ResultError, where="target"):
                measure(tree)
        assert analysis.statistics(tree).sizes["example"] == 9


def test_targets_that_do_not_vary() -> None:
    tree = valued("regression", desired=np.ones(SHAPES["regression"]))
    assert np.isnan(analysis.output_scores(tree)["r2"]).all()
    assert np.isnan(float(analysis.scores(tree)["value"].sel(score="r2")))


def tree_of(images: NDArray[Any], reconstruction: NDArray[Any]) -> xr.DataTree:
    raster = np.ones((len(images), 1, 1), bool)
    return make(raster, images=images, reconstruction=reconstruction)


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def pair(request: pytest.FixtureRequest) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(request.param)
    images, reconstruction = rng.random((2, 5, request.param, 4, 6)).astype(np.float32)
    return images, reconstruction


def test_errors_equal_those_of_scikit_learn(pair: Pair) -> None:
    images, reconstruction = pair
    tree = tree_of(images, reconstruction)
    flat = [array.reshape(5, -1).astype(float).T for array in pair]
    expected = mean_squared_error(*flat, multioutput="raw_values")
    assert np.all(expected > 0)
    np.testing.assert_allclose(analysis.mean_squared_error(tree), expected)
    np.testing.assert_allclose(analysis.sum_squared_error(tree), expected * len(flat[0]))


def test_the_mean_image_is_the_best_constant(pair: Pair) -> None:
    images, reconstruction = pair
    tree = tree_of(images, reconstruction)
    left = analysis.sum_squared_error(tree, analysis.mean_image(tree))
    variance = images.reshape(5, -1).astype(float).var(axis=0).sum()
    assert float(left.mean()) == pytest.approx(variance)
    shifted = analysis.mean_image(tree) + 0.01
    assert float(analysis.sum_squared_error(tree, shifted).mean()) > variance


def test_all_zero_leaves_the_images_themselves(pair: Pair) -> None:
    images, reconstruction = pair
    tree = tree_of(images, reconstruction)
    left = analysis.sum_squared_error(tree, analysis.all_zero(tree))
    np.testing.assert_allclose(left, (images.reshape(5, -1).astype(float) ** 2).sum(1))


def test_the_mean_image_may_come_from_other_images() -> None:
    tree = tree_of(np.full((3, 1, 2, 2), 0.5), np.zeros((3, 1, 2, 2)))
    for training in (np.full((7, 1, 2, 2), 0.25), np.full((7, 2, 2), 0.25)):
        left = analysis.mean_squared_error(tree, analysis.mean_image(tree, training))
        np.testing.assert_allclose(left, 0.0625)
    with refused(ResultError, expected="(2, 2)"):
        analysis.mean_image(tree, np.zeros((7, 1, 3, 3)))


def test_the_table_has_the_network_and_both_baselines() -> None:
    images = np.zeros((2, 1, 2, 2))
    images[0] = 1
    table = analysis.reconstruction_errors(tree_of(images, np.full_like(images, 0.1)))
    sums = table["sum_squared_error"].to_series().to_dict()
    assert sums == pytest.approx({"network": 1.64, "all_zero": 2, "mean_image": 1})
    means = table["mean_squared_error"].to_series().to_dict()
    assert means == pytest.approx({"network": 0.41, "all_zero": 0.5, "mean_image": 0.25})
    deviation = table["sum_squared_error_std"].to_series().to_dict()
    assert deviation == pytest.approx({"network": 1.6, "all_zero": 2, "mean_image": 0})


def test_training_images_may_be_bytes_or_a_data_set() -> None:
    bytes_ = np.random.default_rng(0).integers(0, 256, (7, 1, 4, 6), np.uint8)
    tree = tree_of(bytes_[:3] / 255, bytes_[:3] / 255)
    expected = analysis.mean_image(tree, bytes_ / 255)
    for images in (bytes_, Data.of_images(bytes_, name="mine")):
        np.testing.assert_allclose(analysis.mean_image(tree, images), expected, rtol=1e-12)
    for wrong in (bytes_.astype(float), bytes_ / 255 - 1, np.full((2, 1, 4, 6), np.nan)):
        with refused(ResultError, expected="bytes, or numbers in [0, 1]"):
            analysis.mean_image(tree, wrong)
    with refused(ResultError, expected="images (example, y, x)"):
        analysis.mean_image(tree, [[1.0, 2.0], [3.0]])


def test_a_reconstruction_has_the_same_examples(pair: Pair) -> None:
    tree = tree_of(*pair)
    guess = tree["reconstruction"]
    expected = analysis.sum_squared_error(tree)
    turned = guess.isel(example=slice(None, None, -1))
    np.testing.assert_array_equal(analysis.sum_squared_error(tree, turned), expected)
    for wrong in (guess.isel(example=[0, 1]), guess.assign_coords(example=np.arange(5) + 3)):
        with refused(ResultError, expected="those of the result, 5"):
            analysis.sum_squared_error(tree, wrong)
    with refused(ResultError, expected="DataArray"):
        analysis.sum_squared_error(tree, guess.to_numpy())
