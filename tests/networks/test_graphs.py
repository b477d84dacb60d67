"""Graphs of populations: their depths, their spikes on all targets, and their gradients."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from builders import SCHEDULES
from graph_cases import EDGES, IMAGES, NEURON, config_of, network_of
from mirrors import compare, needs_compiler
from refusals import refused
from torch import Tensor

from bioae import learn, load, parity, simulate, train
from bioae.equations.model import NeuronModel
from bioae.errors import InputError, NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror.derivatives import ArcTan
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer_parameters import LayerOptions
from bioae.trainers.mirror.network import NetworkMirror


def test_depths_are_the_fewest_projections_from_the_input() -> None:
    config = config_of("brian2", [*EDGES, {"from": "g", "to": "g"}])
    depths = {each.name: each.depth for each in config.placed}
    assert depths == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3, "f": 2, "g": 3}
    lags = {each.name: each.lag for placed in config.placed for each in placed.projections}
    assert (lags["a.from_input"], lags["a.from_e"], lags["e.own"], lags["f.from_e"]) == (0, 3, 1, 2)
    assert NetworkConfig.from_mapping(config.to_mapping()).placed == config.placed


def test_a_depth_comes_with_delays_of_what_it_skips() -> None:
    edges = [
        {"from": "input", "to": "a"}, {"from": "a", "to": "b"}, {"from": "b", "to": "c"},
        {"from": "a", "to": "c", "delay": "1*ms", "sign": "positive"},
    ]  # fmt: skip

    def config(depth: int, **fields: Any) -> NetworkConfig:
        described = config_of("brian2", edges)
        *others, last = (each.model_copy(update={"sign": "negative"})
                         for each in described.populations)  # fmt: skip
        deeper = (*others, last.model_copy(update={"depth": depth}))
        return described.varied(populations=deeper, **fields)

    placed = config(3).placed[-1]
    found = [(each.source, each.lag, each.sign) for each in placed.projections]
    assert found == [("b", 0, "negative"), ("a", -1, "positive")]
    with refused(NetworkError, "'c.from_b'", expected=re.compile("at least 1 "), found="0 steps"):
        _ = config(4).placed
    with refused(NetworkError, "depth", where="population 'c'", expected='clock = "staggered"'):
        _ = config(3, clock="common").placed


def spikes_of(result: xr.DataTree, name: str) -> np.ndarray[Any, Any]:
    data = result[f"/layers/{name}"]
    names = ("spike_example", "spike_neuron", "spike_time_ms")
    return np.stack([data[each].to_numpy() for each in names])


def test_a_network_without_input_presents_nothing() -> None:
    config = config_of("brian2", [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}])
    noisy = [{**each.model_dump(), "background": 5.0} for each in config.populations]
    network = Network.initialise(config.varied(populations=noisy))
    result = simulate(network, presentations=3, backend="torch", progress=False)
    assert result.sizes["example"] == 3
    assert (result["/layers/a"].spike_count.sum("neuron") > 0).all()
    with refused(InputError, where="presentations", found="data"):
        simulate(network, IMAGES, presentations=3)
    with refused(InputError, where="presentations", found="projections from the input"):
        simulate(network_of("brian2"), presentations=3)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("target", "clock"),
    [("numpy", "staggered"), ("numpy", "common"), ("cpp_standalone", "staggered")],
)
def test_spikes_are_those_of_the_mirror(schedule: str, target: Any, clock: str) -> None:
    network = network_of(schedule, clock=clock)
    mirror, brian = (simulate(network, IMAGES, each, progress=False) for each in ("torch", target))
    for name in "abcdef":
        assert spikes_of(mirror, name).shape[1] > 10
        np.testing.assert_array_equal(spikes_of(mirror, name), spikes_of(brian, name))


class Unrolled:
    """A graph of neurons with two currents, step by step of the network, with dense matrices."""

    def __init__(self, network: Network, weights: dict[str, Tensor], drive: Tensor) -> None:
        self.placed = {each.name: each for each in network.config.placed}
        self.lead_in, self.steps = network.config.timing.schedule.lead_in, len(drive)
        self.fired = {("input", n): each.flatten(1) for n, each in enumerate(drive)}
        self.depths = {"input": 0} | {name: each.depth for name, each in self.placed.items()}
        self.state = {
            n: torch.zeros(3, drive.shape[1], p.size).double() for n, p in self.placed.items()
        }
        self.last = {name: each[0] - 100 for name, each in self.state.items()}
        self.ready = {name: each > -200 for name, each in self.last.items()}
        self.paths = [
            (name, each, delay, matrix)
            for name, placed in self.placed.items() for each in placed.projections
            for delay, matrix in self.matrices(network, placed, each, weights[each.name])
        ]  # fmt: skip

    def matrices(self, network: Network, placed: Any, each: Any, weight: Tensor) -> Any:
        """Yield the weights (source, target) of each delay in steps."""
        sources, possible = int(np.prod(each.source_shape)), each.possible
        exists = torch.ones_like(weight) if possible is None else torch.tensor(possible)
        flat = (weight * exists).flatten()
        ends = each.indices(network.weights) or np.indices((placed.size, sources))[::-1]
        source, target = (torch.tensor(np.ravel(end).astype(np.int64)) for end in ends)
        delays = torch.tensor(np.broadcast_to(network.delays(placed)[each.name], weight.shape))
        for delay in delays.unique().tolist():
            chosen = torch.where(delays.flatten() == delay, flat, 0.0)
            empty = torch.zeros(sources, placed.size).double()
            yield delay, empty.index_put((source, target), chosen, accumulate=True)

    def received(self, name: str, step: int) -> list[Tensor]:
        """Return the input to both currents."""
        sums = {target: torch.zeros_like(self.state[name][0]) for target in (None, "inhibits")}
        for to, each, delay, matrix in self.paths:
            n = step - self.depths[each.source] - (1 - self.lead_in) - delay
            known = n >= (-self.lead_in if each.own else 0) and (each.source, n) in self.fired
            if to == name and known:
                sums[each.target] = sums[each.target] + self.fired[each.source, n] @ matrix
        return [*sums.values()]

    def compute(self, slot: str, name: str, n: int, received: list[Tensor]) -> None:
        v, excites, inhibits = self.state[name]
        if slot == "groups":
            self.ready[name] = n - self.last[name] >= 2
            v = torch.where(self.ready[name], v + (-v + excites - inhibits) / 10, v)
            excites, inhibits = excites - excites / 5, inhibits - inhibits / 10
        elif slot == "synapses":
            excites, inhibits = excites + received[0], inhibits + received[1]
        elif slot == "thresholds":
            ready, x = self.ready[name], v - 1.0
            spike = ((x > 0) & ready).double()
            slope = ArcTan().profile(x.detach(), spike)
            self.fired[name, n] = spike + slope * torch.where(ready, x - x.detach(), 0.0)
            self.last[name] = torch.where(spike > 0, float(n), self.last[name])
            self.ready[name] = ready & (spike == 0)
        else:
            v = v * (1 - self.fired[name, n])
        self.state[name] = torch.stack([v, excites, inhibits])

    def __call__(self) -> dict[str, Tensor]:
        """Return the spikes of all populations."""
        begin = {name: self.depths[name] - self.lead_in for name in self.placed}
        for step in range(max(self.depths.values()) + self.steps):
            active = [n for n, b in begin.items() if b <= step < self.depths[n] + self.steps]
            for slot in SCHEDULE_SLOTS[self.lead_in]:
                inputs = {name: self.received(name, step) for name in active}
                for name in active:
                    self.compute(slot, name, step - self.depths[name], inputs[name])
        return {
            name: torch.stack([self.fired[name, n] for n in range(self.steps)])
            for name in self.placed
        }


#: By the steps of the lead-in.
SCHEDULE_SLOTS = [
    ("synapses", "thresholds", "resets", "groups"),
    ("groups", "thresholds", "synapses", "resets"),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=[needs_compiler, pytest.mark.medium])]
)
def test_gradients_are_those_of_an_unrolled_graph(schedule: str, *, compiled: bool) -> None:
    network = network_of(schedule, steps=20)
    options = LayerOptions(Backward(ArcTan()))
    mirror = NetworkMirror(network, options, dtype=torch.float64, compile=compiled)
    drive = (torch.rand(20, 3, 1, 1, 16, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    names = mirror.weights
    given = {n: torch.tensor(network.weights[n], requires_grad=True) for n in names}
    found, losses = mirror(drive).layers, [torch.zeros(()).double()] * 2
    for name, expected in Unrolled(network, given, drive)().items():
        spikes = found[name].spikes.flatten(2)
        assert 0.005 < float(spikes.detach().mean()) < 0.9
        assert torch.equal(spikes.detach(), expected.detach())
        weigh = torch.rand_like(expected)
        losses = [
            loss + (weigh * s).sum() for loss, s in zip(losses, (spikes, expected), strict=True)
        ]
    for loss in losses:
        loss.backward()
    for name, each in given.items():
        assert each.grad is not None
        assert bool(each.grad.any())
        largest = float(each.grad.abs().max())
        torch.testing.assert_close(names[name].grad, each.grad, rtol=1e-12, atol=1e-12 * largest)


@needs_compiler
@pytest.mark.medium
@pytest.mark.parametrize(
    ("schedule", "clock", "options"),
    [("brian2", "staggered", {"truncate": 7}), ("paper", "common", {"recompute": 4})],
)
def test_compiled_graphs_equal_uncompiled_ones(schedule: str, clock: str, options: Any) -> None:
    listed = {"kind": "sparse", "probability": 0.6}
    edges = [{**each, **listed} if each["to"] == "b" else each for each in EDGES]
    compare(network_of(schedule, clock=clock, edges=edges), detach_refractory=False, **options)


def test_gradients_are_cut_in_the_same_step_in_all_populations() -> None:
    """Of populations of different depths, which send spikes back and forth."""
    edges = [{"from": a, "to": b} for a, b in (("input", "a"), ("a", "b"), ("b", "a"))]
    network = network_of("brian2", 1.5, edges=edges)
    drive = (torch.rand(30, 2, 1, 1, 16, generator=torch.Generator().manual_seed(0)) < 0.4).double()
    reached = {}
    for truncate in (None, 5):
        options = LayerOptions(Backward(ArcTan(), truncate=truncate))
        given = drive.clone().requires_grad_()
        spikes = NetworkMirror(network, options, dtype=torch.float64)(given).layers["b"].spikes
        spikes[27].sum().backward()
        assert given.grad is not None
        reached[truncate] = int(given.grad.flatten(1).any(1).nonzero()[0])
    assert reached[None] < 10
    assert 20 <= reached[5] <= 26


@pytest.mark.medium
def test_own_convolutions_and_random_starts_run_without_outer_input() -> None:
    ring = [
        {"from": "a", "to": "b"},
        {"from": "b", "to": "a"},
        {"from": "b", "to": "b", "name": "own", "kind": "conv2d", "kernel": 3, "padding": 1},
    ]
    config = config_of("brian2", ring[:2])
    first, last = config.populations
    changed = [
        {**first.model_dump(), "initial": {"excites": "9*rand()"}},
        {**last.model_dump(), "size": None, "shape": [1, 4, 4]},
    ]
    network = Network.initialise(config.varied(populations=changed, projections=ring), seed=1)
    network = network.with_weights({n: 9 * each for n, each in network.weights.items()})
    found, brian = (
        simulate(network, presentations=4, backend=each, progress=False)
        for each in ("torch", "numpy")
    )
    assert spikes_of(found, "b").shape[1] > 5
    np.testing.assert_array_equal(spikes_of(found, "b"), spikes_of(brian, "b"))
    with refused(NetworkError, "layer a", found=re.compile("random")):
        NetworkMirror(network, compile=True)(torch.zeros(12, 1, 1, 1, 16))


def test_sparse_synapses_are_pairs_without_autapses() -> None:
    network = network_of("brian2")
    for name, size in {"b.from_a": 72, "c.from_b": 60, "e.own": 40}.items():
        pairs = {
            *zip(*(network.weights[f"{name}_{end}"] for end in ("source", "target")), strict=True)
        }
        assert len(pairs) == size
    assert (network.weights["b.from_a"] >= 0).all()
    assert (np.bincount(network.weights["c.from_b_target"].astype(int)) == 5).all()
    own = [network.weights[f"e.own_{end}"] for end in ("source", "target")]
    assert (own[0] != own[1]).all()
    for change in ({"e.own_source": own[1]}, {"e.own_source": own[0] + 12}):
        with refused(NetworkError, "e.own"):
            network.with_weights(change)
    with refused(NetworkError, "b.from_a", expected="positive weights"):
        network.with_weights({"b.from_a": -network.weights["b.from_a"]})


@pytest.mark.parametrize(
    ("edge", "named"),
    [
        ({"from": "x", "to": "a"}, "a.from_x"),
        ({"from": "input", "to": "a"}, "a.from_input"),
        ({"from": "a", "to": "b", "name": "more", "kind": "conv2d", "kernel": 3}, "b.more"),
        ({"from": "a", "to": "b", "name": "more", "kernel": 3}, "kernel"),
        ({"from": "a", "to": "b", "kind": "sparse", "name": "more"}, "indegree"),
        ({"from": "a", "to": "b", "name": "from_input_delay"}, "b.from_input"),
        ({"from": "a", "to": "b", "name": "bias"}, "bias"),
        ({"from": "a", "to": "b", "name": "more", "weight": "2"}, "target"),
    ],
)
def test_projections_that_do_not_fit(edge: dict[str, Any], named: str) -> None:
    with refused(NetworkError, named):
        config_of("brian2", [*EDGES, edge])
    with refused(NetworkError, "colour", expected=re.compile("sign, from, to")):
        config_of("brian2", [*EDGES, {**edge, "colour": "red"}])


@pytest.mark.medium
@pytest.mark.parametrize(("schedule", "taught"), [("brian2", 6), ("paper", 5)])
def test_pairs_of_spikes_teach_on_a_common_clock(schedule: str, taught: int) -> None:
    """The neuron a begins above its threshold, and both fire in turn."""
    neuron = {"description": "Sums up.", "equations": "v : 1", "threshold": "v > 1",
              "reset": "v = 0", "input": "v", "weight": "10"}  # fmt: skip
    edges = [{"from": a, "to": b, "synapse": "stdp_pair", "initial": 0.5} for a, b in ("ab", "ba")]
    config = config_of(schedule, edges, clock="common", neuron="n", neurons={"n": neuron}, steps=6)
    first, last = config.populations
    sizes = (first.model_copy(update={"size": 1, "initial": {"v": "2"}}), last)
    network = Network.initialise(config.varied(populations=sizes))
    learned, mirror = (
        learn(network, IMAGES[:1], target, progress=False).network.weights
        for target in ("numpy", "torch")
    )
    expected = {"b.from_a": 0.5, "a.from_b": 0.5}
    for m, n in itertools.permutations(range(taught), 2):
        name = "b.from_a" if m % 2 == 0 else "a.from_b"
        change = 0.005 if m < n else -0.00525
        expected[name] += (m + n) % 2 * change * np.exp(-abs(m - n) / 20)
    for name, weight in expected.items():
        np.testing.assert_allclose(learned[name], weight, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(mirror[name], learned[name])


@pytest.mark.parametrize(
    ("edge", "found"), [({"from": "c", "to": "a"}, re.compile("'c'")), ({"sign": "positive"}, None)]
)
def test_projections_that_cannot_learn(edge: dict[str, Any], found: Any) -> None:
    edges = [{"from": "input", "to": "a"}, {"from": "a", "to": "c"}]
    with refused(NetworkError, found=found or "positive"):
        _ = config_of(
            "brian2", [*edges, {**edges[1], "name": "more", "synapse": "oja", **edge}]
        ).placed


@pytest.mark.medium
def test_a_graph_is_trained(tmp_path: Path) -> None:
    neuron = {**NEURON, "trainable": {"tau": ["5*ms", "20*ms"]}}
    network = config_of("brian2", latent="c", neurons={"two": neuron}, steps=12).to_mapping()
    training = {"epochs": 4, "batch_size": 2, "derivative": "arctan", "learning_rate": 0.01,
                "initialise": "calibrated", "layers": {"a": {"trainable": ["tau"]}}}  # fmt: skip
    tables = {"network": network, "training": training, "regularisers": {"l2": 1e-4}}
    trained = train(tables, IMAGES, out=tmp_path / "run", progress=False)
    assert trained.records[-1]["loss"] < 0.95 * trained.records[0]["loss"]
    stored = load(trained.model).network
    assert (stored.weights["b.from_a"] >= 0).all()
    assert stored.weights["a.tau"] != 0.01
    assert parity(trained.model, data=IMAGES, limit=2).passed


def test_changes_keep_the_units_of_targets() -> None:
    network, factors = network_of("brian2"), dict.fromkeys("abcdef", 2.0)
    other = NeuronModel.from_mapping("x", {**NEURON, "targets": {"inhibits": "0.5"}}, where="x")
    changed = network.with_neuron(other, calibrate=factors)
    assert changed.config.placed[0].model.targets == {"inhibits": "2.0*(0.5)"}
    timed = network_of("brian2", neurons={"two": {**NEURON, "targets": {"inhibits": "dt/(1*ms)"}}})
    assert timed.in_finer_steps(2).config.placed[0].model.targets == {"inhibits": "2*(dt/(1*ms))"}


def test_a_target_needs_a_unit() -> None:
    plain = {**NEURON, "targets": {}}
    with refused(NetworkError, "unit", where="projection 'a.from_c'"):
        _ = config_of("brian2", neurons={"two": plain}).placed
