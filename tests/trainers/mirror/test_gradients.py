"""Gradients of the mirror against central finite differences, and against a loop in plain PyTorch.

For finite differences a spike is made smooth: its value is the primitive of the spike derivative,
and a reset acts in proportion to it. All the rest is the mirror's own.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from builders import conv, dense, described
from finite_differences import Surrogate
from mirrors import mirror_of
from torch import Tensor

from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror import Activity, NetworkMirror
from bioae.trainers.mirror.derivatives import ArcTan, FastSigmoid, Gaussian

CURVED = """
description = "Nonlinear, starts from a trained value, and adapts through its resting potential."
equations = \"\"\"
dv/dt = (rest - v + slope*exp((v - 1)/slope))/tau - w/tau : 1
dw/dt = (a*v - w)/tau_w : 1
\"\"\"
threshold = "v > theta"
reset = \"\"\"
v = rest
w += b
\"\"\"
method = "euler"
input = "v"

[parameters]
rest = "-0.1"
slope = "0.3"
tau = "10*ms"
tau_w = "30*ms"
theta = "1"
a = "0.2"
b = "0.1"

[initial]
v = "rest/2"
w = "a*rest"

[trainable]
rest = ["-1", "0.5"]
slope = ["0.1", "1"]
tau = ["5*ms", "50*ms"]
theta = ["0.5", "2"]
a = ["0", "1"]
b = ["0", "1"]
"""
MODELS = ["alif", "cuba", "lif", "lif_subtract", "curved"]
SCHEDULES = ["brian2", "paper"]
SIGMA = 0.5


@pytest.fixture
def curved(tmp_path: Path) -> str:
    path = tmp_path / "curved.toml"
    path.write_text(CURVED)
    return str(path)


def network(model: str, schedule: str) -> Network:
    """Two layers, both recurrent, the first a convolution; driven hard enough to fire."""
    own = {"recurrent": True, "autapses": True}
    config = described(
        conv("first", 2, 2, bias=True, **own), dense("last", shape=[1, 3, 2], bias=True, **own),
        input_shape=[1, 3, 2], steps=9, schedule=schedule, neuron=model, decoder={"kind": "mean"},
    )  # fmt: skip
    drawn = Network.initialise(config, seed=2)
    stronger = 6.0 if model == "cuba" else 1.5
    weights = {
        n: w * (1 if n.endswith("recurrent") else stronger) for n, w in drawn.weights.items()
    }
    weights["first.weight"] = abs(weights["first.weight"])
    for key, name in enumerate(("first.bias", "last.bias")):
        weights[name] = stream(5, key).normal(0.05, 0.1, weights[name].shape)
    return Network(config, weights)


def drive(steps: int = 9) -> Tensor:
    return torch.from_numpy(stream(0, 0).random((steps, 2, 1, 3, 2)))


def loss(activity: Activity) -> Tensor:
    """Return a sum of all numbers of an activity, each with a different weight."""
    total = torch.zeros((), dtype=torch.float64)
    for key, layer in enumerate(activity.layers.values()):
        assert layer.potential is not None
        for part, values in enumerate((layer.spikes, layer.potential)):
            weights = stream(key, part).normal(size=values.shape)
            total = total + (torch.from_numpy(weights) * values).sum()
    return total + (activity.reconstruction**2).sum()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("model", MODELS)
def test_against_finite_differences(model: str, schedule: str, smooth: None, curved: str) -> None:
    described = network(curved if model == "curved" else model, schedule)
    trainable = described.config.placed[0].model.trainable
    mirror = mirror_of(
        described,
        derivative=Gaussian(sigma=SIGMA),
        trainable=trainable,
        potentials="all",
        dtype=torch.float64,
    )
    given = drive().requires_grad_()
    varied = {"drive": given, **mirror.weights}
    activity = mirror(given)
    assert all(
        0.1 < float(layer.spikes.detach().mean()) < 0.9 for layer in activity.layers.values()
    )
    loss(activity).backward()  # type: ignore[no-untyped-call]
    assert len(varied) == 7 + 2 * len(trainable)
    for key, (name, values) in enumerate(varied.items()):
        assert values.grad is not None, name
        direction = torch.from_numpy(stream(key, 1).normal(size=values.shape))
        direction = direction * (values.detach().abs().mean() or 1)
        expected = float((values.grad * direction).sum())
        found = central_difference(mirror, given, values, direction)
        assert abs(expected) > 1e-5, name
        assert found == pytest.approx(expected, rel=1e-4), name


def central_difference(
    mirror: NetworkMirror, given: Tensor, values: Tensor, direction: Tensor, step: float = 1e-5
) -> float:
    before = values.detach().clone()
    found = []
    with torch.no_grad():
        for sign in (1, -1):
            values.copy_(before + sign * step * direction)
            found.append(float(loss(mirror(given))))
        values.copy_(before)
    return (found[0] - found[1]) / (2 * step)


def monolith(given: Tensor, weights: dict[str, Tensor], schedule: str) -> Tensor:
    """Both layers of LIF neurons at once, step by step: spikes reach the second layer at once."""
    decay = math.exp(-1 / 100)
    examples = given.shape[1]
    u = [torch.zeros((examples, size), dtype=torch.float64) for size in (4, 6)]
    s = [torch.zeros_like(x) for x in u]
    emitted: list[list[Tensor]] = [[], []]
    kernel = weights["first.weight"]

    def fire(layer: int) -> None:
        s[layer] = Surrogate.apply(u[layer] - 1)  # type: ignore[no-untyped-call]
        emitted[layer].append(s[layer])

    for current in given:
        for layer, name in enumerate(("first", "last")):
            if layer == 0:
                feed = torch.nn.functional.conv2d(current, kernel, weights["first.bias"]).flatten(1)
            else:
                feed = s[0] @ weights["last.weight"].T + weights["last.bias"]
            recurrent = weights[f"{name}.recurrent"]
            if schedule == "paper":
                u[layer] = u[layer] + feed + s[layer] @ recurrent.T
                fire(layer)
                u[layer] = decay * u[layer] * (1 - s[layer])
            else:
                # What comes from below in step n is there from the end of step n - 1 on.
                u[layer] = (u[layer] + feed) * (1 - s[layer])
                u[layer] = decay * u[layer]
                fire(layer)
                u[layer] = u[layer] + s[layer] @ recurrent.T
    return torch.cat([torch.stack(steps).flatten() for steps in emitted])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_layer_by_layer_equals_step_by_step(schedule: str) -> None:
    described = network("lif", schedule)
    mirror = mirror_of(described, derivative=FastSigmoid(slope=10.0), dtype=torch.float64)
    given, expected_given = drive().requires_grad_(), drive().requires_grad_()
    weights = {
        name: torch.tensor(values).requires_grad_() for name, values in described.weights.items()
    }
    activity = mirror(given)
    found = torch.cat([layer.spikes.flatten() for layer in activity.layers.values()])
    expected = monolith(expected_given, weights, schedule)
    assert 0.1 < expected.mean() < 0.9
    assert torch.equal(found, expected)
    weighting = torch.from_numpy(stream(5, 5).normal(size=len(found)))
    (weighting * found).sum().backward()  # type: ignore[no-untyped-call]
    (weighting * expected).sum().backward()  # type: ignore[no-untyped-call]
    pairs = [(given.grad, expected_given.grad)]
    pairs += [(mirror.weights[name].grad, values.grad) for name, values in weights.items()]
    for a, b in pairs:
        assert a is not None
        assert b is not None
        assert b.any()
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_refractory_neuron_passes_no_gradient_and_no_nan(schedule: str) -> None:
    mirror = mirror_of(
        network("cuba", schedule),
        derivative=ArcTan(),
        trainable=("tau", "tau_syn", "theta"),
        potentials="all",
        dtype=torch.float64,
    )
    given = drive().requires_grad_()
    activity = mirror(given)
    spikes = activity.layers["first"].spikes
    assert spikes.sum() > 4
    # While it is refractory nothing can be learned: in Brian2's order one step less than in the
    # paper's, where the step of the spike itself ends with the update.
    refractory = torch.zeros_like(spikes)
    for late in range(1, 2 if schedule == "brian2" else 3):
        refractory[late:] += spikes.detach()[:-late]
    assert refractory.any()
    assert not (refractory * spikes).any()
    (found,) = torch.autograd.grad((refractory * spikes).sum(), given, retain_graph=True)
    assert not found.any()
    loss(activity).backward()  # type: ignore[no-untyped-call]
    for values in (given, *mirror.weights.values()):
        assert values.grad is not None
        assert values.grad.isfinite().all()
        assert values.grad.any()
