"""Back-propagation: truncated, recomputed, attached, and against closed forms."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from builders import SCHEDULES, dense, described
from mirrors import KEY, drive_of, learn, mirror_of
from refusals import refused
from torch import Tensor

from bioae.errors import NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.random import stream
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.derivatives import ArcTan, Membrane

STEPS = 12


def config(model: str, schedule: str, *layers: dict[str, Any]) -> NetworkConfig:
    return described(
        *layers, input_shape=[1, 1, len(layers) + 1], steps=STEPS, schedule=schedule,
        neuron=model, decoder={"kind": "mean"},
    )  # fmt: skip


def mirror(model: str, schedule: str = "brian2", **options: Any) -> NetworkMirror:
    """Return two layers, recurrent and delayed, whose parameters are trained."""
    described = config(
        model, schedule, dense("first", 4, recurrent=True, recurrent_delay="2*ms"),
        dense("last", shape=[1, 1, 3], recurrent=True, delay="1*ms"),
    )  # fmt: skip
    weights = Network.initialise(described, seed=3).weights
    weights = {n: 4 * abs(w) if n.endswith("weight") else w for n, w in weights.items()}
    trainable = described.placed[0].model.trainable
    options = {"derivative": ArcTan(), "trainable": trainable, **options}
    return mirror_of(Network(described, weights), potentials="all", **options)


def learned(found: NetworkMirror) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what can be read of a mirror, and gradients, each of which is not 0."""
    activity, read, gradients = learn(found)
    assert all(layer.spikes.any() for layer in activity.layers.values())
    assert all(gradient.any() for gradient in gradients.values())
    assert gradients.keys() == {"drive", *found.weights}
    return read, gradients


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if torch.equal(one[name], other[name])]


def leaky(schedule: str, inputs: Tensor, **options: Any) -> tuple[float, float, float]:
    """Return the last potential of a LIF below threshold, and its derivatives."""
    described = config("lif", schedule, dense("only", shape=[1, 1, 2]))
    network = Network(described, {"only.weight": np.array([[0.02, 0.03], [0, 0]])})
    given = {"derivative": ArcTan(), "detach_reset": True, "trainable": ("tau",), **options}
    found = mirror_of(network, **given)
    activity = found(inputs, record=["v"])
    assert not activity.layers["only"].spikes.any()
    last = activity.layers["only"].states["v"][-1].flatten()[0]
    last.backward()  # type: ignore[no-untyped-call]
    weight, tau = found.weights["only.weight"].grad, found.weights["only.tau"].grad
    assert weight is not None
    assert tau is not None
    # Trained is the logarithm of tau.
    return float(last.detach()), float(weight[0, 1]), float(tau) / 0.1


@pytest.mark.parametrize("truncate", [None, 5, 12])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_below_threshold_in_closed_form(schedule: str, truncate: int | None) -> None:
    inputs = torch.from_numpy(stream(7, 0).random((STEPS, 1, 1, 1, 2)))
    found = leaky(schedule, inputs, truncate=truncate)
    first, second = inputs.flatten(1).T.numpy()
    tau, dt = 0.1, 0.001
    # In Brian2's order each arrives a step early, and the leak comes first.
    age = (STEPS - np.arange(STEPS)) * dt
    arrived = (0.02 * first + 0.03 * second) * np.exp(-age / tau)
    assert found[0] == pytest.approx(arrived.sum(), rel=1e-12)
    # What came before the last cut is out of reach, and so is its leak till then.
    lead_in = int(schedule == "brian2")
    period = STEPS + lead_in
    cut = 0 if truncate is None else (period - 1) // truncate * truncate
    later = np.arange(STEPS) >= cut
    reached = np.minimum(age, (period - cut) * dt)
    assert found[1] == pytest.approx((second * np.exp(-age / tau))[later].sum(), rel=1e-12)
    assert found[2] == pytest.approx((arrived * reached / tau**2).sum(), rel=1e-12)


@pytest.mark.medium
@pytest.mark.parametrize("model", ["alif", "cuba", "lif_refractory", "noisy_lif"])
def test_nothing_passes_a_cut(model: str) -> None:
    gradients = []
    for truncate in (None, 4):
        found = mirror(model, "paper", truncate=truncate, detach_refractory=False)
        given = drive_of(found.config).requires_grad_()
        activity = found(given, key=KEY).layers["first"]
        assert activity.spikes[:8].any()
        (activity.spikes[8:].sum() + activity.potential[8:].sum()).backward()
        assert given.grad is not None
        gradients.append(given.grad.abs().flatten(1).sum(1))
    whole, cut = gradients
    assert (whole > 0).all()
    assert (cut[8:] > 0).all()
    assert not cut[:8].any()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_truncation_changes_only_the_gradient(schedule: str) -> None:
    read, whole = learned(mirror("alif", schedule))
    for truncate in (4, 5, 100):
        again, cut = learned(mirror("alif", schedule, truncate=truncate))
        assert equal(again, read) == [*read]
        assert len(equal(whole, cut)) == (len(whole) if truncate == 100 else 0)


@pytest.mark.medium
@pytest.mark.parametrize("truncate", [None, 4])
@pytest.mark.parametrize(("model", "schedule"), [*product(["cuba", "noisy_lif"], SCHEDULES)])
def test_recomputing_gives_the_same_bits(model: str, schedule: str, truncate: int | None) -> None:
    read, kept = learned(mirror(model, schedule, truncate=truncate))
    for recompute in (1, 5, 100):
        again, found = learned(mirror(model, schedule, truncate=truncate, recompute=recompute))
        assert equal(again, read) == [*read]
        assert equal(kept, found) == [*kept]


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("model", ["coba", "cuba", "glif"])
def test_attaching_changes_only_the_gradient(model: str, schedule: str) -> None:
    runs = {
        (reset, refractory): learned(
            mirror(model, schedule, detach_reset=reset, detach_refractory=refractory)
        )
        for reset, refractory in product((True, False), repeat=2)
    }
    read, _ = runs[True, True]
    assert all(equal(again, read) == [*read] for again, _ in runs.values())
    seen = {float(gradients["first.weight"].sum()) for _, gradients in runs.values()}
    assert len(seen) == 4


def test_the_rule_decides_whether_resets_are_attached_by_default() -> None:
    rules = [(ArcTan(), None), (ArcTan(), False), (ArcTan(), True)]
    rules += [(Membrane(), None), (Membrane(), True), (Membrane(), False)]
    found = []
    for rule, detach in rules:
        made = mirror("lif", derivative=rule, detach_reset=detach, trainable=())
        found.append(learned(made)[1]["drive"])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[3], found[4])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[3], found[5])


def test_a_leak_in_the_backward_pass_only() -> None:
    found = []
    for straight in (None, float(np.exp(-0.01)), 0.5):  # its own leak in 1 of 100 ms, and another
        made = mirror("lif", detach_reset=True, straight_through=straight, trainable=())
        found.append(learned(made))
    assert all(equal(read, found[0][0]) == [*read] for read, _ in found)
    own, same, other = (gradients["drive"] for _, gradients in found)
    torch.testing.assert_close(same, own, rtol=1e-12, atol=0)
    assert not torch.allclose(other, own)


def test_one_value_or_one_for_each_neuron() -> None:
    _, shared = learned(mirror("alif"))
    own = mirror("alif", per_neuron=("tau", "beta"))
    _, each = learned(own)
    assert own.weights["first.tau"].shape == own.weights["first.beta"].shape == (4,)
    assert own.weights["first.theta"].shape == ()
    for name in ("first.tau", "last.beta"):
        # Each neuron's part of what they have in common.
        assert float(each[name].sum()) == pytest.approx(float(shared[name]), rel=1e-9)
        assert len(set(each[name].tolist())) > 1
    np.testing.assert_array_equal(own.to_network().weights["first.tau"], np.full(4, 0.02))


def test_refused_numbers_of_steps() -> None:
    for name in ("truncate", "recompute"):
        with refused(NetworkError, name):
            mirror("lif", **{name: 0})
