"""Compiled recurrent layers: the spikes of Brian2, and the gradients of the uncompiled mirror."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import COBA, SCHEDULES, conv, dense, multiplied
from mirrors import (
    COMPILED,
    DENSE,
    compare,
    described,
    firing,
    mirror_of,
    needs_compiler,
)  # fmt: skip

from bioae import simulate
from bioae.equations import load_neuron
from bioae.networks import Network
from bioae.random import stream
from bioae.simulation.backend import Backend
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.compiled import kernel
from bioae.trainers.mirror.derivatives import DERIVATIVES, FastSigmoid, derivative

pytestmark = [needs_compiler, pytest.mark.medium]


def layers(**fields: Any) -> list[dict[str, Any]]:
    """Return a recurrent layer of five neurons, and one of three without recurrence."""
    return [{**DENSE[0], "recurrent": True, **fields}, DENSE[1]]


def network(
    schedule: str = "paper", model: str = "lif", *, every: bool = True, **fields: Any
) -> Network:
    """Return a firing network, on the grid where sums are exact."""
    both = [{**each, "recurrent": True, **fields} for each in DENSE]
    config = described(model, schedule, layers=both if every else layers(**fields))
    return firing(config).quantised()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_both_schedules(schedule: str) -> None:
    compare(network(schedule))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rule", DERIVATIVES)
def test_every_derivative(rule: str, schedule: str) -> None:
    compare(network(schedule), derivative=derivative(rule))


@pytest.mark.slow
@pytest.mark.parametrize("model", COMPILED)
def test_every_model(model: str) -> None:
    """Also straight through refractoriness, with parameters of each neuron."""
    schedule = SCHEDULES[COMPILED.index(model) % 2]
    trainable = load_neuron(model).trainable
    for attached in (False, True):
        compare(
            network(schedule, model), detach_refractory=not attached,
            trainable=trainable, per_neuron=trainable if attached else (),
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"autapses": True}, {}),
        ({"recurrent_delay": "2*ms"}, {}),
        ({"recurrent_delay": "14*ms"}, {}),
        ({"recurrent_delay": ["0*ms", "4*ms"]}, {}),
        ({"delay": "3*ms", "recurrent_delay": ["1*ms", "2*ms"], "autapses": True}, {}),
        ({}, {"truncate": 4}),
        ({}, {"truncate": 1}),
        ({"recurrent_delay": "2*ms"}, {"truncate": 3}),
        ({"recurrent_delay": ["0*ms", "4*ms"]}, {"truncate": 5, "detach_reset": True}),
        ({}, {"recompute": 3}),
        ({}, {"detach_reset": True, "potentials": "last"}),
        ({}, {"detach_reset": False, "derivative": FastSigmoid(2.0), "trainable": ("tau",)}),
    ],
    ids=str,
)
def test_delays_and_options(schedule: str, fields: dict[str, Any], options: dict[str, Any]) -> None:
    compare(network(schedule, **fields), **options)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_separate_inhibition(schedule: str) -> None:
    """Excitation and inhibition arrive at different variables."""
    own = layers(recurrent_delay=["0*ms", "2*ms"])
    config = described("lif", schedule, layers=own, neuron="coba", neurons={"coba": COBA})
    drawn = firing(config)
    own_weights = drawn.weights["first.recurrent"]
    assert (own_weights > 0).any()
    assert (own_weights < 0).any()
    compare(drawn)


@pytest.mark.slow
def test_convolutions() -> None:
    """Recurrent weights connect neurons in the order of (channel, y, x)."""
    own = [conv("first", 2, 2, recurrent=True, autapses=True), dense("last", shape=[1, 3, 3])]
    config = described("cuba", input_shape=[1, 3, 3], layers=own)
    compare(firing(config), trainable=("tau", "theta"), per_neuron=("theta",))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [37, 128])
def test_sizes(size: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups, panels and tiles that are full and that are not."""
    monkeypatch.setattr(kernel, "_GROUP", 9)
    own = [dense("first", size, recurrent=True, gain=1.0), DENSE[1]]
    config = described("lif", layers=own)
    drawn = firing(config).quantised()
    results, before = [], torch.get_num_threads()
    drive = torch.from_numpy(stream(1, 0).random((config.steps, 20, 1, 1, 3))).to(dtype)
    drive = (16 * drive).round() / 16
    try:
        for compiled, threads in ((False, 1), (True, 1), (True, 3)):
            torch.set_num_threads(threads)
            mirror = mirror_of(drawn, dtype=dtype, derivative=FastSigmoid(), compile=compiled)
            spikes = mirror(drive).layers["first"].spikes
            (spikes * spikes.cumsum(0).detach()).sum().backward()  # type: ignore[no-untyped-call]
            grads = {n: w.grad for n, w in mirror.weights.items() if w.grad is not None}
            assert {"first.weight", "first.recurrent"} <= grads.keys()
            results.append((spikes, grads))
    finally:
        torch.set_num_threads(before)
    assert results[0][0].any()
    rtol = 1e-10 if dtype == torch.float64 else 1e-3
    for spikes, grads in results[1:]:
        assert torch.equal(spikes, results[0][0])
        for name, grad in grads.items():
            expected = results[0][1][name]
            atol = rtol * float(expected.abs().max())
            torch.testing.assert_close(grad, expected, rtol=rtol, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("delay", ["0*ms", ["0*ms", "3*ms"]])
def test_the_spikes_of_brian2(schedule: str, delay: Any) -> None:
    drawn = multiplied(network(schedule, recurrent_delay=delay), 4.0)
    images = stream(2, 0).random((4, 1, 1, 3))
    result = simulate(drawn, images, Backend("numpy", "float64"))
    drive = Presentations.of(drawn.config, images).drive()
    mirror = mirror_of(drawn, dtype=torch.float64, compile=True)
    with torch.no_grad():
        activity = mirror(torch.from_numpy(drive))
    for name, layer in activity.layers.items():
        counts = layer.counts.flatten(1).numpy()
        assert counts.any()
        node = result[f"layers/{name}"]
        assert np.array_equal(node["spike_count"], counts)
        step, example, neuron = np.nonzero(layer.spikes.flatten(2).numpy())
        order = np.lexsort((neuron, step, example))
        for variable, values in (("example", example), ("neuron", neuron)):
            assert np.array_equal(node[f"spike_{variable}"], values[order])
        dt = drawn.config.dt_seconds * 1000
        assert np.allclose(node["spike_time_ms"], step[order] * dt)
