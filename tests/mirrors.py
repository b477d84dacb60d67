"""Mirrors of small networks, and comparison of the compiled mirror with the uncompiled one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import dense
from torch import Tensor

from bioae.equations import available, load_neuron
from bioae.networks import Network, NetworkConfig
from bioae.noise import Key
from bioae.random import stream
from bioae.trainers.mirror import Activity, Backward, LayerOptions, NetworkMirror
from bioae.trainers.mirror.compiled import build
from bioae.trainers.mirror.derivatives import ArcTan
from bioae.trainers.mirror.layer import Compile

KEY = Key(3, np.arange(2))
SPIKING = [name for name in available() if load_neuron(name).threshold is not None]
NOISY = {"noisy_lif"}
COMPILED = [name for name in SPIKING if name not in NOISY]
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


def drive_of(config: NetworkConfig) -> Tensor:
    return torch.from_numpy(stream(0, 0).random((config.steps, 2, *config.input_shape)))


def firing(config: NetworkConfig) -> Network:
    """Return a network, the weights of each layer doubled until it fires.

    Weights are positive, except a fifth of the recurrent ones.
    """
    network = Network.initialise(config, seed=4)
    weights = {name: abs(values) for name, values in network.weights.items()}
    for name, values in weights.items():
        if name.endswith(".recurrent"):
            values[stream(8, 0).random(values.shape) > 0.8] *= -1
    for layer in ("first", "last"):
        own = [name for name in weights if name in {f"{layer}.weight", f"{layer}.recurrent"}]
        for doublings in range(-3, 40):
            scaled = {**weights, **{name: weights[name] * 2.0**doublings for name in own}}
            mirror = mirror_of(Network(config, scaled), dtype=torch.float64)
            with torch.no_grad():
                activity = mirror(drive_of(config), key=KEY)
            if activity.layers[layer].spikes.mean() > 0.05:
                break
        else:
            pytest.fail(f"{layer} never fires as it should")
        weights = scaled
    return Network(config, weights)


def learn(mirror: NetworkMirror) -> tuple[Activity, dict[str, Tensor]]:
    """Return what a mirror does, and the gradients of a loss on all that can be read of it."""
    dtype = next(mirror.parameters()).dtype
    drive = drive_of(mirror.config).to(dtype).requires_grad_()
    states = {name for placed in mirror.config.placed for name in placed.program.states}
    booleans = {
        name
        for placed in mirror.config.placed
        for name, state in placed.program.states.items()
        if state.unit in ("boolean", "bool") or name == "not_refractory"
    }
    activity = mirror(drive, record=states - booleans, key=KEY)
    read = [activity.reconstruction]
    for layer in activity.layers.values():
        assert layer.final_potential is not None
        read += [layer.spikes, layer.counts, layer.final_potential]
        read += [layer.states[state] for state in sorted(layer.states)]
        read += [] if layer.potential is None else [layer.potential]
    sizes = [values.detach().abs().mean().clamp(min=1e-30) for values in read]
    weighted = [
        (torch.from_numpy(stream(key, 1).normal(size=values.shape)).to(dtype) * values / size).sum()
        for key, (values, size) in enumerate(zip(read, sizes, strict=True))
    ]
    torch.stack(weighted).sum().backward()  # type: ignore[no-untyped-call]
    grads = {"drive": drive.grad, **{n: w.grad for n, w in mirror.weights.items()}}
    return activity, {name: grad for name, grad in grads.items() if grad is not None}


def compare(network: Network, *, rtol: float = 1e-10, **options: Any) -> None:
    """Compare the compiled mirror with the plain one, once it is known that all layers fire."""
    given = {"derivative": ArcTan(), "potentials": "all", "dtype": torch.float64, **options}
    plain, expected = learn(mirror_of(network, **given))
    fused, found = learn(mirror_of(network, compile=True, **given))
    assert expected.keys() == found.keys()
    assert "drive" in found
    for name, layer in plain.layers.items():
        other = fused.layers[name]
        assert layer.spikes.any()
        assert torch.equal(layer.spikes, other.spikes), name
        assert torch.equal(layer.counts, other.counts), name
        assert layer.states.keys() == other.states.keys()
        pairs = [(layer.potential, other.potential), (layer.final_potential, other.final_potential)]
        pairs += [(layer.states[state], other.states[state]) for state in layer.states]
        for one, same in pairs:
            assert (one is None) == (same is None)
            if one is not None and same is not None:
                close(same, one, rtol)
    close(fused.reconstruction, plain.reconstruction, rtol)
    for name, grad in expected.items():
        assert grad.isfinite().all(), name
        close(found[name], grad, rtol)


def close(found: Tensor, expected: Tensor, rtol: float) -> None:
    """Compare arrays by the largest of their numbers: sums cancel."""
    largest = float(expected.detach().abs().max())
    torch.testing.assert_close(found, expected, rtol=rtol, atol=rtol * largest)
