"""Effects of a change of a network, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae.analysis import (
    example_result,
    firing_change,
    reconstruction_change,
    sum_squared_error,
    summary,
)
from bioae.errors import ResultError


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return example_result()


def test_nothing_changed(tree: xr.DataTree) -> None:
    found = firing_change(tree, tree)
    table = summary(tree)
    assert list(found["layer"]) == list(table["layer"])
    for name in ("rate_hz_mean", "rate_per_step_mean", "dead_fraction", "bursting_fraction"):
        for when in ("before", "after"):
            np.testing.assert_array_equal(found[f"{name}_{when}"], table[name])
    assert found["rate_hz_mean_after"].attrs == {"long_name": "mean rate after", "units": "Hz"}
    errors = reconstruction_change(tree, tree)
    assert list(errors["when"]) == ["before", "after"]
    assert float(errors["sum_squared_error"][0]) == float(sum_squared_error(tree).mean()) > 0


def test_a_neuron_bursts_at_the_same_rate_where_steps_are_finer(tree: xr.DataTree) -> None:
    finer = tree.copy()
    finer.attrs |= {"dt_ms": tree.attrs["dt_ms"] / 4, "steps": tree.attrs["steps"] * 4}
    found = firing_change(tree, finer)
    np.testing.assert_allclose(found["rate_hz_mean_after"], found["rate_hz_mean_before"])
    np.testing.assert_allclose(
        4 * found["rate_per_step_mean_after"], found["rate_per_step_mean_before"]
    )
    np.testing.assert_array_equal(
        found["bursting_fraction_after"], found["bursting_fraction_before"]
    )
    bursting = summary(tree, bursting_threshold=0.125)["bursting_fraction"]
    assert (bursting != found["bursting_fraction_after"]).any()


def test_a_better_reconstruction(tree: xr.DataTree) -> None:
    better = tree.copy()
    better["reconstruction"] = tree["input"]
    errors = reconstruction_change(tree, better)
    assert float(errors["mean_squared_error"][1]) == 0 < float(errors["mean_squared_error"][0])


def test_other_examples_or_layers_are_refused(tree: xr.DataTree) -> None:
    with refused(ResultError, found=str([*range(101, 112)])):
        firing_change(tree, tree.isel(example=slice(1, None)))
    first = next(iter(tree["layers"].children))
    rest = {node.path: node.to_dataset() for node in tree.subtree if node.name != first}
    fewer = xr.DataTree.from_dict(rest)
    with refused(ResultError, found="['latent', 'output']"):
        reconstruction_change(tree, fewer)
