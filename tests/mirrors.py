"""Mirrors of small networks: losses, slopes, and the compiled mirror against the plain one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import conv, dense
from torch import Tensor

from bioae.equations import available, load_neuron
from bioae.networks import Network, NetworkConfig
from bioae.noise import Key
from bioae.random import stream
from bioae.trainers.gradient_check import slope
from bioae.trainers.mirror import Activity, Backward, LayerOptions, NetworkMirror
from bioae.trainers.mirror.compiled import build
from bioae.trainers.mirror.derivatives import ArcTan
from bioae.trainers.mirror.layer import Compile
from bioae.trainers.mirror.linearised import linearised

KEY = Key(3, np.arange(2))
SPIKING = [name for name in available() if load_neuron(name).threshold is not None]
DENSE: list[dict[str, Any]] = [
    dense("first", 5, gain=1.0),
    dense("last", shape=[1, 1, 3], gain=1.0),
]

needs_compiler = pytest.mark.skipif(
    build.compiler() is None, reason="there is no C++ compiler to compile with"
)


def mirror_of(
    network: Network,
    *,
    trainable: Collection[str] = (),
    per_neuron: Collection[str] = (),
    potentials: Any = "decoded",
    dtype: torch.dtype = torch.float64,
    compile: Compile = False,  # noqa: A002
    **backward: Any,
) -> NetworkMirror:
    """Return the mirror of a network, in float64 by default; `backward` are those of `Backward`."""
    options = LayerOptions(Backward(**backward), trainable, per_neuron)
    return NetworkMirror(network, options, potentials=potentials, dtype=dtype, compile=compile)


def described(model: str, schedule: str = "paper", **changes: Any) -> NetworkConfig:
    """Return a network of a model, which settles for 20 steps if it does."""
    mapping = load_neuron(model).to_mapping()
    dt = load_neuron(model).dt or "1*ms"
    if load_neuron(model).settle is not None:
        mapping["initial"]["settle"] = f"20*({dt})"
    fields = {
        "input_shape": [1, 1, 3], "steps": 40 if load_neuron(model).dt else 15, "dt": dt,
        "schedule": schedule, "neuron": model, "neurons": {model: mapping}, "layers": DENSE,
        "decoder": {"kind": "mean"}, **changes,
    }  # fmt: skip
    return builders.described(*fields.pop("layers"), **fields)


def drive_of(config: NetworkConfig, examples: int = 2) -> Tensor:
    return torch.from_numpy(stream(0, 0).random((config.steps, examples, *config.input_shape)))


def firing(config: NetworkConfig, *, recurrent: bool = True) -> Network:
    """Return a network, the weights of each layer doubled until it fires.

    Weights are positive, except a fifth of the recurrent ones; if not `recurrent`, these stay as
    they are drawn.
    """
    network = Network.initialise(config, seed=4)
    weights = dict(network.weights)
    for name, values in network.weights.items():
        if name.endswith(".weight"):
            weights[name] = abs(values)
        elif name.endswith(".recurrent") and recurrent:
            weights[name] = abs(values) * np.where(stream(8, 0).random(values.shape) > 0.8, -1, 1)
    for layer in ("first", "last"):
        own = [f"{layer}.weight"]
        own += [f"{layer}.recurrent"] if recurrent and f"{layer}.recurrent" in weights else []
        for doublings in range(-3, 40):
            scaled = {**weights, **{name: weights[name] * 2.0**doublings for name in own}}
            with torch.no_grad():
                activity = mirror_of(Network(config, scaled))(drive_of(config), key=KEY)
            if activity.layers[layer].spikes.mean() > 0.05:
                break
        else:
            pytest.fail(f"{layer} never fires as it should")
        weights = scaled
    return Network(config, weights)


def two_recurrent(model: str, schedule: str, **fields: Any) -> Network:
    """Return two recurrent layers, the first a convolution, driven hard enough to fire."""
    own = {"recurrent": True, "autapses": True}
    config = builders.described(
        conv("first", 2, 2, bias=True, **own), dense("last", shape=[1, 3, 2], bias=True, **own),
        input_shape=[1, 3, 2], steps=9, schedule=schedule, neuron=model, decoder={"kind": "mean"},
        **fields,
    )  # fmt: skip
    drawn = Network.initialise(config, seed=2)
    stronger = 6.0 if model == "cuba" else 1.5
    weights = {n: w if n.endswith("recurrent") else stronger * w for n, w in drawn.weights.items()}
    weights["first.weight"] = abs(weights["first.weight"])
    for key, name in enumerate(("first.bias", "last.bias")):
        weights[name] = stream(5, key).normal(0.05, 0.1, weights[name].shape)
    return Network(config, weights)


def delayed(schedule: str, neuron: dict[str, Any]) -> Network:
    """Return two recurrent layers of a model of conductances, with delays of every kind."""
    delays = {"delay": ["0*ms", "2*ms"], "recurrent_delay": ["0*ms", "3*ms"]}
    config = builders.described(
        conv("first", 2, 2, recurrent=True, **delays),
        dense("last", shape=[1, 3, 2], delay="1*ms", recurrent=True, recurrent_delay="2*ms"),
        input_shape=[1, 3, 2], steps=9, schedule=schedule, neuron="coba",
        neurons={"coba": neuron}, decoder={"kind": "mean"},
    )  # fmt: skip
    return builders.multiplied(Network.initialise(config, seed=2), 1.5)


def readings(mirror: NetworkMirror, drive: Tensor) -> tuple[Activity, dict[str, Tensor]]:
    """Return what a mirror does, and all numbers that can be read of it, by name."""
    states = {
        name
        for placed in mirror.config.placed
        for name, state in placed.program.states.items()
        if state.dtype == "float"
    }
    activity = mirror(drive, record=states, key=KEY)
    read = {"output": activity.output}
    for name, layer in activity.layers.items():
        own = {"spikes": layer.spikes, "counts": layer.counts, **layer.states}
        own |= {"potential": layer.potential, "final": layer.final_potential}
        read |= {f"{name}.{key}": values for key, values in own.items() if values is not None}
    return activity, dict(sorted(read.items(), key=lambda item: item[0]))


class Loss:
    """A sum of all numbers that a mirror returns, each with a different weight."""

    def __init__(self, mirror: NetworkMirror, drive: Tensor | None = None) -> None:
        self.mirror = mirror
        dtype = next(mirror.parameters()).dtype
        given = drive_of(mirror.config) if drive is None else drive
        self.drive = given.detach().to(dtype).requires_grad_(drive is None or drive.requires_grad)
        self._weights: dict[str, Tensor] = {}

    def __call__(self) -> Tensor:
        self.activity, self.read = readings(self.mirror, self.drive)
        for key, (name, values) in enumerate(self.read.items()):
            if name not in self._weights:
                normal = torch.from_numpy(stream(key, 1).normal(size=values.shape)).to(values)
                self._weights[name] = normal / (values.detach().abs().mean() or 1)
        terms = [(self._weights[name] * values).sum() for name, values in self.read.items()]
        return torch.stack(terms).sum()


def learn(
    mirror: NetworkMirror, drive: Tensor | None = None
) -> tuple[Activity, dict[str, Tensor], dict[str, Tensor]]:
    """Return what a mirror does, what is read of it, and the gradients of a `Loss`."""
    loss = Loss(mirror, drive)
    loss().backward()  # type: ignore[no-untyped-call]
    grads = {"drive": loss.drive.grad, **{n: w.grad for n, w in mirror.weights.items()}}
    return loss.activity, loss.read, {n: grad for n, grad in grads.items() if grad is not None}


def compare(
    network: Network, drive: Tensor | None = None, *, rtol: float = 1e-10, **options: Any
) -> None:
    """Compare the compiled mirror with the plain one, once it is known that all layers fire."""
    given = {"derivative": ArcTan(), "potentials": "all", **options}
    plain, read, expected = learn(mirror_of(network, **given), drive)
    _, other, found = learn(mirror_of(network, compile=True, **given), drive)
    assert all(layer.spikes.any() for layer in plain.layers.values())
    assert read.keys() == other.keys()
    for name, values in read.items():
        if name.endswith((".spikes", ".counts")):
            assert torch.equal(values, other[name]), name
        close(other[name], values, rtol)
    assert expected.keys() == found.keys()
    for name, grad in expected.items():
        assert grad.isfinite().all(), name
        close(found[name], grad, rtol)


def close(found: Tensor, expected: Tensor, rtol: float) -> None:
    """Compare arrays by the largest of their numbers: sums cancel."""
    largest = float(expected.detach().abs().max())
    torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol * largest)


def check_slopes(
    mirror: NetworkMirror, drive: Tensor | None = None, *, jointly: bool = False
) -> None:
    """Compare the gradients of a `Loss` with differences, kind by kind of weights and parameters.

    `jointly`: along one direction in which everything moves.
    """
    loss = Loss(mirror, drive)
    loss().backward()  # type: ignore[no-untyped-call]
    nearby = linearised(loss)
    groups: dict[str, dict[str, Tensor]] = {"drive": {"drive": loss.drive}}
    if not loss.drive.requires_grad:
        groups = {}
    for name, values in mirror.weights.items():
        groups.setdefault("all" if jointly else name.partition(".")[2], {})[name] = values
    for key, (kind, arrays) in enumerate(groups.items()):
        along, expected = {}, 0.0
        for name, values in arrays.items():
            assert values.grad is not None, name
            assert values.grad.isfinite().all(), name
            normal = torch.from_numpy(stream(key, len(along)).normal(size=values.shape))
            along[name] = (values.detach().abs().mean() or 1) * normal
            expected += float((values.grad * along[name]).sum())
        assert abs(expected) > 1e-5, kind
        assert slope(nearby, arrays, along) == pytest.approx(expected, rel=1e-4), kind
