"""Information of spike counts and latencies, and the operations that they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from rasters import Raster, make, rasters
from scipy.spatial.distance import cdist
from sklearn.metrics import mutual_info_score

from bioae.analysis import (
    class_separation,
    count_information,
    example_result,
    latency_information,
    linear_readout,
    operations,
)
from bioae.errors import ResultError

# Spikes (example, step, neuron), and labels (example,).
Labelled = tuple[Raster, NDArray[np.int64]]
LABELLED = st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(
        arrays(bool, shape), arrays(np.int64, shape[0], elements=st.integers(0, 3))
    )
)


def first_spikes(raster: Raster, width: int = 1) -> NDArray[np.int64]:
    """Return the bin of each neuron's first spike, -1 for none, (example, neuron)."""
    return np.where(raster.any(1), raster.argmax(1) // width, -1)


def planted(examples: int = 400) -> xr.DataTree:
    """Return 4 classes: neuron 0 codes by count, 1 by time, 2 in part, 3 and 4 not at all."""
    rng = np.random.default_rng(7)
    label = np.arange(examples) % 4
    raster = np.zeros((examples, 8, 5), bool)
    raster[:, :, 0] = np.arange(8) < label[:, None]
    raster[np.arange(examples), 2 * label, 1] = True
    raster[:, 0, 2] = label >= 2
    raster[:, :, 3] = rng.random((examples, 8)) < 0.3
    return make(raster, label=label)


def plug_in(found: xr.Dataset) -> xr.DataArray:
    """Return the estimate from which the bias was subtracted."""
    return found["mutual_information"] + found["bias"]


@pytest.mark.medium
@given(given_=LABELLED)
def test_the_plug_in_estimate_equals_that_of_scikit_learn(given_: Labelled) -> None:
    raster, label = given_
    tree = make(raster, label=label)
    for found, response in (
        (count_information(tree, "latent"), raster.sum(1)),
        (latency_information(tree, "latent"), first_spikes(raster)),
        (latency_information(tree, "latent", bin_ms=0.5), first_spikes(raster)),
    ):
        expected = [mutual_info_score(label, own) / np.log(2) for own in response.T]
        np.testing.assert_allclose(plug_in(found), expected, rtol=1e-9, atol=1e-9)
        entropy = mutual_info_score(label, label) / np.log(2)
        assert float(found["class_entropy"]) == pytest.approx(entropy, abs=1e-9)


def test_planted_codes_carry_the_bits_that_were_planted() -> None:
    tree = planted()
    count = plug_in(count_information(tree, "latent"))
    time = plug_in(latency_information(tree, "latent"))
    np.testing.assert_allclose(count[[0, 1, 2, 4]], [2, 0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(time[[1, 2, 4]], [2, 1, 0], atol=1e-12)
    # In bins of 4 steps, two classes have the same latency.
    assert float(plug_in(latency_information(tree, "latent", bin_ms=2.0))[1]) == pytest.approx(1)


def test_the_bias_of_chance_is_removed() -> None:
    rng = np.random.default_rng(1)
    raster = rng.random((1500, 3, 200)) < 0.5
    tree = make(raster, label=rng.integers(0, 5, 1500))
    found = count_information(tree, "latent", shuffles=5)
    raw = plug_in(found)
    corrected = found["mutual_information"]
    # Of 3 independent differences between 5 classes: 3 * 4 / (2 * 1500) nats.
    assert float(raw.mean()) == pytest.approx(0.004 / np.log(2), rel=0.1)
    assert abs(float(corrected.mean())) < 0.1 * float(raw.mean())
    assert abs(float((corrected - found["shuffled_mean"]).mean())) < 0.001
    assert float(found["shuffled_deviation"].min()) > 0
    assert np.isnan(count_information(tree, "latent", shuffles=1)["shuffled_deviation"]).all()


@given(given_=LABELLED)
def test_separation_equals_that_of_all_pairs(given_: Labelled) -> None:
    raster, label = given_
    found = class_separation(make(raster, label=label), "latent")
    counts = raster.sum(1).astype(float)
    distance = cdist(counts, counts, "sqeuclidean")
    other = ~np.eye(len(label), dtype=bool)
    same = label[:, None] == label
    for name, pairs in (("within", same & other), ("between", ~same)):
        if pairs.any():
            assert float(found[name]) == pytest.approx(distance[pairs].mean(), abs=1e-9)
        else:
            assert np.isnan(found[name])
    for own in found["class"].to_numpy():
        pairs = other & np.outer(label == own, label == own)
        if pairs.any():
            expected = distance[pairs].mean()
            assert float(found["within_class"].sel({"class": own})) == pytest.approx(expected)
    if float(found["between"]) > 0 and not np.isnan(found["within"]):
        assert float(found["ratio"]) == pytest.approx(float(found["within"] / found["between"]))
    else:
        assert np.isnan(found["ratio"])


@pytest.mark.parametrize("model", ["logistic", "ridge"])
def test_a_linear_code_is_decoded_and_noise_is_not(model: str) -> None:
    read = linear_readout(planted(120), "latent", model=model)  # type: ignore[arg-type]
    assert read["accuracy"].sizes == {"fold": 5}
    assert float(read["mean_accuracy"]) > 0.95
    assert float(read["chance"]) == 0.25
    noise = make(np.random.default_rng(0).random((200, 6, 4)) < 0.4, label=np.arange(200) % 2)
    found = linear_readout(noise, "latent", model=model, folds=4)  # type: ignore[arg-type]
    assert abs(float(found["mean_accuracy"]) - 0.5) < 4 * 0.5 / np.sqrt(200)
    assert float(found["standard_deviation"]) == pytest.approx(float(found["accuracy"].std(ddof=1)))
    assert int(found["unconverged"]) == 0


def test_a_silent_layer_is_decoded_at_chance() -> None:
    silent = make(np.zeros((20, 3, 2), bool), label=np.array([0] * 12 + [1] * 8))
    found = linear_readout(silent, "latent", folds=4)
    assert float(found["mean_accuracy"]) == float(found["chance"]) == 0.6
    assert float(class_separation(silent, "latent")["within"]) == 0


@given(raster=rasters(), data=st.data())
def test_operations_against_a_walk_over_synapses(raster: Raster, data: st.DataObject) -> None:
    examples, steps, neurons = raster.shape
    forward = data.draw(arrays(bool, (4, neurons)))
    recurrent = data.draw(arrays(bool, (neurons, neurons)))
    inputs = data.draw(arrays(bool, (examples, steps, 4)))
    counts = {"latent": {"input": forward.sum(1), "latent": recurrent.sum(1)}}
    received = sum(int(forward[source].sum()) for _, _, source in np.argwhere(inputs))
    within = sum(int(recurrent[source].sum()) for _, _, source in np.argwhere(raster))
    dense = steps * (forward.sum() + recurrent.sum())
    for graded in (False, True):
        events = inputs.sum(1).mean(0)
        found = operations(make(raster), counts, input_events=events, graded=graded).isel(layer=0)
        assert float(found["recurrent_accumulates"]) == pytest.approx(within / examples)
        added = within if graded else within + received
        assert float(found["accumulates"]) == pytest.approx(added / examples)
        multiplied = received / examples if graded else 0
        assert float(found["multiply_accumulates"]) == pytest.approx(multiplied)
        assert float(found["dense_multiply_accumulates"]) == dense
        assert float(found["neuron_updates"]) == neurons * steps
        if dense:
            quotient = (within + received) / examples / dense
            assert float(found["operations_per_dense_operation"]) == pytest.approx(quotient)


def test_operations_of_later_layers_come_from_the_spikes_of_the_layer_before() -> None:
    tree = example_result()
    sizes = {name: tree[f"layers/{name}"].sizes["neuron"] for name in ("conv", "latent", "output")}
    counts = {
        "conv": {"input": np.full(7, 5)},
        "latent": {"conv": sizes["latent"], "latent": sizes["latent"] - 1},
        "output": {"latent": sizes["output"]},
    }
    found = operations(tree, counts)
    assert np.isnan(found["accumulates"].sel(layer="conv"))
    for layer, before in (("latent", "conv"), ("output", "latent")):
        rows = found.sel(layer=layer)
        spikes = float(tree[f"layers/{before}"]["spike_count"].sum("neuron").mean())
        assert float(rows["forward_accumulates"]) == pytest.approx(spikes * sizes[layer])
    own = float(tree["layers/latent"]["spike_count"].sum("neuron").mean()) * (sizes["latent"] - 1)
    rows = found.sel(layer="latent")
    assert own > 0
    assert float(rows["recurrent_accumulates"]) == pytest.approx(own)
    assert float(rows["accumulates"]) == float(
        rows["forward_accumulates"] + rows["recurrent_accumulates"]
    )


def test_counts_of_operations_that_do_not_fit_are_refused() -> None:
    tree = make(np.ones((2, 3, 4), bool))
    fitting = {"latent": {"input": [4, 4], "latent": 3}}
    assert float(operations(tree, fitting, input_events=1)["synapses"].sum()) == 20
    for events, forward in (([1, 1], 4), (1, [4, 4])):  # two input neurons with 4 synapses each
        counts = {"latent": {"input": forward, "latent": 3}}
        found = operations(tree, counts, input_events=events)  # type: ignore[arg-type]
        assert found["forward_accumulates"].item() == 8
    single = {"latent": {"input": 4}}
    wrong: list[tuple[Any, Any]] = [
        (single, 1),  # the number of input neurons is unknown
        (single, None),
        ({"latent": {"inpt": [4, 4]}}, 1),
        ({"latent": 3}, 1),
        ({"latent": {"input": [[1], [1, 2]]}}, 1),
        ({"latent": {"input": [4, 4], "latent": [3, 3]}}, None),
        ({}, None),
        (fitting, [1, 2, 3]),
        (fitting, -1),
    ]
    for counts, events in wrong:
        with pytest.raises(ResultError):
            operations(tree, counts, input_events=events)
