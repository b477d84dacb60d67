"""Networks with each kind of connections and neurons that can be exported, and their spikes."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import nir
import numpy as np
from builders import conv, deconv, dense, drawn
from exchange.nir.graphs import DT, spikes_of
from numpy.typing import NDArray

from bioae import simulate
from bioae.exchange.nir import from_nir
from bioae.networks import Network

__all__ = ["NETWORKS", "Ran", "ran"]

STEPS, EXAMPLES = 20, 2
Array = NDArray[np.float64]


class Ran(NamedTuple):
    """A network that ran in Brian2: its input, and the spikes of each layer."""

    network: Network
    drive: Array  # (time, example, neuron)
    spikes: dict[str, Array]  # (example, time, neuron)


def _drawn(*layers: Any, shape: tuple[int, ...] = (1, 6, 6), **fields: Any) -> Network:
    task = {} if layers[-1] is not OUT else {"task": {"kind": "classification", "classes": 8}}
    return drawn(
        *layers, schedule="paper", input_shape=[*shape], steps=STEPS, **task,
        encoder={"kind": "bernoulli", "rate": 0.6}, **{"neuron": "lif", **fields},
    )  # fmt: skip


def _cuba() -> Network:
    each = np.ones(8)
    # What snnTorch wants: r = tau_mem/dt, and w_in = tau_syn/dt.
    neurons = nir.CubaLIF(
        tau_mem=10 * DT * each, tau_syn=4 * DT * each, r=10 * each, w_in=4 * each,
        v_leak=0 * each, v_threshold=2 * each, v_reset=0 * each,
    )  # fmt: skip
    weight = np.rint(np.random.default_rng(0).normal(size=(8, 16)) * 2**10) / 2**10
    graph = nir.NIRGraph.from_list(nir.Linear(weight), neurons)
    return from_nir(graph, dt=f"{DT}*second", steps=STEPS, encoder="bernoulli")


OUT = dense("out", 8, gain=3.0)
# One spike leads exactly to the default threshold of 1, on which readers in 32 bits disagree.
POOL = {"kind": "sum_pool2d", "name": "b", "kernel": 2, "parameters": {"theta": "0.9"}}

NETWORKS: dict[str, Any] = {
    "dense": lambda: _drawn(dense("a", 12, gain=3.0), OUT),
    "convolution": lambda: _drawn(conv("a", 3, 3, padding=1, gain=4.0), OUT),
    "convolution alone": lambda: _drawn(conv("a", 1, 3, padding=1, bias=True, gain=4.0)),
    "strides, dilation": lambda: _drawn(conv("a", 3, 2, stride=2, dilation=2, gain=4.0), OUT),
    "groups": lambda: _drawn(conv("a", 4, 3, groups=2, gain=4.0), OUT, shape=(2, 6, 6)),
    "transposed": lambda: _drawn(deconv("a", 3, 3, gain=4.0), OUT),
    "transposed, groups": lambda: _drawn(
        deconv("a", 4, 3, groups=2, padding=1, gain=4.0), OUT, shape=(2, 5, 5)
    ),
    "transposed, strides": lambda: _drawn(deconv("a", 2, 3, stride=2, gain=4.0), OUT),
    "pooling": lambda: _drawn(conv("a", 3, 3, gain=4.0), POOL, OUT),
    "delay": lambda: _drawn(dense("a", 12, gain=3.0, delay="2*ms"), OUT),
    "recurrent": lambda: _drawn(dense("a", 12, gain=3.0, recurrent=True), OUT),
    "integrate and fire": lambda: _drawn(dense("a", 12, gain=2.0), OUT, neuron="if"),
    "current-based": _cuba,
}


@cache
def ran(name: str) -> Ran:
    """Return a network of `NETWORKS`, and its spikes in Brian2."""
    network = NETWORKS[name]()
    config = network.config
    images = np.random.default_rng(0).random((EXAMPLES, *config.input_shape))
    drive = config.encoder.encode(images, np.arange(EXAMPLES), steps=STEPS, seed=0)
    result = simulate(network, images, "numpy", seed=0)
    spikes = {
        each.name: spikes_of(result, each.name, (EXAMPLES, STEPS, each.size), config.dt_seconds)
        for each in config.placed
    }
    assert all(each.sum() > 10 for each in spikes.values())
    return Ran(network, drive.reshape(STEPS, EXAMPLES, -1).astype(float), spikes)
