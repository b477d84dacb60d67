"""Gradients of the mirror: against differences of the linearised mirror, and in long runs."""

from __future__ import annotations

from functools import cache
from typing import Any

import mirrors
import pytest
import torch
from builders import COBA, LEAKY, SCHEDULES, dense, model
from mirrors import KEY, SPIKING, Loss, check_slopes, drive_of, firing, mirror_of, two_recurrent

from bioae.equations import load_neuron
from bioae.networks import Network
from bioae.trainers.mirror.derivatives import ArcTan, Gaussian

#: Nonlinear, starts from a trained value, and adapts through its resting potential.
CURVED: dict[str, Any] = {
    **LEAKY, "method": "euler", "threshold": "v > theta", "reset": "v = rest\nw += b",
    "equations": """
    dv/dt = (rest - v + slope*exp((v - 1)/slope))/tau - w/tau : 1
    dw/dt = (a*v - w)/tau_w : 1
    """,
    "parameters": {"rest": "-0.1", "slope": "0.3", "tau": "10*ms", "tau_w": "30*ms", "theta": "1",
                   "a": "0.2", "b": "0.1"},
    "initial": {"v": "rest/2", "w": "a*rest"},
    "trainable": {"rest": ["-1", "0.5"], "slope": ["0.1", "1"], "tau": ["5*ms", "50*ms"],
                  "theta": ["0.5", "2"], "a": ["0", "1"], "b": ["0", "1"]},
}  # fmt: skip


@cache
def case(name: str, schedule: str) -> Network:
    """Return a network of a model, of which both layers fire and are reset."""
    own = {"recurrent": True, "gain": 1.0}
    layers = [dense("first", 4, **own), dense("last", shape=[1, 1, 3], **own)]
    steps = 40 if load_neuron(name).dt else 12
    return firing(mirrors.described(name, schedule, layers=layers, steps=steps), recurrent=False)


def check_model(name: str, way: int, *, jointly: bool) -> None:
    """Compare all that can be trained, in one of two ways in which a network can be trained."""
    trainable = load_neuron(name).trainable
    mirror = mirror_of(
        case(name, SCHEDULES[way]), derivative=Gaussian(sigma=0.5), detach_refractory=not way,
        trainable=trainable, per_neuron=trainable if way else (), potentials="all",
    )  # fmt: skip
    trained = {name.partition(".")[2] for name in mirror.weights}
    assert trained == {"weight", "recurrent", *trainable} > {"weight", "recurrent"}
    check_slopes(mirror, drive_of(mirror.config), jointly=jointly)  # the drive stays as it is


#: A few models in `make test`, and all in `make test-all`.
SOME = [
    pytest.param(name, marks=pytest.mark.medium if name in ("adex", "cuba") else pytest.mark.slow)
    for name in SPIKING
]


@pytest.mark.parametrize("name", SOME)
def test_every_model_along_one_direction(name: str) -> None:
    check_model(name, SPIKING.index(name) % 2, jointly=True)


@pytest.mark.slow
@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("name", SPIKING)
def test_weights_and_each_parameter_of_every_model(name: str, way: int) -> None:
    check_model(name, way, jointly=False)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_convolutions_biases_and_starts(schedule: str) -> None:
    curved = model(CURVED, "curved")
    described = two_recurrent("curved", schedule, neurons={"curved": curved.to_mapping()})
    mirror = mirror_of(
        described, derivative=Gaussian(sigma=0.5), trainable=curved.trainable, potentials="all"
    )
    assert len(mirror.weights) == 6 + 2 * len(curved.trainable)
    check_slopes(mirror)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_delays_and_signs(schedule: str) -> None:
    fast = {**COBA, "parameters": {**COBA["parameters"], "tau": "5*ms"}}
    mirror = mirror_of(mirrors.delayed(schedule, fast), derivative=Gaussian(sigma=0.5))
    check_slopes(mirror)
    for name, values in mirror.weights.items():
        assert values.grad is not None
        assert (values.grad[values.detach() > 0] != 0).any()
        assert (values.grad[values.detach() < 0] != 0).any()
        assert not (name.endswith("recurrent") and values.grad.diagonal().any())


@pytest.mark.parametrize("name", SOME)
def test_surrogate_gradients_stay_finite(name: str) -> None:
    """Over many steps, through resets and refractoriness, at the model's own time step."""
    mirror = mirror_of(
        case(name, "brian2").with_time(steps=80), derivative=ArcTan(), detach_refractory=False,
        trainable=load_neuron(name).trainable, dtype=torch.float32,
    )  # fmt: skip
    layers = mirror(drive_of(mirror.config), key=KEY).layers.values()
    assert all(layer.spikes.sum() > 3 for layer in layers)
    torch.cat([layer.spikes.flatten() for layer in layers]).mean().backward()  # type: ignore[no-untyped-call]
    for key, values in mirror.weights.items():
        assert values.grad is not None, key
        assert values.grad.isfinite().all(), key
        assert values.grad.any(), key


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_refractory_neuron_passes_no_gradient_and_no_nan(schedule: str) -> None:
    trainable = ("tau", "tau_syn", "theta")
    mirror = mirror_of(
        two_recurrent("cuba", schedule), derivative=ArcTan(), trainable=trainable, potentials="all"
    )
    loss = Loss(mirror)
    total = loss()
    spikes = loss.activity.layers["first"].spikes
    assert spikes.sum() > 4
    # While it is refractory nothing can be learned: in Brian2's order one step less than in the
    # paper's, where the step of the spike itself ends with the update.
    refractory = torch.zeros_like(spikes)
    for late in range(1, 2 if schedule == "brian2" else 3):
        refractory[late:] += spikes.detach()[:-late]
    assert refractory.any()
    assert not (refractory * spikes).any()
    (found,) = torch.autograd.grad((refractory * spikes).sum(), loss.drive, retain_graph=True)
    assert not found.any()
    total.backward()  # type: ignore[no-untyped-call]
    for values in (loss.drive, *mirror.weights.values()):
        assert values.grad is not None
        assert values.grad.isfinite().all()
        assert values.grad.any()
