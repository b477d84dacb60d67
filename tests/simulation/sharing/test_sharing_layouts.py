"""Layouts of shared weights, and networks of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import Synapses
from hypothesis import assume, example, given
from hypothesis import strategies as st
from network_cases import case
from numpy.typing import NDArray

from bioae.api import build
from bioae.networks.layer_base import Connections
from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense
from bioae.simulation.sharing import Layout, SharedSynapses, conv2d, conv_transpose2d, dense, sparse
from bioae.simulation.targets.activation import activated

GEOMETRY = st.fixed_dictionaries({
    "kernel": st.integers(1, 4), "stride": st.integers(1, 4), "padding": st.integers(0, 3),
    "dilation": st.integers(1, 3), "groups": st.integers(1, 3),
})  # fmt: skip
SHAPE = st.tuples(st.integers(1, 2), st.integers(1, 8), st.integers(1, 8))


def ordered(connections: Any) -> NDArray[np.int64]:
    table = np.stack([np.asarray(index, np.int64) for index in connections], axis=1)
    return table[np.lexsort(table.T[::-1])]


def assert_same(layout: Layout, expected: Connections) -> None:
    actual = ordered(layout.unrolled())
    assert len(actual) > 0
    np.testing.assert_array_equal(actual, ordered(expected))


@given(shape=SHAPE, outputs=st.integers(1, 3), geometry=GEOMETRY, more=st.integers(0, 3))
@example(shape=(1, 9, 9), outputs=2, geometry={"kernel": 5, "stride": 2, "groups": 1}, more=1)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_convolution_has_the_connections_of_its_layer(
    *,
    transposed: bool,
    shape: tuple[int, int, int],
    outputs: int,
    geometry: dict[str, int],
    more: int,
) -> None:
    groups = geometry["groups"]
    channels, shape = outputs * groups, (shape[0] * groups, *shape[1:])
    layer: Conv2d | ConvTranspose2d
    if transposed:
        larger = min(more, max(geometry["stride"], geometry.get("dilation", 1)) - 1)
        geometry = {**geometry, "output_padding": larger}
        layer = ConvTranspose2d(name="a", channels=channels, **geometry)
    else:
        layer = Conv2d(name="a", channels=channels, **geometry)
    make = conv_transpose2d if transposed else conv2d
    try:
        targets = np.prod(layer.output_shape(shape))
    except ValueError:
        with pytest.raises(ValueError, match="the target would have no neurons"):
            make(shape, channels, **geometry)
        return
    layout = make(shape, channels, **geometry)
    assert (layout.shape, layout.targets) == (layer.weight_shape(shape), targets)
    connections = layer.connections(shape)
    assume(len(connections.source) > 0)
    assert_same(layout, connections)


@given(sources=st.integers(1, 6), targets=st.integers(1, 6))
def test_a_dense_layout_has_all_pairs(sources: int, targets: int) -> None:
    layout = dense(sources, targets)
    assert layout.whole
    assert_same(layout, Dense(name="a", units=targets).connections((sources,)))


@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=12))
def test_a_sparse_layout_has_the_pairs_that_are_listed(pairs: list[tuple[int, int]]) -> None:
    source, target = np.array(pairs).T
    layout = sparse(4, 5, source, target)
    assert layout.single
    assert_same(layout, Connections(source, target, np.arange(len(pairs))))


def test_neighbours_are_added_together() -> None:
    """A kernel's row is one segment where its taps reach neighbouring targets."""
    for layout in (
        conv2d((3, 12, 12), 4, 5),
        conv2d((3, 12, 12), 4, 5, stride=2),
        conv2d((3, 12, 12), 4, 5, stride=2, dilation=2),
        conv_transpose2d((3, 12, 12), 4, 5, stride=2),
    ):
        position = np.repeat(np.arange(layout.positions), np.diff(layout.first))
        rows = np.stack([position, layout.start // (5 * 4)])
        assert np.unique(rows, axis=1).shape[1] == len(layout.to)


@pytest.mark.medium
def test_every_weight_is_kept_once_where_connections_share_a_delay() -> None:
    described = case("geometry, paper").network
    with activated("numpy"):
        for connectivity in ("shared", "unrolled"):
            built = build(described, connectivity=connectivity)
            assert built.synapses.keys() == {
                "a.weight", "b.weight", "b.recurrent", "c.weight", "d.weight", "e.weight"
            }  # fmt: skip
            for name, synapses in built.synapses.items():
                own_delays = name == "c.weight"
                kept_once = connectivity == "shared" and not own_delays
                assert isinstance(synapses, SharedSynapses if kept_once else Synapses)
                if kept_once:
                    weights = np.asarray(synapses.bioae_w)
                    np.testing.assert_array_equal(weights, described.weights[name].ravel())
            built.run()
