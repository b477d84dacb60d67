"""Operations, counted synapse by synapse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasters import Raster, make, rasters

from bioae.analysis import example_result, operations
from bioae.errors import ResultError

RASTERS = rasters()


@given(raster=RASTERS, data=st.data())
def test_operations_against_a_walk_over_synapses(raster: Raster, data: st.DataObject) -> None:
    examples, steps, neurons = raster.shape
    forward = data.draw(arrays(bool, (4, neurons)))
    recurrent = data.draw(arrays(bool, (neurons, neurons)))
    inputs = data.draw(arrays(bool, (examples, steps, 4)))
    counts = {"latent": {"input": forward.sum(1), "latent": recurrent.sum(1)}}
    received = sum(
        int(forward[source, target])
        for _, _, source in np.argwhere(inputs)
        for target in range(neurons)
    )
    within = sum(
        int(recurrent[source, target])
        for _, _, source in np.argwhere(raster)
        for target in range(neurons)
    )
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
