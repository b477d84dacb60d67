"""Imported graphs fire the spikes of an independent interpreter, in Brian2, in float64."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
from exchange.nir.graphs import DT, Drawn, compared
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.equations.lowering.lowering import lower
from bioae.errors import InputError, ModelError
from bioae.exchange.nir import from_nir, to_nir, translate
from bioae.exchange.nir.populations import model_of

STEPS = 15


def chain(seed: int) -> Any:
    """Return a random chain of populations, some of them recurrent."""
    drawn = Drawn(seed)
    rng = drawn.rng
    axes = int(rng.choice(3, p=[0.4, 0.15, 0.45]))
    sizes = rng.integers(4, 8, axes)
    channels = rng.integers(1, 3) if axes else rng.integers(2, 10)
    shape: tuple[int, ...] = (int(channels), *map(int, sizes))
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(shape)})}
    edges, last = [], "input"

    def append(name: str, node: Any) -> None:
        nonlocal last
        nodes[name] = node
        edges.append((last, name))
        last = name

    populations = int(rng.integers(1, 4))
    for place in range(populations):
        for index in range(int(rng.integers(1, 4))):
            node, shape = drawn.operation(shape)
            append(f"{place}.{index}", node)
        silent = 0 < place == populations - 1 and rng.random() < 0.5
        kinds = ["LI", "CubaLI", "I"] if silent else ["LIF", "CubaLIF", "IF"]
        kind = str(rng.choice(kinds))
        name = f"{place}.{kind}"
        append(name, drawn.neurons(kind, shape))
        size = int(np.prod(shape))
        if kind in ("LIF", "CubaLIF", "IF") and len(shape) == 1 and rng.random() < 0.4:
            nodes[f"{place}.back"] = drawn.affine(size, size)
            edges += [(name, f"{place}.back"), (f"{place}.back", name)]
    nodes["output"] = nir.Output({"output": np.array(shape)})
    edges.append((last, "output"))
    return nir.NIRGraph(nodes, edges, type_check=False)


def refusal(graph: Any) -> str | None:
    """Return the line that refuses a graph, or None."""
    try:
        from_nir(graph, dt=f"{DT}*second", steps=STEPS)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.slow
def test_random_graphs_fire_the_same_spikes() -> None:
    fired: list[int] = []

    @settings(max_examples=12, report_multiple_bugs=False)
    @given(seed=st.integers(0, 2**32 - 1), reset=st.sampled_from(["zero", "subtract"]))
    def check(seed: int, reset: Any) -> None:
        graph = chain(seed)
        line = refusal(graph)
        if line is not None:  # delays of biases, or ahead of sums
            assert "NIR node '" in line
            assert "delay" in line
            return
        translation = translate(
            graph, dt=f"{DT}*second", steps=STEPS, encoder="bernoulli", reset=reset
        )
        spikes, differing = compared(graph, translation, reset=reset)
        fired.append(spikes)
        assert differing == 0

    check()
    assert np.count_nonzero(fired) > 0.5 * len(fired) > 0, fired


def lif(drawn: Drawn, size: int, kind: str = "LIF") -> Any:
    return drawn.neurons(kind, (size,))


GRAPHS: dict[str, Any] = {}


def graph(*nodes: Any) -> Any:
    return nir.NIRGraph.from_list(*nodes, type_check=False)


def _graphs() -> None:
    d = Drawn(3)
    images = nir.Input({"input": np.array([2, 9, 9])})
    lines = nir.Input({"input": np.array([2, 12])})
    flat = nir.Input({"input": np.array([9])})
    for kind in ("LIF", "CubaLIF", "IF"):
        GRAPHS[kind] = graph(flat, nir.Affine(d.weights(8, 9), np.full(8, 0.2)), lif(d, 8, kind))
    for kind in ("LI", "CubaLI", "I"):
        last, first = lif(d, 4, kind), lif(d, 8)
        weights = nir.Linear(d.weights(8, 9)), nir.Linear(d.weights(4, 8))
        GRAPHS[kind] = graph(flat, weights[0], first, weights[1], last)
    GRAPHS["pool before convolution"] = graph(
        images, nir.AvgPool2d(*(np.array([n, n]) for n in (3, 3, 0))),
        nir.Conv2d(None, 3 * d.weights(3, 2, 2, 2), 1, 0, 1, 1, np.full(3, 0.3)),
        d.neurons("LIF", (3, 2, 2)),
    )  # fmt: skip
    GRAPHS["pool before linear"] = graph(
        images, nir.SumPool2d(*(np.array([n, n]) for n in (3, 3, 0))), nir.Flatten(None, 0, -1),
        nir.Linear(d.weights(5, 18)), lif(d, 5),
    )  # fmt: skip
    GRAPHS["convolution before pool"] = graph(
        images, nir.Conv2d(None, d.weights(4, 2, 3, 3), 1, "same", 1, 1, d.rng.normal(size=4)),
        nir.AvgPool2d(*(np.array([n, n]) for n in (2, 2, 0))), d.neurons("CubaLIF", (4, 4, 4)),
    )  # fmt: skip
    GRAPHS["groups, strides, dilation"] = graph(
        images, nir.Conv2d(None, d.weights(4, 1, 2, 2), 2, 1, 2, 2, d.rng.normal(size=4)),
        d.neurons("IF", (4, 5, 5)),
    )  # fmt: skip
    GRAPHS["even kernel, same"] = graph(
        images, nir.Conv2d(None, d.weights(3, 2, 2, 2), 1, "same", 1, 1, np.zeros(3)),
        d.neurons("LIF", (3, 9, 9)),
    )  # fmt: skip
    GRAPHS["line"] = graph(
        lines, nir.Conv1d(None, d.weights(3, 2, 3), 1, "same", 1, 1, np.full(3, 0.2)),
        d.neurons("LIF", (3, 12)),
        nir.Conv1d(None, d.weights(2, 3, 4), 2, 0, 1, 1, np.zeros(2)), d.neurons("IF", (2, 5)),
    )  # fmt: skip
    GRAPHS["linear after linear, scale"] = graph(
        flat, nir.Affine(d.weights(6, 9), np.full(6, 0.3)), nir.Scale(d.rng.random(6)),
        nir.Linear(d.weights(7, 6)), lif(d, 7),
    )  # fmt: skip
    GRAPHS["delays"] = graph(
        flat, nir.Delay(np.asarray(2 * DT)), nir.Affine(d.weights(6, 9), np.full(6, 0.3)),
        lif(d, 6), nir.Delay(DT * np.arange(6)), nir.Linear(d.weights(4, 6)),
        nir.Delay(DT * np.array([0, 3, 1, 1])), lif(d, 4),
    )  # fmt: skip
    GRAPHS["identity"] = graph(flat, d.neurons("CubaLIF", (9,)), d.neurons("IF", (9,)))


_graphs()


@pytest.mark.medium
@pytest.mark.parametrize("name", GRAPHS)
def test_every_rule_gives_the_same_spikes(name: str) -> None:
    encoder = ("bernoulli", "frames")[[*GRAPHS].index(name) % 2]
    translation = translate(GRAPHS[name], dt=f"{DT}*second", steps=20, encoder=encoder)
    fired, differing = compared(GRAPHS[name], translation)
    assert fired > 10
    assert differing == 0


def recurrent(nested: bool) -> Any:
    d = Drawn(5)
    neurons, back = lif(d, 6, "CubaLIF"), nir.Affine(d.weights(6, 6), np.full(6, 0.1))
    ends = {
        "input": nir.Input({"input": np.array([9])}),
        "output": nir.Output({"output": np.array([6])}),
    }  # fmt: skip
    first = nir.Linear(d.weights(6, 9))
    if not nested:
        nodes = {**ends, "first": first, "2.lif": neurons, "2.w_rec": back}
        edges = [("input", "first"), ("first", "2.lif"), ("2.lif", "2.w_rec"), ("2.w_rec", "2.lif"),
                 ("2.lif", "output")]  # fmt: skip
        return nir.NIRGraph(nodes, edges, type_check=False)
    inner = nir.NIRGraph(
        {"input": nir.Input({"input": np.array([6])}), "lif": neurons, "w_rec": back,
         "output": nir.Output({"output": np.array([6])})},
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")], type_check=False,
    )  # fmt: skip
    edges = [("input", "first"), ("first", "2"), ("2", "output")]
    return nir.NIRGraph({**ends, "first": first, "2": inner}, edges, type_check=False)


@pytest.mark.medium
@pytest.mark.parametrize("nested", [False, True])
def test_cycles_take_one_step(nested: bool) -> None:
    translation = translate(recurrent(nested), dt=f"{DT}*second", steps=30, encoder="bernoulli")
    (layer,) = translation.network.config.layers
    assert layer.recurrent
    assert layer.autapses
    fired, differing = compared(recurrent(nested), translation)
    assert fired > 10
    assert differing == 0


def with_branches() -> Any:
    """A graph with branches, a skip, two ways between the same populations, and feedback."""
    d = Drawn(7)
    nodes: dict[str, Any] = {
        "input": nir.Input({"input": np.array([2, 5, 5])}),
        "into_a": nir.Conv2d(None, 2 * d.weights(3, 2, 2, 2), 1, 0, 1, 1, np.full(3, 0.1)),
        "a": d.neurons("IF", (3, 4, 4)),
        "into_b": nir.Conv2d(None, d.weights(3, 3, 3, 3), 1, 1, 1, 1, np.full(3, 0.2)),
        "b": d.neurons("LIF", (3, 4, 4)), "flat": nir.Flatten(None, 0, -1),
        "into_c": nir.Linear(4 * d.weights(20, 48) * (d.rng.random((20, 48)) < 0.08)),
        "c": lif(d, 20, "CubaLIF"), "late": nir.Delay(np.full((3, 4, 4), 2 * DT)),
        "into_d": nir.Affine(d.weights(4, 48), np.full(4, 0.1)),
        "c_to_d": nir.Linear(d.weights(4, 20)), "d": lif(d, 4), "step": nir.Delay(np.full(4, DT)),
        "back": nir.Affine(-d.weights(20, 4), np.full(20, 0.1)),
        "own": nir.Linear(d.weights(4, 4)), "own_late": nir.Delay(np.full(4, 2 * DT)),
        "output": nir.Output({"output": np.array([4])}),
    }  # fmt: skip
    ways = (
        "input into_a a into_b b flat into_c c c_to_d d output", "a flat into_d d",
        "b late flat", "d step back c", "d own own_late d",
    )  # fmt: skip
    edges = {pair for way in ways for pair in pairwise(way.split())}
    return nir.NIRGraph(nodes, sorted(edges), type_check=False)


@pytest.mark.medium
def test_branches_skips_and_feedback() -> None:
    graph = with_branches()
    translation = translate(graph, dt=f"{DT}*second", steps=30, encoder="bernoulli")
    config = translation.network.config
    assert {each.name: each.depth for each in config.populations} == dict(
        zip("abcd", (1, 2, 3, 4), strict=True)
    )
    kinds = {each.key: each.kind for each in config.projections}
    assert {"conv2d", "dense", "sparse"} == {*kinds.values()}
    assert len(kinds) == 11
    fired, differing = compared(graph, translation, back=[("d", "step")])
    assert fired > 10
    assert differing == 0
    again = to_nir(translation.network)
    translation = translate(again, dt=f"{DT}*second", steps=30, encoder="bernoulli")
    assert {each.key: each.kind for each in translation.network.config.projections} == kinds
    assert compared(again, translation, back=[("d", "c_from_d_delay")]) == (fired, 0)


@pytest.mark.medium
def test_kernels_stay_kernels() -> None:
    names = ("pool before convolution", "convolution before pool", "even kernel, same",
             "groups, strides, dilation", "line")  # fmt: skip
    for number, name in enumerate(names):
        encoder = ("constant_current", "frames")[number % 2]
        network = from_nir(GRAPHS[name], dt="1*ms", encoder=encoder)
        assert network.config.layers[0].kind == "conv2d", name


@pytest.mark.medium
@pytest.mark.parametrize("name", ["CubaLI", "I", "delays", "branches"])
def test_the_mirror_agrees(name: str) -> None:
    # Sums of weights on the grid do not depend on their order.
    graph = with_branches() if name == "branches" else GRAPHS[name]
    network = from_nir(graph, dt="1*ms", steps=20, encoder="bernoulli").quantised()
    images = np.random.default_rng(0).random((3, *network.config.input_shape))
    brian, mirror = simulate(network, images, "numpy"), simulate(network, images, "torch")
    counts = [layer["spike_count"].to_numpy().sum() for layer in brian["layers"].values()]
    assert sum(counts) > 10
    assert not differing_spikes(brian, mirror)["differing"].to_numpy().any()
    np.testing.assert_array_equal(brian["output"], mirror["output"])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((784,), (1, 28, 28)), ((1, 784), (1, 28, 28)), ((1, 1, 28, 28), (1, 28, 28)),
        ((1, 12), (1, 1, 12)), ((3, 4), (1, 3, 4)),
    ],
)  # fmt: skip
def test_an_axis_of_examples_in_the_shape_of_the_input_is_left_out(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    linear = nir.Linear(np.ones((2, int(np.prod(shape)))))
    nodes = nir.Input({"input": np.array(shape)}), linear, lif(Drawn(0), 2)
    assert from_nir(graph(*nodes), dt="1*ms").config.input_shape == expected


def test_a_potential_that_is_no_variable_is_refused() -> None:
    model = model_of("LI").model_copy(update={"potential": "u"})
    with refused(ModelError, "'u'", where="nir_li.toml, potential"):
        lower(model)


def test_a_scale_of_each_pixel_is_refused_before_it_takes_the_memory() -> None:
    shape = (1, 256, 256)
    conv = nir.Conv2d(None, np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1))
    scale = nir.Scale(np.random.default_rng(0).random(shape))
    neurons = nir.IF(np.ones(shape), np.ones(shape))
    nodes = nir.Input({"input": np.array(shape)}), conv, scale, neurons
    graph = nir.NIRGraph.from_list(*nodes, type_check=False)
    with refused(InputError, "'scale'", where="NIR node 'scale'"):
        from_nir(graph, dt="1*ms")
