"""Compiled steps: the spikes and gradients of the plain mirror, in every form of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import COBA, SCHEDULES, conv, deconv, dense
from mirrors import DENSE, SPIKING, compare, described, drive_of, firing, needs_compiler

from bioae.equations import load_neuron
from bioae.equations.program import Draw
from bioae.networks import Network
from bioae.noise import Key, draw
from bioae.noise.streams import Distribution
from bioae.random import stream
from bioae.trainers.mirror.compiled import build, kernel
from bioae.trainers.mirror.compiled.noise import draw_steps
from bioae.trainers.mirror.derivatives import DERIVATIVES, ArcTan, FastSigmoid, derivative
from bioae.trainers.training.descent import reproducible

pytestmark = [needs_compiler, pytest.mark.medium]

slow = pytest.mark.slow
QUICK = ("adex", "lif_refractory", "noisy_lif")


def network(schedule: str = "paper", model: str = "lif", **fields: Any) -> Network:
    """Return a firing network of two recurrent layers, on the grid where sums are exact."""
    layers = [{**each, "recurrent": True, **fields} for each in DENSE]
    return firing(described(model, schedule, layers=layers)).quantised()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_both_schedules(schedule: str) -> None:
    compare(network(schedule))


@pytest.mark.parametrize(
    ("model", "recurrent"),
    [
        *(pytest.param(name, False, marks=[] if name in QUICK else slow) for name in SPIKING),
        *(pytest.param(name, True, marks=slow) for name in SPIKING),
    ],
)
def test_every_model(model: str, recurrent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If recurrent, also straight through refractoriness, with parameters of each neuron."""
    # A kernel for each model: they compile sooner without the optimisations that other tests have.
    flags = ["-O1" if flag == "-O3" else flag for flag in build._FLAGS]
    monkeypatch.setattr(build, "_FLAGS", flags)
    build.compile_cpp.cache_clear()
    drawn = network(SCHEDULES[SPIKING.index(model) % 2], model, recurrent=recurrent)
    trainable = load_neuron(model).trainable
    compare(drawn, trainable=trainable)
    if recurrent:
        compare(drawn, trainable=trainable, per_neuron=trainable, detach_refractory=False)


@slow
@pytest.mark.parametrize("rule", [name for name in DERIVATIVES if name != ArcTan.name])
def test_every_derivative(rule: str) -> None:
    compare(firing(described("lif")), derivative=derivative(rule))


@slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"autapses": True}, {}), ({"recurrent_delay": "2*ms"}, {}),
        ({"recurrent_delay": "14*ms"}, {}), ({"recurrent_delay": ["0*ms", "4*ms"]}, {}),
        ({"delay": "3*ms", "recurrent_delay": ["1*ms", "2*ms"], "autapses": True}, {}),
        ({"delay": "4*ms", "recurrent": False}, {}), ({}, {"truncate": 4}), ({}, {"truncate": 1}),
        ({"recurrent_delay": "2*ms"}, {"truncate": 3}),
        ({"recurrent_delay": ["0*ms", "4*ms"]}, {"truncate": 5, "detach_reset": True}),
        ({"recurrent": False}, {"truncate": 4, "trainable": ("tau",)}),
        ({"recurrent": False}, {"truncate": 7, "detach_reset": True, "trainable": ("tau",)}),
        ({}, {"recompute": 3}), ({"recurrent": False}, {"recompute": 3, "trainable": ("tau",)}),
        ({}, {"straight_through": 0.9, "truncate": 4}),
        ({}, {"detach_reset": True, "potentials": "last"}),
        ({}, {"detach_reset": False, "derivative": FastSigmoid(2.0), "trainable": ("tau",)}),
    ],
    ids=str,
)  # fmt: skip
def test_delays_and_options(schedule: str, fields: dict[str, Any], options: dict[str, Any]) -> None:
    model = "lif" if fields.get("recurrent", True) else "lif_subtract"
    compare(network(schedule, model, **fields), **options)


@slow
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_separate_inhibition(schedule: str) -> None:
    """Excitation and inhibition arrive at different variables."""
    layers = [{**DENSE[0], "recurrent": True, "recurrent_delay": ["0*ms", "2*ms"]}, DENSE[1]]
    config = described("lif", schedule, layers=layers, neuron="coba", neurons={"coba": COBA})
    drawn = firing(config)
    own = drawn.weights["first.recurrent"]
    assert (own > 0).any()
    assert (own < 0).any()
    compare(drawn)


@slow
def test_recurrent_convolutions() -> None:
    """Recurrent weights connect neurons in the order of (channel, y, x)."""
    layers = [conv("first", 2, 2, recurrent=True, autapses=True), dense("last", shape=[1, 3, 3])]
    config = described("cuba", input_shape=[1, 3, 3], layers=layers)
    compare(firing(config), trainable=("tau", "theta"), per_neuron=("theta",))


@pytest.mark.parametrize("dtype", [torch.float64, pytest.param(torch.float32, marks=slow)])
def test_convolutions_with_parameters_of_each_neuron(dtype: torch.dtype) -> None:
    """Two channels of more neurons than a block holds, so that blocks are cut."""
    layers = [conv("first", 4, 3, padding=1), deconv("last", 2, 3, padding=1)]
    drawn = firing(described("cuba", input_shape=[2, 11, 13], layers=layers))
    options: dict[str, Any] = {"trainable": ("tau", "theta"), "per_neuron": ("theta",)}
    rtol = 1e-10 if dtype == torch.float64 else 2e-4
    with reproducible(2):  # threads; others have one
        compare(drawn, dtype=dtype, rtol=rtol, derivative=FastSigmoid(2.0), **options)


@slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [37, 128])
def test_sizes(size: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups, panels and tiles that are full and that are not."""
    monkeypatch.setattr(kernel, "_GROUP", 9)
    config = described("lif", layers=[dense("first", size, recurrent=True, gain=1.0), DENSE[1]])
    drawn = firing(config).quantised()
    drive = (16 * drive_of(config, 20)).round() / 16
    rtol = 1e-10 if dtype == torch.float64 else 1e-3
    for threads in (1, 3):
        with reproducible(threads):
            compare(drawn, drive.requires_grad_(), dtype=dtype, rtol=rtol)


@pytest.mark.parametrize(
    ("model", "schedule", "recurrent"),
    [
        ("lif", "paper", False),
        pytest.param("lif", "brian2", True, marks=slow),
        pytest.param("coba", "paper", True, marks=slow),
        pytest.param("coba", "brian2", False, marks=slow),
    ],
)
def test_pooling_and_biases(model: str, schedule: str, *, recurrent: bool) -> None:
    """Pooling, a dense and a transposed convolution, with biases of both signs."""
    layers = [
        {"kind": "avg_pool2d", "name": "first", "kernel": 3, "stride": 1, "bias": True},
        dense("middle", shape=[2, 3, 3], bias=True, recurrent=recurrent),
        deconv("last", 2, 3, bias=True),
    ]
    config = described(
        "lif", schedule, input_shape=[2, 5, 5], neuron=model, neurons={"coba": COBA}, layers=layers
    )
    weights = dict(Network.initialise(config, seed=4).weights)
    for key, name in enumerate(("first.bias", "middle.bias", "last.bias")):
        weights[name] = stream(6, key).normal(0.1, 0.2, weights[name].shape)
    compare(Network(config, weights).quantised())


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("model", ["lif", "noisy_lif"])
def test_background_and_delays(schedule: str, model: str) -> None:
    """Of the first layer several, of the second one noise and connections of its own."""
    first, last = ({**each, "background": 0.2, "delay": "2*ms"} for each in DENSE)
    layers = [{**first, "delay": ["0*ms", "2*ms"]}, {**last, "recurrent": True}]
    compare(firing(described(model, schedule, layers=layers)))


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_random_numbers(distribution: Distribution) -> None:
    key, place = Key(2**64 - 3, [5, 2**40, 5], np.array([0, 1, 7])), {"population": 7, "count": 37}
    like = torch.zeros((), dtype=torch.float64)
    found = draw_steps(Draw(distribution, 3), key, (-1, 0, 5), like, **place)
    expected = [draw(distribution, key, step=step, call=3, **place) for step in (-1, 0, 5)]
    assert torch.equal(found, torch.from_numpy(np.concatenate(expected)))
