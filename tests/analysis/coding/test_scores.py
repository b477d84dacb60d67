"""Scores of regressions and sequences against scikit-learn; errors of reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import xarray as xr
from refusals import refused
from sklearn import metrics

from bioae.analysis import (
    output_errors,
    output_scores,
    reconstruction_change,
    reconstruction_errors,
    score_change,
    scores,
    statistics,
    sum_squared_error,
)
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]
SHAPES = {"regression": (9, 3), "sequence": (9, 4, 3)}


def valued(make: Make, task: str, seed: int = 0, **changes: Any) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    desired = 1e3 + rng.normal(size=SHAPES[task]) * [1.0, 5.0, 0.2]
    fields = {
        "task": task,
        "desired": desired,
        "output": desired + rng.normal(size=desired.shape),
        "images": np.full((9, 1, 2, 2), 0.5),
    }
    return make(np.ones((9, 4, 2), bool), **(fields | changes))


@pytest.mark.parametrize("task", SHAPES)
def test_against_scikit_learn(make: Make, task: str) -> None:
    tree = valued(make, task)
    flat = [tree[name].to_numpy().reshape(-1, 3) for name in ("target", "output")]
    found = output_scores(tree)
    for name, oracle in (
        ("mean_squared_error", metrics.mean_squared_error),
        ("mean_absolute_error", metrics.mean_absolute_error),
        ("r2", metrics.r2_score),
    ):
        np.testing.assert_allclose(found[name], oracle(*flat, multioutput="raw_values"), rtol=1e-9)
    expected = metrics.r2_score(*flat, multioutput="variance_weighted")
    assert float(found["r2_all"]) == pytest.approx(expected)
    assert float(scores(tree)["value"].sel(score="r2")) == pytest.approx(expected)
    errors = output_errors(tree)
    square = (tree["output"] - tree["target"]) ** 2
    xr.testing.assert_allclose(
        errors["mean_squared_error"].drop_attrs(),
        square.mean([dim for dim in square.dims if dim != "example"]).drop_attrs(),
    )
    assert "mean_squared_error" in statistics(tree)


def test_scores_of_a_reconstruction_are_its_errors(make: Make) -> None:
    tree = make(np.ones((2, 4, 2), bool), reconstruction=np.zeros((2, 1, 2, 2)))
    expected = reconstruction_errors(tree).sel(predictor="network")
    found = scores(tree)["value"]
    assert len(found) == 3
    for name in found["score"].to_numpy():
        assert float(found.sel(score=name)) == pytest.approx(float(expected[name]))


def test_change_of_scores(make: Make) -> None:
    before = valued(make, "regression")
    after = valued(make, "regression", output=before["target"].to_numpy())
    change = score_change(before, after)["value"].sel(score="mean_squared_error")
    assert float(change.sel(when="before")) > 0.5
    assert float(change.sel(when="after")) == 0
    with refused(ResultError, found="reconstruction"):
        score_change(before, make(np.ones((9, 4, 2), bool)))


def test_what_needs_a_reconstruction_says_so(make: Make) -> None:
    tree = valued(make, "regression")
    for measure in (sum_squared_error, reconstruction_errors, partial(reconstruction_change, tree)):
        with refused(ResultError, where="task", expected="reconstruction", found="regression"):
            measure(tree)


def test_targets_that_are_not_known(make: Make) -> None:
    for task in SHAPES:
        tree = valued(make, task, desired=None)
        for measure in (output_errors, output_scores, scores):
            with refused(ResultError, where="target"):
                measure(tree)
        assert statistics(tree).sizes["example"] == 9


def test_targets_that_do_not_vary(make: Make) -> None:
    tree = valued(make, "regression", desired=np.ones(SHAPES["regression"]))
    assert np.isnan(output_scores(tree)["r2"]).all()
    assert np.isnan(float(scores(tree)["value"].sel(score="r2")))
