"""The memory of results that are no longer used."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from bioae.simulation.results import tree
from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.tree import build_result


def result() -> Any:
    none = np.zeros(0, np.int64)
    layer = LayerSpikes.of(
        "only", (3,), example=none, step=none, neuron=none, examples=2, steps=4,
    )  # fmt: skip
    images = np.zeros((2, 1, 2, 2))
    return build_result(
        layers=[layer], images=images, reconstruction=images, example=np.arange(2), dt_ms=1.0,
        steps=4, target="test", seed=0, neuron_model="", network_sha256="0" * 64,
    )  # fmt: skip


@pytest.mark.medium
def test_results_are_freed_although_their_nodes_refer_to_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.collect()
    gc.disable()  # as between collections, of which there are few
    try:
        for most, freed in ((2**40, False), (0, True)):
            monkeypatch.setattr(tree, "_COLLECTED_BYTES", most)
            first = result()
            reference = weakref.ref(first["layers/only"].variables["spike_count"].to_numpy())
            del first
            assert reference() is not None
            result()
            assert (reference() is None) == freed
    finally:
        gc.enable()
