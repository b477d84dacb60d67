"""Compiled recurrent layers: the spikes of Brian2, and the gradients of the uncompiled mirror."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import COBA, SCHEDULES, conv, dense
from mirrors import (
    COMPILED,
    DENSE,
    compare,
    described,
    drive_of,
    firing,
    needs_compiler,
)  # fmt: skip

from bioae.equations import load_neuron
from bioae.networks import Network
from bioae.trainers.mirror.compiled import kernel
from bioae.trainers.mirror.derivatives import FastSigmoid

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
    drive = (16 * drive_of(config, 20)).round() / 16
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            rtol = 1e-10 if dtype == torch.float64 else 1e-3
            compare(drawn, drive.requires_grad_(), dtype=dtype, rtol=rtol)
    finally:
        torch.set_num_threads(before)
